"""What a model says of the same images when they look as if from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.seen import how_to_list_seen, seen_before
from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.arrays import BATCH, batches
from tumorscope.cohort.manifest import Data
from tumorscope.cohort.overwriting import Document, refuse_others
from tumorscope.common.cores import cores
from tumorscope.common.csv_files import write_csv
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.common.extras import REPORTS, require
from tumorscope.common.files import output_folder, write_json
from tumorscope.common.locks import one_writer
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import say, track
from tumorscope.detection import rules
from tumorscope.detection.detector import model_path
from tumorscope.detection.engines import open_engine
from tumorscope.imaging import Preprocessing, Slice, prepare, read_slice
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.model_file.decision import ABSTAINED, DecisionRule
from tumorscope.model_file.other_formats import read_any
from tumorscope.records.evaluation_folder import folder_read, named
from tumorscope.records.protocol import data_hash
from tumorscope.reports.displays.robustness import RobustnessDisplay
from tumorscope.reports.drawing import draw
from tumorscope.statistics import Interval, auc_and_variance, cluster_bootstrap, wilson
from tumorscope.synthetic.perturbations import PERTURBATIONS, Perturbation

RESAMPLES = 500


@dataclass(frozen=True, slots=True)
class Strength:
    """What one change of one strength did.

    Attributes
    ----------
    perturbation : str
        Its name; "none" for the images as they are.
    unit : str
    strength : float
    images : int
        On which it could be made; every figure is of these.
    auc, sensitivity, specificity : Interval or None
        After the change; None where the images cannot tell. Intervals resample groups.
    auc_before : float or None
        Of the same images as they are.
    flips : Interval or None
        Share of images whose call at the operating point changed; None for "none".
    abstained : Interval or None
        Share of images that the model abstains on after the change; the figures above call them
        by the threshold all the same.
    error_answered : Interval or None
        Share of wrong answers among the others.
    shift : float
        Mean absolute change of the probability.
    """

    perturbation: str
    unit: str
    strength: float
    images: int
    auc: Interval | None
    sensitivity: Interval | None
    specificity: Interval | None
    auc_before: float | None
    flips: Interval | None
    abstained: Interval | None
    error_answered: Interval | None
    shift: float


@dataclass(frozen=True, slots=True)
class Robustness:
    """All strengths, as written to `folder`."""

    strengths: tuple[Strength, ...]
    model: str
    operating_point: str
    folder: Path
    unreadable: tuple[str, ...] = ()
    """Files that could not be read and were left out."""
    seen: int | None = 0
    """Images that the model was trained on; above 0 the figures say nothing of new images."""
    passed_over: PassedOver = field(default_factory=PassedOver, compare=False)
    """What of a folder was not looked at, by reason."""

    def to_json(self) -> dict[str, object]:
        """Return the content of robustness.json."""
        return {
            "notice": RESEARCH_USE_ONLY,
            "model": self.model,
            "operating_point": self.operating_point,
            "seen": self.seen,
            "strengths": [asdict(each) for each in self.strengths],
        }


@one_writer
def measure_robustness(
    model: str | Path | None,
    data: Data,
    *,
    output: str | Path,
    operating_point: str = "balanced",
    allow_seen: bool = False,
    perturbations: Sequence[Perturbation] = PERTURBATIONS,
) -> Robustness:
    """Change images by degrees, and measure what becomes of the model's answers.

    Changes are made to the picture as read, before cropping and windowing, so that they say what
    a file that looked so would get.

    Parameters
    ----------
    model : path or None
        A model file; None and "packaged" are the one in the package.
    data : path or Manifest
        Labelled images that the model has not seen.
    output : path
        Folder for robustness.csv, robustness.json, and the figure as robustness.png and .svg.
    operating_point : str
        Whose threshold decides.
    allow_seen : bool
        Measure on images that the model was trained on all the same.
    perturbations : sequence of Perturbation
        What to do to them.

    Raises
    ------
    HonestyError
        If the model has seen images of `data`.
    InputError
        If no image can be read.
    """
    require("train", to="measure robustness", only=REPORTS)
    file = read_any(model_path(model))
    rule = rules.rule_of(file.metadata, operating_point)
    whole = prepare_manifest(data)
    manifest = whole.usable
    if len(manifest) == 0:
        raise InputError(f"{data} has no readable image. Expected labelled brain MRI slices.")
    cohort = {"data": named(data), "data_sha256": data_hash(manifest)}

    def same(there: Document) -> bool:
        # Former versions did not write what the cohort was.
        of_these = any(there.get(key, value) == value for key, value in cohort.items())
        return of_these and there.get("model") == file.metadata.id

    wanted = Path(output)
    refuse_others(wanted, {"robustness.json": same}, reading=folder_read(data), report=False)
    folder = output_folder(wanted)
    known = seen_before(manifest, file.metadata.seen)
    if known is None and not allow_seen:
        raise InputError(
            f"Whether {file.path.name} was trained on these images cannot be told: the model file "
            "holds no thumbprints. Expected a model file that knows its training images. Add "
            "--allow-seen to measure all the same."
        )
    seen = None if known is None else int(known.sum())
    if seen and not allow_seen:
        raise HonestyError(
            f"{seen} of {len(manifest)} images are copies of images of this model's training "
            "and tuning. Expected images that it has not seen, because it answers those well "
            "however they look. Add --allow-seen to measure all the same, or leave them out: "
            f"{how_to_list_seen(file.path, manifest)}"
        )
    how = file.metadata.preprocessing.preprocessing
    engine = open_engine(file)
    pictures = [read_slice(manifest.file(row)).pixels for row in manifest.rows]

    def ask(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
        parts = [engine.run(pixels[each]) for each in batches(np.arange(len(pixels)), BATCH)]
        return np.concatenate([part.probability for part in parts]).astype(np.float64)

    def answers(perturbation: Perturbation | None, strength: float) -> NDArray[np.float64]:
        """Return the probability of each image after a change; NaN where it cannot be made."""
        with ThreadPoolExecutor(cores()) as pool:
            changed = list(
                pool.map(
                    lambda index: _changed(pictures[index], perturbation, strength, index, how),
                    range(len(pictures)),
                )
            )
        found = np.full(len(pictures), np.nan)
        made = [index for index, each in enumerate(changed) if each is not None]
        if made:
            found[made] = ask(np.stack([each for each in changed if each is not None]))
        return found

    before = answers(None, 0.0)
    labels, groups = manifest.labels, manifest.groups
    todo = [(each, strength) for each in perturbations for strength in each.strengths]
    strengths = [_measure("none", "", 0.0, labels, groups, before, before, rule)]
    for perturbation, strength in track(todo, "Changing images", unit="changes"):
        after = answers(perturbation, strength)
        made = np.isfinite(after)
        if not made.any():
            say(
                f"Left out: {perturbation.name} {strength:g}, which can be made of none of the "
                f"{len(labels)} images."
            )
            continue
        strengths.append(
            _measure(
                perturbation.name,
                perturbation.unit,
                strength,
                labels[made],
                groups[made],
                before[made],
                after[made],
                rule,
            )
        )
    result = Robustness(
        tuple(strengths),
        file.metadata.id,
        operating_point,
        folder,
        whole.unreadable,
        seen,
        whole.notes.passed_over,
    )
    write_csv(folder / "robustness.csv", tuple(_record(strengths[0])), map(_record, strengths))
    write_json(folder / "robustness.json", {**result.to_json(), **cohort})
    draw(RobustnessDisplay([_record(each) for each in strengths]), "", stem=folder / "robustness")
    return result


def _changed(
    pixels: NDArray[np.uint8],
    perturbation: Perturbation | None,
    strength: float,
    index: int,
    how: Preprocessing,
) -> NDArray[np.uint8] | None:
    changed: NDArray[np.uint8] | None = pixels
    if perturbation is not None:
        changed = perturbation.change(pixels, strength, np.random.default_rng([0, index]))
    return None if changed is None else prepare(Slice(pixels=changed, source=""), how)


def _measure(
    name: str,
    unit: str,
    strength: float,
    labels: NDArray[np.int64],
    groups: NDArray[np.str_],
    before: NDArray[np.float64],
    after: NDArray[np.float64],
    rule: DecisionRule,
) -> Strength:
    calls, answered = rule.calls(after), rule.answers(after) != ABSTAINED
    flipped = calls != rule.calls(before)
    both = 0 < labels.sum() < len(labels)

    def auc(index: NDArray[np.intp]) -> float:
        truth = labels[index]
        if not 0 < truth.sum() < len(truth):
            return float("nan")
        return auc_and_variance(truth, after[index])[0]

    def share(events: NDArray[np.bool_], among: NDArray[np.bool_]) -> Interval | None:
        def of(index: NDArray[np.intp]) -> float:
            chosen = among[index]
            return float(events[index][chosen].mean()) if chosen.any() else float("nan")

        return _resampled(of, groups, among)

    flips = None
    if name != "none":
        flips = share(flipped, np.ones_like(flipped))
        flips = flips or Interval(float(flipped.mean()), 0.0, 1.0, "one group")
    smaller = labels == (1 if 2 * labels.sum() <= len(labels) else 0)
    return Strength(
        perturbation=name,
        unit=unit,
        strength=float(strength),
        images=len(labels),
        auc=_resampled(auc, groups, smaller) if both else None,
        sensitivity=share(calls, labels == 1),
        specificity=share(~calls, labels == 0),
        auc_before=auc_and_variance(labels, before)[0] if both else None,
        flips=flips,
        abstained=share(~answered, np.ones_like(answered)),
        error_answered=share(calls != (labels == 1), answered),
        shift=float(np.abs(after - before).mean()),
    )


def _resampled(
    statistic: Callable[[NDArray[np.intp]], float],
    groups: NDArray[np.str_],
    among: NDArray[np.bool_],
) -> Interval | None:
    """Return an interval from resampling groups; None where too few can tell.

    A figure that no resample changes, such as "never wrong", has no bootstrap interval; how many
    groups say so bounds it instead.
    """
    count = len(set(groups[among].tolist()))
    if count < 2:
        return None
    found = cluster_bootstrap(statistic, groups, n_resamples=RESAMPLES)
    if found.low < found.high:
        return found
    bounds = wilson(found.value * count, count)
    return Interval(found.value, bounds.low, bounds.high, "Wilson score on groups")


def _record(found: Strength) -> dict[str, object]:
    record: dict[str, object] = {
        "perturbation": found.perturbation,
        "unit": found.unit,
        "strength": f"{found.strength:g}",
        "images": found.images,
    }
    for name in ("auc", "sensitivity", "specificity", "flips", "abstained", "error_answered"):
        interval: Interval | None = getattr(found, name)
        for part in ("value", "low", "high"):
            column = name if part == "value" else f"{name}_{part}"
            record[column] = "" if interval is None else f"{getattr(interval, part):.3f}"
    record["auc_before"] = "" if found.auc_before is None else f"{found.auc_before:.3f}"
    record["shift"] = f"{found.shift:.3f}"
    return record

"""What a model says of the same images when they look as if they came from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.ask import ask
from tumorscope.assessment.changed_answers import Strength, compare_answers
from tumorscope.assessment.seen import refuse_known
from tumorscope.assessment.subject import Subject, images_for
from tumorscope.assessment.thumbprints import seen_before
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.cohort.overwriting import Document, refuse_others
from tumorscope.common.cores import in_threads
from tumorscope.common.csv_files import write_csv
from tumorscope.common.extras import REPORTS, require
from tumorscope.common.files import output_folder, write_json
from tumorscope.common.locks import one_writer
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import say, track
from tumorscope.detection import rules
from tumorscope.detection.detector import model_path
from tumorscope.detection.engines import open_engine
from tumorscope.detection.engines.base import Engine
from tumorscope.imaging import Preprocessing, Slice, prepare
from tumorscope.imaging.passed_over import PassedOver
from tumorscope.imaging.read import Opened, open_image
from tumorscope.model_file.decision import DecisionRule
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.model_file.other_formats import read_any
from tumorscope.model_file.schema import InputCheck
from tumorscope.records.evaluation_folder import folder_read, named
from tumorscope.records.protocol import data_hash
from tumorscope.reports.displays.robustness import RobustnessDisplay
from tumorscope.reports.drawing import draw
from tumorscope.synthetic.perturbations import PERTURBATIONS, Perturbation


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
    """Images that the model was trained on; above 0 the results say nothing of new images."""
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
    images = images_for(Subject(file.path, None, file), data)
    cohort = {"data": named(data), "data_sha256": data_hash(images.manifest)}
    folder = _folder(Path(output), data, file, cohort)
    seen = seen_before(images.manifest, file.metadata.seen)
    refuse_known(file.path, images.manifest, seen, allow_seen=allow_seen)
    result = Robustness(
        strengths=tuple(_strengths(_Asked.of(file, images.manifest), rule, perturbations)),
        model=file.metadata.id,
        operating_point=operating_point,
        folder=folder,
        unreadable=images.unreadable,
        seen=None if seen is None else int(seen.sum()),
        passed_over=images.passed_over,
    )
    _write(result, cohort)
    return result


def _write(result: Robustness, cohort: Mapping[str, str]) -> None:
    records = [each.to_record() for each in result.strengths]
    write_csv(result.folder / "robustness.csv", tuple(records[0]), records)
    write_json(result.folder / "robustness.json", {**result.to_json(), **cohort})
    draw(RobustnessDisplay(records), "", stem=result.folder / "robustness")


def _folder(wanted: Path, data: Data, file: ModelFile, cohort: Mapping[str, str]) -> Path:
    """Create the folder, where it holds nothing but such a measurement of the same."""

    def same(there: Document) -> bool:
        # Former versions did not write what the cohort was.
        of_these = any(there.get(key, value) == value for key, value in cohort.items())
        return of_these and there.get("model") == file.metadata.id

    refuse_others(wanted, {"robustness.json": same}, reading=folder_read(data), report=False)
    return output_folder(wanted)


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """A model, and the pictures that it is asked about again and again."""

    engine: Engine
    how: Preprocessing
    check: InputCheck
    pictures: Sequence[Opened]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]

    @classmethod
    def of(cls, file: ModelFile, manifest: Manifest) -> _Asked:
        pictures = [open_image(manifest.file(row)) for row in manifest.rows]
        metadata, engine = file.metadata, open_engine(file)
        how = metadata.preprocessing.preprocessing
        check = metadata.input_check
        return cls(engine, how, check, pictures, manifest.labels, manifest.groups)

    def answers(
        self, perturbation: Perturbation | None, strength: float
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the probability of each image after a change, and whether it is refused.

        NaN and False where the change cannot be made.
        """

        def changed(index: int) -> tuple[NDArray[np.uint8], bool] | None:
            opened = self.pictures[index]
            pixels: NDArray[np.uint8] | None = opened.slice.pixels
            if perturbation is not None:
                draws = np.random.default_rng([0, index])
                pixels = perturbation.change(opened.slice.pixels, strength, draws)
            if pixels is None:
                return None
            scan = Slice(pixels=pixels, source="")
            reasons = rules.input_reasons(
                scan, self.check, coloured=opened.coloured, damaged=opened.damaged
            )
            return prepare(scan, self.how), bool(reasons)

        prepared = in_threads(changed, range(len(self.pictures)))
        found, refused = np.full(len(prepared), np.nan), np.zeros(len(prepared), dtype=bool)
        made = np.array([each is not None for each in prepared])
        if made.any():
            outputs = ask(self.engine, np.stack([each[0] for each in prepared if each is not None]))
            early = np.array([each[1] for each in prepared if each is not None])
            found[made] = outputs.probability
            refused[made] = self.check.too_far(outputs.distance) | early
        return found, refused


def _strengths(
    asked: _Asked, rule: DecisionRule, perturbations: Sequence[Perturbation]
) -> Iterator[Strength]:
    """Yield what each change does, after the images as they are."""
    before, refused = asked.answers(None, 0.0)
    labels, groups = asked.labels, asked.groups
    yield compare_answers("none", "", 0.0, labels, groups, before, before, rule, refused)
    todo = [(each, strength) for each in perturbations for strength in each.strengths]
    for perturbation, strength in track(todo, "Changing images", unit="changes"):
        after, refused = asked.answers(perturbation, strength)
        made = np.isfinite(after)
        if not made.any():
            say(
                f"Left out: {perturbation.name} {strength:g}, which can be made of none of the "
                f"{len(labels)} images."
            )
            continue
        yield compare_answers(
            perturbation.name,
            perturbation.unit,
            strength,
            labels[made],
            groups[made],
            before[made],
            after[made],
            rule,
            refused[made],
        )

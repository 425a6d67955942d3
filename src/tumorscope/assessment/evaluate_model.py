"""A model file and a cohort → a report; the model's own thumbprints say what it has seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.ask import ask, write_scores
from tumorscope.assessment.context import measured_by, notes_on, picture_reader
from tumorscope.assessment.evaluation import Evaluation
from tumorscope.assessment.seen import how_to_list_seen
from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.facts import cohort_facts
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.common.extras import REPORTS, require
from tumorscope.common.files import output_folder
from tumorscope.common.locks import one_writer
from tumorscope.detection import rules
from tumorscope.detection.detector import PACKAGED, PACKAGED_NAME, model_path
from tumorscope.model_file.other_formats import read_any
from tumorscope.model_file.schema import Metadata
from tumorscope.recipes.recipe import Recipe
from tumorscope.records.commands import evaluation_command
from tumorscope.records.evaluation_folder import Asked, folder_of_its_own, named, refuse_lying
from tumorscope.records.protocol import data_hash
from tumorscope.reports.inputs import ReportInputs
from tumorscope.reports.report import write_report


@one_writer
def evaluate_model(
    model: str | Path,
    data: Data,
    *,
    output: str | Path | None = None,
    allow_seen: bool = False,
    operating_point: str = "balanced",
) -> Evaluation:
    """Measure a model file on a cohort that it has not seen.

    Every readable image is scored, also those that the model would refuse or abstain on, so that
    the figures cannot be improved by refusing; how often it does is told beside them.

    Parameters
    ----------
    model : path
        A model file of any format that tumorscope writes, or "packaged", the one in the package.
    data : path or Manifest
        Labelled images.
    output : path, optional
        Folder for report.html, metrics.json, scores.csv and figures/; ``NAME-evaluation`` in the
        current folder by default, numbered where the report on another cohort lies there.
    allow_seen : bool
        Score images that the model was trained on all the same; the report says so in its title.
    operating_point : str
        Whose threshold parts the classes.

    Returns
    -------
    Evaluation
        Metrics and the report's path.

    Raises
    ------
    HonestyError
        If `data` holds images that the model was trained on, or copies of them: re-encoded,
        resized, mirrored or turned by quarters.
    InputError
        If the model or the data cannot be used.
    UsageError
        If the model has no such operating point.
    """
    require("train", to="evaluate a model", only=REPORTS)
    file = read_any(model_path(model))
    metadata = file.metadata
    rules.rule_of(metadata, operating_point)
    whole = prepare_manifest(data)
    manifest = whole.usable
    if len(manifest) == 0:
        raise InputError(f"{data} has no readable image. Expected labelled brain MRI slices.")
    usual = Path(f"{metadata.name}-evaluation")
    wanted = Path(output) if output else folder_of_its_own(usual, manifest, metadata.id)
    asked = Asked(file.path, data, manifest, model=metadata.id)
    refuse_lying(wanted, asked)  # before all images are asked of
    said = ask(file, manifest, operating_point=operating_point)
    warning = refuse_known(file.path, manifest, said.seen, allow_seen=allow_seen)
    folder = output_folder(wanted)
    write_scores(folder / "scores.csv", manifest, said)
    sources = np.array([row.source for row in manifest.rows])
    title = f"External testing of the model {metadata.id} on {', '.join(sorted(set(sources)))}"
    metrics = write_report(
        ReportInputs(
            title=title + (" — with images it was trained on" if warning else ""),
            paths=[row.path for row in manifest.rows],
            labels=manifest.labels,
            scores=said.scores,
            groups=manifest.groups,
            sources=sources,
            threshold=metadata.operating_points[operating_point].threshold,
            external=True,
            made_by="random" if metadata.data.get("split") == "random" else "grouped",
            split_sizes=_split_sizes(metadata),
            answers=said.answers,
            pixels=picture_reader(manifest),
            recipe=metadata.recipe,
            facts=_facts(metadata, operating_point),
            cohort=cohort_facts(whole, splits=False),
            notes=_on_recipe(metadata),
            warning=warning,
            command=evaluation_command(
                file.path, named(data), output=folder, allow_seen=allow_seen
            ),
            subject=PACKAGED_NAME if file.path == PACKAGED else str(file.path),
            data_sha256=data_hash(manifest),
        ),
        folder,
    )
    return Evaluation(
        metrics=metrics,
        report=folder / "report.html",
        unreadable=whole.unreadable,
        passed_over=whole.notes.passed_over,
    )


def _on_recipe(metadata: Metadata) -> list[str]:
    """Return the notes on a model's recipe, which another version of tumorscope may have written.

    Nothing is measured by it: a detector is whole without.
    """
    try:
        return notes_on(Recipe.parse(dict(metadata.recipe)))
    except InputError as error:
        return [f"The recipe is of another version, so nothing is told of it. {error}"]


def refuse_known(
    model: Path, manifest: Manifest, seen: NDArray[np.bool_] | None, *, allow_seen: bool
) -> str | None:
    """Return what to warn of where a model's thumbprints know images; None where they do not.

    Raises
    ------
    HonestyError
        If they do, and `allow_seen` is false.
    """
    if seen is None:
        unknown = (
            "Whether the model was trained on these images cannot be told: its file holds no "
            "thumbprints"
        )
        if allow_seen:
            return f"{unknown}. These figures may be too good."
        raise InputError(
            f"{unknown}. Expected a model file that knows its training images. Export it again "
            "from its run, or add --allow-seen to score the images in a report that says so."
        )
    if not seen.any():
        return None
    first = manifest.rows[int(np.flatnonzero(seen)[0])].path
    message = (
        f"{int(seen.sum())} of {len(manifest)} images are copies of images of this model's "
        f"training and tuning, the first of them {first}"
    )
    if not allow_seen:
        raise HonestyError(
            f"{message}. Expected images that the model has not seen: a score on these says "
            "nothing of new patients. Add --allow-seen to score them in a report that says so, or "
            f"leave them out: {how_to_list_seen(model, manifest)}"
        )
    return f"{message}. These figures are too good."


def _facts(metadata: Metadata, operating_point: str) -> Mapping[str, str]:
    return {
        "model": metadata.id,
        "made": metadata.created,
        "precision": metadata.precision,
        "operating point": operating_point,
        "trained on (hash of the data)": str(metadata.data.get("sha256", "")),
        **{f"made with: {name}": version for name, version in metadata.versions.items()},
        **measured_by(),
    }


def _split_sizes(metadata: Metadata) -> dict[str, int]:
    images = metadata.data.get("images")
    return {name: int(str(n)) for name, n in images.items()} if isinstance(images, dict) else {}

"""The thumbprints by which a run knows its training images, and those of its starting weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest
from tumorscope.common.cores import in_threads
from tumorscope.common.errors import InputError
from tumorscope.common.files import write_json
from tumorscope.detection.detector import PACKAGED
from tumorscope.detection.seen import SeenImages
from tumorscope.duplicates.enrolment import remembered
from tumorscope.duplicates.marks import Marks
from tumorscope.imaging import read_slice
from tumorscope.model_file.onnx_file import read_model
from tumorscope.model_file.schema import Prints, TrainingThumbprints
from tumorscope.recipes.origin import Weights
from tumorscope.records.run_folder import Run

KEPT = "seen.json"
"""Thumbprints of a run that has no model file."""


def marks_of(manifest: Manifest) -> list[Marks]:
    """Return what is to be kept of each image of a manifest, uint64 (k, 12)."""
    return in_threads(lambda row: remembered(read_slice(manifest.file(row))), manifest.rows)


def seen_before(manifest: Manifest, seen: TrainingThumbprints) -> NDArray[np.bool_] | None:
    """Return which images are known, bool (n,); None where no image is known to compare with."""
    known = SeenImages(seen)
    if not known.count:
        return None
    found = in_threads(
        lambda row: bool(known.holds(read_slice(manifest.file(row)))),
        manifest.rows,
        "Looking for seen images",
    )
    return np.array(found, dtype=np.bool_)


def keep_thumbprints(
    run: Path, manifest: Manifest, inherited: Sequence[Prints], *, remember: bool = True
) -> None:
    """Write the thumbprints of a run's training and tuning images into its folder.

    With `remember` false, only that they were withheld.
    """
    seen = TrainingThumbprints(withheld=True)
    if remember:
        seen = TrainingThumbprints.of(marks_of(manifest.usable.of_split("training", "tuning")))
    seen = seen.model_copy(update={"inherited": tuple(inherited)})
    write_json(run / KEPT, seen.model_dump(mode="json"))


def seen_by(run: Run) -> TrainingThumbprints | None:
    """Return the thumbprints that a run keeps; None where it keeps none, or those of other data.

    Those of starting weights are told apart also where an older version wrote them in one list.
    """
    for seen in _kept(run):
        own = len(run.manifest.usable.of_split("training", "tuning"))
        if seen.count <= own or seen.inherited:
            return seen
        prints = seen.unpack()
        return TrainingThumbprints.pack(prints[:own]).model_copy(
            update={"inherited": (Prints.pack(prints[own:]),)}
        )
    return None


def _kept(run: Run) -> Iterator[TrainingThumbprints]:
    with suppress(OSError, ValueError):  # pydantic's errors are ValueErrors
        yield TrainingThumbprints.model_validate_json((run.folder / KEPT).read_text("utf-8"))
    try:
        metadata = read_model(run.folder / "model.onnx").metadata
    except InputError:
        return
    if metadata.data.get("sha256") == run.record.data_sha256:
        yield metadata.seen


def prints_of(weights: Weights, *, run: Run | None = None) -> tuple[Prints, ...] | None:
    """Return the thumbprints that a run inherits from its starting weights.

    None where they are not known: the package holds another model than the run started from, and
    the run does not remember.
    """
    if weights.kind != "mri":
        return ()
    packaged = read_model(PACKAGED).metadata
    if weights.digest == packaged.graph_sha256:
        return packaged.seen.lists or None
    kept = seen_by(run) if run is not None else None
    return (kept.inherited if kept is not None else ()) or None

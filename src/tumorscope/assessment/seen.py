"""What a run has seen, asked of the images that it is to be measured on.

Three things tell a copy of a training image: the file itself, where it still lies where it lay,
by the audit's search; its thumbprint, which the run keeps; and its hash. A training image of
which there is no picture and no thumbprint may be copied among the images in question without
anybody knowing, so that is counted and refused, not taken for "not seen".
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.auditing.overlap import overlap
from tumorscope.cohort.manifest import Manifest
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.common.files import write_json
from tumorscope.detection.seen import SeenImages
from tumorscope.duplicates.pairs import in_threads
from tumorscope.duplicates.thumbprint import BYTES, thumbprint
from tumorscope.imaging import read_slice
from tumorscope.model_file.onnx_file import read_model
from tumorscope.model_file.schema import Prints, Seen

if TYPE_CHECKING:
    from tumorscope.records.run_folder import Run

KEPT = "seen.json"
"""Thumbprints of a run that has no model file."""


def thumbprints_of(manifest: Manifest) -> NDArray[np.uint8]:
    """Return the thumbprints, uint8 (n, 104), of all images of a manifest."""
    prints = in_threads(lambda row: thumbprint(read_slice(manifest.file(row))), manifest.rows)
    return np.stack(prints) if prints else np.empty((0, BYTES), dtype=np.uint8)


def seen_before(manifest: Manifest, seen: Seen) -> NDArray[np.bool_] | None:
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


def how_to_list_seen(model: Path, manifest: Manifest) -> str:
    """Return what lists the images of a cohort that a model file knows, command last."""
    # The images of a table may lie elsewhere than the table.
    folder = os.path.commonpath([manifest.file(row).absolute().parent for row in manifest.rows])
    command = ["tumorscope", "predict", folder, "--model", str(model), "-o", "seen.csv"]
    return f"the column seen of seen.csv marks them. Run: {shlex.join(command)}"


def keep_thumbprints(run: Path, manifest: Manifest, inherited: Sequence[Prints]) -> None:
    """Write the thumbprints of a run's training and tuning images into its folder."""
    prints = thumbprints_of(manifest.usable.of_split("training", "tuning"))
    seen = Seen.pack(prints).model_copy(update={"inherited": tuple(inherited)})
    write_json(run / KEPT, seen.model_dump(mode="json"))


def seen_by(run: Run) -> Seen | None:
    """Return the thumbprints that a run keeps; None where it keeps none, or those of other data.

    Those of starting weights are told apart also where an older version wrote them in one list.
    """
    for seen in _kept(run):
        own = len(run.manifest.usable.of_split("training", "tuning"))
        if seen.count <= own or seen.inherited:
            return seen
        prints = seen.unpack()
        return Seen.pack(prints[:own]).model_copy(
            update={"inherited": (Prints.pack(prints[own:]),)}
        )
    return None


def _kept(run: Run) -> Iterator[Seen]:
    with suppress(OSError, ValueError):  # pydantic's errors are ValueErrors
        yield Seen.model_validate_json((run.folder / KEPT).read_text("utf-8"))
    try:
        metadata = read_model(run.folder / "model.onnx").metadata
    except InputError:
        return
    if metadata.data.get("sha256") == run.record.data_sha256:
        yield metadata.seen


def refuse_trained_on(
    run: Run, manifest: Manifest, *, data: str | None = None, allow_seen: bool
) -> str | None:
    """Return what to warn of where images were, or may have been, seen in training.

    Parameters
    ----------
    run : Run
        Whose training and tuning images are looked for.
    manifest : Manifest
        The images to measure on.
    data : str, optional
        How they were named, for the command that lists the seen ones; their folder by default.
    allow_seen : bool
        Warn instead of refusing.

    Raises
    ------
    HonestyError
        If some were seen, and `allow_seen` is false.
    InputError
        If that cannot be told of all training images, and `allow_seen` is false.
    """
    known = run.manifest.usable.of_split("training", "tuning")
    found = overlap(known, manifest)
    kept = seen_by(run)
    copies = {path: f"matches {paths[0]}" for path, paths in found.matches.items()}
    if kept is not None:
        marked = seen_before(manifest, kept)
        for index in [] if marked is None else np.flatnonzero(marked).tolist():
            path = manifest.rows[index].path
            copies.setdefault(path, "matches a thumbprint that the run keeps")
    if copies:
        listing = [data or str(manifest.root), "--against", str(run.folder / "manifest.csv")]
        folder = f"{manifest.root.absolute().name or 'cohort'}-audit"
        command = shlex.join(["tumorscope", "audit", *listing, "-o", folder])
        by_print = [path for path in copies if path not in found.matches]
        return _seen(copies, len(manifest), command, folder, by_print, allow_seen=allow_seen)
    blind = (*found.by_bytes, *found.not_at_all)
    if not blind or (kept is not None and kept.count >= len(known)):
        return None
    message = (
        f"Whether these images are copies of what this model was trained on cannot be told: "
        f"{len(blind)} of the {len(known)} images of its training and tuning are gone, changed or "
        f"unreadable, the first of them {blind[0]}, and {run.folder} keeps no thumbprints of them"
    )
    if not allow_seen:
        raise InputError(
            f"{message}. Expected the files as {run.folder / 'manifest.csv'} lists them. Put them "
            "back, or add --allow-seen to score the images in a report that says so."
        )
    return f"{message}. These figures may be too good."


def _seen(
    copies: dict[str, str],
    among: int,
    command: str,
    folder: str,
    by_print: Sequence[str],
    *,
    allow_seen: bool,
) -> str:
    first = next(iter(copies))
    message = (
        f"{len(copies)} of {among} images are of this model's training and tuning (used "
        f"to train or tune it), or near-duplicates of such images: {first} {copies[first]}"
        + (" …" if len(copies) > 1 else "")
    )
    alone = ""
    if by_print:
        alone = (
            f"{len(by_print)} of them are known by their thumbprints alone, which it may not find: "
            f"{', '.join(by_print[:5])}{' …' if len(by_print) > 5 else ''}. "
        )
    if not allow_seen:
        raise HonestyError(
            f"{message}. Expected images that the model has not seen: a score on these says "
            "nothing of new patients. Add --allow-seen to score them in a report that says so, or "
            f"leave them out: the command below flags them as overlap in {folder}/manifest.csv; "
            f"delete those rows and evaluate on that file. {alone}Run: {command}"
        )
    return f"{message}. These figures are too good."

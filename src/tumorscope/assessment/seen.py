"""A model is not measured on images that it has seen: they are refused here, or warned of.

Three things show that an image is a copy of a training image: the training file itself, if it is
still in its place, by the audit's search; its thumbprint, which a run or a model file keeps; and
its hash. Where a training image has left neither file nor thumbprint, nobody can know whether it
has a copy among the images in question; that is counted and refused, not taken for "not seen".

`tumorscope.detection.seen` answers for one image by thumbprints alone;
`tumorscope.assessment.thumbprints` has the thumbprints of runs. Here is what follows from them.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.thumbprints import prints_of, seen_before, seen_by
from tumorscope.auditing.overlap import overlap
from tumorscope.cohort.manifest import Manifest
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.common.words import some_of
from tumorscope.model_file.schema import TrainingThumbprints
from tumorscope.recipes.origin import Weights
from tumorscope.records.edited import Edited
from tumorscope.records.run_folder import Run

EXPECTED = (
    "Expected images that the model has not seen: a score on these says nothing of new patients. "
    "Add --allow-seen to measure on them all the same; the results then say so. Or"
)


def refuse_known(
    model: Path, manifest: Manifest, seen: NDArray[np.bool_] | None, *, allow_seen: bool
) -> str | None:
    """Return what to warn of where a model file knows images; None where it knows none.

    Parameters
    ----------
    model : Path
        The file, for the command that lists the images.
    manifest : Manifest
        The images to measure on.
    seen : ndarray of bool, shape (n,), or None
        What the model's thumbprints know; None where it has none.
    allow_seen : bool
        Warn instead of refusing.

    Raises
    ------
    HonestyError
        If it knows some, and `allow_seen` is false.
    InputError
        If it has no thumbprints, and `allow_seen` is false.
    """
    if seen is None:
        return _refuse(
            "Whether the model was trained on these images cannot be told: its file holds no "
            "thumbprints",
            "Expected a model file that knows its training images. Export it again from its run, "
            "unless the recipe says remember = false, or add --allow-seen to measure all the same; "
            "the results then say so.",
            certain=False,
            allow_seen=allow_seen,
        )
    if not seen.any():
        return None
    first = manifest.rows[int(np.flatnonzero(seen)[0])].path
    message = (
        f"{int(seen.sum())} of {len(manifest)} images are copies of images of this model's "
        f"training and tuning, the first of them {first}"
    )
    return _refuse(
        message,
        f"{EXPECTED} leave them out: {_how_to_list_seen(model, manifest)}",
        certain=True,
        allow_seen=allow_seen,
    )


def _how_to_list_seen(model: Path, manifest: Manifest) -> str:
    """Return what lists the images of a cohort that a model file knows, command last."""
    # The images of a table may lie elsewhere than the table.
    folder = os.path.commonpath([manifest.file(row).absolute().parent for row in manifest.rows])
    command = ["tumorscope", "predict", folder, "--model", str(model), "-o", "seen.csv"]
    return f"the column seen of seen.csv marks them. Run: {shlex.join(command)}"


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
        If that cannot be known of all training images, and `allow_seen` is false.
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
        by_print = [path for path in copies if path not in found.matches]
        return _refuse_copies(run, manifest, data, copies, by_print, allow_seen=allow_seen)
    blind = (*found.by_bytes, *found.not_at_all)
    if not blind or (kept is not None and kept.count >= len(known)):
        return None
    message = (
        f"Whether these images are copies of what this model was trained on cannot be told: "
        f"{len(blind)} of the {len(known)} images of its training and tuning are gone, changed or "
        f"unreadable, the first of them {blind[0]}, and {run.folder} keeps no thumbprints of them"
    )
    return _refuse(
        message,
        f"Expected the files as {run.folder / 'manifest.csv'} lists them. Put them back, or add "
        "--allow-seen to score the images in a report that says so.",
        certain=False,
        allow_seen=allow_seen,
    )


def _refuse_copies(
    run: Run,
    manifest: Manifest,
    data: str | None,
    copies: dict[str, str],
    by_print: Sequence[str],
    *,
    allow_seen: bool,
) -> str:
    first = next(iter(copies))
    message = (
        f"{len(copies)} of {len(manifest)} images are of this model's training and tuning (used "
        f"to train or tune it), or near-duplicates of such images: {first} {copies[first]}"
        + (" …" if len(copies) > 1 else "")
    )
    alone = ""
    if by_print:
        alone = (
            f"{len(by_print)} of them are known by their thumbprints alone, which it may not find: "
            f"{', '.join(by_print[:5])}{' …' if len(by_print) > 5 else ''}. "
        )
    listing = [data or str(manifest.root), "--against", str(run.folder / "manifest.csv")]
    folder = f"{manifest.root.absolute().name or 'cohort'}-audit"
    command = shlex.join(["tumorscope", "audit", *listing, "-o", folder])
    return _refuse(
        message,
        f"{EXPECTED} leave them out: the command below flags them as overlap in "
        f"{folder}/manifest.csv; delete those rows and evaluate on that file. {alone}Run: "
        f"{command}",
        certain=True,
        allow_seen=allow_seen,
    )


def refuse_moved(run: Run, edited: Edited, *, allow_seen: bool) -> str | None:
    """Return what to warn of where a run's testing images trained or tuned it; None where none did.

    Parameters
    ----------
    run : Run
    edited : Edited
        What its manifest.csv says now, beside what the run recorded.
    allow_seen : bool
        Warn instead of refusing.

    Raises
    ------
    HonestyError
        If some did, and `allow_seen` is false.
    """
    if not edited.trained:
        return None
    return _refuse(
        f"{len(edited.trained)} of the {edited.images} images that {run.folder / 'manifest.csv'} "
        "calls testing now were in the training or tuning part when the run was trained "
        f"({some_of(edited.trained)})",
        f"{EXPECTED} put their column split back, or train again from that file: tumorscope train "
        f"{shlex.quote(str(run.folder / 'manifest.csv'))} -o NEW",
        certain=True,
        allow_seen=allow_seen,
    )


def refuse_seen(
    weights: Weights,
    manifest: Manifest,
    purpose: str,
    *,
    allow_seen: bool = False,
    run: Run | None = None,
) -> str | None:
    """Return what to warn of where the starting weights have seen images; None where not.

    Parameters
    ----------
    weights : Weights
        That a network starts, or started, from.
    manifest : Manifest
        The images to measure on.
    purpose : str
        What would measure, in words.
    allow_seen : bool
        Warn instead of refusing.
    run : Run, optional
        That started from these weights: it remembers them where the package has others by now.

    Raises
    ------
    HonestyError
        If `weights` start from the packaged model, it was trained on images of `manifest`, and
        `allow_seen` is false.
    InputError
        If nobody knows what the weights have seen, and `allow_seen` is false.
    """
    if weights.kind != "mri" or not len(manifest):
        return None
    prints = prints_of(weights, run=run)
    seen = seen_before(manifest, TrainingThumbprints(inherited=prints or ()))
    if seen is None:
        return _refuse(
            f"What the weights “{weights.words}” were trained on is not known: neither the model "
            "in the package nor the run holds their thumbprints",
            "Expected them, because results on images that the weights have seen say nothing of "
            "new patients. Use --weights imagenet, install the version of tumorscope that made "
            "the run, or, where there is the option, add --allow-seen.",
            certain=False,
            allow_seen=allow_seen,
        )
    if not seen.any():
        return None
    if allow_seen:
        return (
            f"{int(seen.sum())} of these {len(manifest)} images trained the weights that this run "
            "started from. These results say nothing about new images."
        )
    first = manifest.rows[int(np.flatnonzero(seen)[0])].path
    raise HonestyError(
        f"The weights mri were trained on {int(seen.sum())} of {len(manifest)} images that "
        f"{purpose} would measure on, the first of them {first}. Expected images that they "
        "have not seen: results on these say nothing of new patients. Use --weights "
        "imagenet, or keep those images in the training part (column split of the manifest)."
    )


def _refuse(message: str, what_to_do: str, *, certain: bool, allow_seen: bool) -> str:
    """Return a warning where measuring is allowed all the same; refuse otherwise."""
    if allow_seen:
        return f"{message}. These results {'are' if certain else 'may be'} too good."
    raise (HonestyError if certain else InputError)(f"{message}. {what_to_do}")

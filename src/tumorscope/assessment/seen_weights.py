"""What starting weights have already seen, asked of the images that are to be measured on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tumorscope.assessment.seen import seen_before, seen_by
from tumorscope.cohort.manifest import Manifest
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.detection.detector import PACKAGED
from tumorscope.model_file.onnx_file import read_model
from tumorscope.model_file.schema import Prints, Seen
from tumorscope.networks.weights_of_model_file import MRI
from tumorscope.recipes.origin import Weights

if TYPE_CHECKING:
    from tumorscope.records.run_folder import Run


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
    if weights.kind != MRI or not len(manifest):
        return None
    prints = prints_of(weights, run=run)
    seen = seen_before(manifest, Seen(inherited=prints or ()))
    if seen is None:
        unknown = (
            f"What the weights “{weights.words}” were trained on is not known: neither the model "
            "in the package nor the run holds their thumbprints"
        )
        if allow_seen:
            return f"{unknown}. These figures may be too good."
        raise InputError(
            f"{unknown}. Expected them, because a figure on images that the weights have seen says "
            "nothing of new patients. Use --weights imagenet, install the version of tumorscope "
            "that made the run, or, where there is the option, add --allow-seen."
        )
    if not seen.any():
        return None
    if allow_seen:
        return (
            f"{int(seen.sum())} of these {len(manifest)} images trained the weights that this run "
            "started from. These figures say nothing about new images."
        )
    first = manifest.rows[int(np.flatnonzero(seen)[0])].path
    raise HonestyError(
        f"The weights {MRI} were trained on {int(seen.sum())} of {len(manifest)} images that "
        f"{purpose} would measure on, the first of them {first}. Expected images that they "
        "have not seen: a figure on these says nothing of new patients. Use --weights "
        "imagenet, or keep those images in the training part (column split of the manifest)."
    )


def prints_of(weights: Weights, *, run: Run | None = None) -> tuple[Prints, ...] | None:
    """Return the thumbprints that a run inherits from its starting weights.

    None where they are not known: the package holds another model than the run started from, and
    the run does not remember.
    """
    if weights.kind != MRI:
        return ()
    packaged = read_model(PACKAGED).metadata
    if weights.digest == packaged.graph_sha256:
        return packaged.seen.lists or None
    kept = seen_by(run) if run is not None else None
    return (kept.inherited if kept is not None else ()) or None

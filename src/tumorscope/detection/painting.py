"""A slice under its evidence, with a ring around its peak, for every picture of a finding."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.detection.colours import blend, full_colour
from tumorscope.detection.evidence import evidence_field
from tumorscope.detection.peak import Peak, mark, peak_of
from tumorscope.imaging.preprocess import Preprocessing
from tumorscope.imaging.slice import Slice


def painted(
    grey: NDArray[np.uint8],
    scan: Slice,
    evidence: NDArray[np.float32],
    how: Preprocessing,
    *,
    temperature: float | None,
    radius: int,
) -> tuple[Image.Image, Peak | None]:
    """Return a slice under its evidence, and the peak around which there is a ring, if any.

    Parameters
    ----------
    grey : ndarray of uint8, shape (height, width)
        The slice in the size in which it is drawn.
    scan : Slice
        As it was read.
    evidence : ndarray of float32, shape (h, w)
        Over the network input.
    how : Preprocessing
        Of the model.
    temperature : float, optional
        Of a dense head; see `tumorscope.detection.evidence.temperature_of`.
    radius : int
        Of the ring, in pixels.
    """
    shape = (grey.shape[0], grey.shape[1])
    field = evidence_field(evidence, scan, how, shape=shape, temperature=temperature)
    full = full_colour(evidence.shape, temperature=temperature)
    picture = Image.fromarray(blend(grey, field / full))
    peak = peak_of(evidence, scan, how, temperature=temperature)
    if peak is not None:
        mark(picture, peak, radius=radius)
    return picture, peak

"""Slice + `Finding` → two small pictures side by side: as read, and with its evidence."""

from __future__ import annotations

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.detection.evidence import scaled
from tumorscope.detection.finding import Finding
from tumorscope.detection.painting import painted
from tumorscope.imaging.preprocess import Preprocessing
from tumorscope.imaging.slice import Slice

EDGE = 136
"""Pixels of the longer side of each of the two."""

GAP = 4
QUALITY = 70
"""Of the JPEG: some 4 KB for both pictures."""


def thumbnail(
    scan: Slice,
    finding: Finding,
    how: Preprocessing,
    *,
    temperature: float | None = None,
    edge: int = EDGE,
) -> bytes:
    """Return a JPEG of a slice and, beside it, of the slice with its evidence and their peak.

    Parameters
    ----------
    scan : Slice
        As it was read.
    finding : Finding
        Of that slice. Without evidence (refused), the slice alone is drawn.
    how : Preprocessing
        Of the model.
    temperature : float, optional
        Of a dense head; see `tumorscope.detection.evidence.temperature_of`.
    edge : int
        Pixels of the longer side of each of the two.

    Examples
    --------
    >>> from tumorscope.detection.detector import Detector
    >>> scan = Slice(np.zeros((300, 200), np.uint8), "black")
    >>> picture = thumbnail(scan, Detector.load().detect(scan), Preprocessing())
    >>> Image.open(io.BytesIO(picture)).size
    (91, 136)
    """
    grey = _small(scan.pixels, edge)
    panels = [np.repeat(grey[..., None], 3, axis=2)]
    if finding.evidence is not None:
        picture, _ = painted(grey, scan, finding.evidence, how, temperature=temperature, radius=8)
        panels += [np.zeros((grey.shape[0], GAP, 3), np.uint8), np.asarray(picture)]
    stream = io.BytesIO()
    Image.fromarray(np.concatenate(panels, axis=1)).save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def _small(pixels: NDArray[np.uint8], edge: int) -> NDArray[np.uint8]:
    """Shrink a picture; one that is smaller is enlarged, so that all cards look alike."""
    grey = scaled(pixels, longest=edge, shortest=edge)
    if min(grey.shape) >= 2:
        return grey
    # A line of pixels would not be seen.
    thick: NDArray[np.uint8] = cv2.resize(
        grey, (max(2, grey.shape[1]), max(2, grey.shape[0])), interpolation=cv2.INTER_NEAREST
    )
    return thick

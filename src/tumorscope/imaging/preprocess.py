"""`Slice` → network input. One implementation for training, audit, batch and server.

Two traps are handled here (see docs/how-to/read-the-audit.md): border, aspect ratio and mean
intensity tell the *source* of public images, and through it the label, so the crop and the window
can remove them; and every library resizes differently, so only this function resizes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging.histogram import counts_of, percentile
from tumorscope.imaging.slice import Slice


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a slice becomes network input; travels with every model.

    Attributes
    ----------
    size : int
        Edge length of the square output in pixels.
    crop : {"none", "head"}
        "head" cuts to the bounding box of what is brighter than air; see `head_box`.
    fit : {"stretch", "pad"}
        "stretch" ignores the aspect ratio, as the paper does; "pad" keeps it, on black.
    intensity : {"none", "percentile"}
        "percentile" maps the 1st and 99th percentile of the cropped pixels to 0 and 255.
    """

    size: int = 224
    crop: Literal["none", "head"] = "none"
    fit: Literal["stretch", "pad"] = "stretch"
    intensity: Literal["none", "percentile"] = "none"

    def to_dict(self) -> dict[str, int | str]:
        """Return the fields as plain values, for JSON and TOML."""
        return asdict(self)


SHORTCUT_FREE = Preprocessing(crop="head", fit="pad", intensity="percentile")
"""Removes border, aspect ratio and overall brightness."""


def prepare(scan: Slice, how: Preprocessing) -> NDArray[np.uint8]:
    """Turn a slice into network input.

    Shrinking averages areas (OpenCV ``INTER_AREA``), enlarging is bilinear.

    Parameters
    ----------
    scan : Slice
        The image.
    how : Preprocessing
        Size, crop, fit and intensity.

    Returns
    -------
    ndarray of uint8, shape (how.size, how.size)
        Grey values.

    Examples
    --------
    >>> import numpy as np
    >>> scan = Slice(np.full((10, 20), 100, np.uint8), source="")
    >>> pixels = prepare(scan, Preprocessing(size=4, fit="pad"))
    >>> pixels
    array([[  0,   0,   0,   0],
           [100, 100, 100, 100],
           [100, 100, 100, 100],
           [  0,   0,   0,   0]], dtype=uint8)
    """
    return prepare_at(placement(scan, how), scan, how)


def prepare_at(place: Placement, scan: Slice, how: Preprocessing) -> NDArray[np.uint8]:
    """Do what `prepare` does, where the placement is known already."""
    top, bottom, left, right = place.box
    pixels = scan.pixels[top:bottom, left:right]
    if how.intensity == "percentile":
        pixels = _window(pixels)
    return place_box(pixels, place, how.size)


def place_box(pixels: NDArray[np.uint8], place: Placement, size: int) -> NDArray[np.uint8]:
    """Return what was cut out by the box of a placement, resized and put in its place, on black."""
    resized = resize_to(pixels, place.height, place.width)
    if resized.shape == (size, size):
        return resized
    output = np.zeros((size, size), dtype=np.uint8)
    output[place.top : place.top + place.height, place.left : place.left + place.width] = resized
    return output


@dataclass(frozen=True, slots=True)
class Placement:
    """Which part of a slice goes where in the network input.

    Attributes
    ----------
    box : tuple of int
        top, bottom, left, right in pixels of the slice, half-open.
    top, left, height, width : int
        Where the box lies in the network input, in pixels of it.
    """

    box: tuple[int, int, int, int]
    top: int
    left: int
    height: int
    width: int


def placement(scan: Slice, how: Preprocessing) -> Placement:
    """Return where `prepare` takes its pixels from and puts them.

    Examples
    --------
    >>> import numpy as np
    >>> scan = Slice(np.full((10, 20), 100, np.uint8), source="")
    >>> placement(scan, Preprocessing(size=4, fit="pad"))
    Placement(box=(0, 10, 0, 20), top=1, left=0, height=2, width=4)
    """
    whole = (0, scan.pixels.shape[0], 0, scan.pixels.shape[1])
    box = head_box(scan.pixels) if how.crop == "head" else whole
    if how.fit == "stretch":
        return Placement(box, 0, 0, how.size, how.size)
    rows, columns = box[1] - box[0], box[3] - box[2]
    scale = how.size / max(rows, columns)
    height, width = max(1, round(rows * scale)), max(1, round(columns * scale))
    return Placement(box, (how.size - height) // 2, (how.size - width) // 2, height, width)


def head_box(pixels: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """Find the bounding box of the head: what is brighter than air, specks left out.

    The threshold is half of Otsu's on a smoothed copy, because Otsu separates bright tissue from
    dark tissue as readily as tissue from air. Gaps of 3 % of the edge are closed, and every
    component of at least 5 % of the largest counts, because skull and brain often come apart: with
    the largest component alone, 17 % of the paper's images got another box (overlap below 0.9) once
    re-encoded, resized and brightened; this way 3 % do. A box under a tenth of the image is taken
    for a failure.

    Returns
    -------
    tuple of int
        top, bottom, left, right, half-open; the whole image where no head stands out.

    Examples
    --------
    >>> import numpy as np
    >>> pixels = np.zeros((100, 100), np.uint8)
    >>> pixels[20:80, 30:70] = 120
    >>> head_box(pixels)
    (19, 81, 29, 71)
    """
    height, width = pixels.shape
    whole = (0, height, 0, width)
    if min(height, width) < 8:
        return whole
    scale = min(1.0, 256.0 / max(height, width))
    small = pixels
    if scale < 1.0:
        small = resize_to(pixels, max(1, round(height * scale)), max(1, round(width * scale)))
    smooth = cv2.GaussianBlur(small, (5, 5), 0)
    otsu, _ = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    _, bright = cv2.threshold(smooth, max(otsu * 0.5, 8.0), 1, cv2.THRESH_BINARY)
    gap = max(3, round(0.03 * max(bright.shape)) | 1)
    # Padded, or a head near the picture's edge would be closed up to the edge.
    padded = cv2.copyMakeBorder(bright, gap, gap, gap, gap, cv2.BORDER_CONSTANT)
    closed = cv2.morphologyEx(padded, cv2.MORPH_CLOSE, np.ones((gap, gap), np.uint8))
    mask = np.ascontiguousarray(closed[gap:-gap, gap:-gap], dtype=np.uint8)
    found = _components(mask)
    if found is None:
        return whole
    left, top, right, bottom = found
    if (right - left) * (bottom - top) < 0.1 * mask.size:
        return whole
    rows, columns = height / mask.shape[0], width / mask.shape[1]
    return (
        int(top * rows),
        min(height, int(np.ceil(bottom * rows))),
        int(left * columns),
        min(width, int(np.ceil(right * columns))),
    )


SPECK = 0.05
"""Components smaller than this share of the largest are letters, rulers and noise."""


def _components(mask: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    """Return left, top, right and bottom of all but specks; None where there is nothing."""
    # The component at the middle is nearly always all but specks, and to fill one takes a sixth
    # of the time of finding all.
    height, width = mask.shape
    bright = np.flatnonzero(mask[height // 2])
    if len(bright):
        seed = (int(bright[np.abs(bright - width // 2).argmin()]), height // 2)
        outside = np.zeros((height + 2, width + 2), dtype=np.uint8)
        how = 8 | cv2.FLOODFILL_MASK_ONLY
        area, _, _, box = cv2.floodFill(mask, outside, seed, 1, 0, 0, how)
        if cv2.countNonZero(mask) - area < SPECK * area:
            return int(box[0]), int(box[1]), int(box[0] + box[2]), int(box[1] + box[3])
    count, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    if count < 2:
        return None
    areas = stats[1:, cv2.CC_STAT_AREA]
    kept = stats[1:][areas >= SPECK * areas.max()]
    left, top = kept[:, cv2.CC_STAT_LEFT], kept[:, cv2.CC_STAT_TOP]
    return (
        int(left.min()),
        int(top.min()),
        int((left + kept[:, cv2.CC_STAT_WIDTH]).max()),
        int((top + kept[:, cv2.CC_STAT_HEIGHT]).max()),
    )


def _window(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    # By counting greys and looking them up: to the bit what numpy computes pixel by pixel, in a
    # tenth of the time.
    counts = counts_of(pixels)
    low, high = (percentile(counts, share) for share in (0.01, 0.99))
    if high <= low:
        return pixels
    values = (np.arange(256, dtype=np.float32) - np.float64(low)) * (255.0 / (high - low))
    table = np.rint(np.clip(values, 0.0, 255.0)).astype(np.uint8)
    windowed: NDArray[np.uint8] = cv2.LUT(pixels, table)
    return windowed


def resize_to(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Return greys uint8 resized as `prepare` resizes; always a copy."""
    if pixels.shape == (height, width):
        return pixels.copy()
    shrinks = pixels.shape[0] >= height and pixels.shape[1] >= width
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    resized: NDArray[np.uint8] = cv2.resize(pixels, (width, height), interpolation=how)
    return resized

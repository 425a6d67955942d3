"""`Slice` → its head, framed and normalised alike in every copy of the same picture.

A `NormalisedHead` (some 50 kB, in memory only) is exact enough to decide whether two files show one
picture; its `layout`, 256 numbers, is enough to suspect it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.sampling import TURNS, local_contrast, stretched, turned, units
from tumorscope.imaging.borders import trimmed
from tumorscope.imaging.frame import even_head_box
from tumorscope.imaging.slice import Slice

EDGE = 16
FINE_EDGE = 96
COARSE_EDGE = 48

ANGLES = (-14.0, -7.0, 0.0, 7.0, 14.0)
ZOOMS = (1.0, 1.14, 1.3)
UPRIGHT = 0
VIEWS = tuple((turn, angle, zoom) for turn in TURNS for angle in ANGLES for zoom in ZOOMS)
"""How a head is turned, mirrored, tilted (degrees) and zoomed before it is compared.

Steps of 7° and 14 % are half as wide as what a layout of 16 × 16 tolerates.
"""


@dataclass(frozen=True, slots=True, eq=False)
class NormalisedHead:
    """The head of a slice, framed alike in every copy, at the two scales that comparing needs.

    Attributes
    ----------
    fine : ndarray of float32, shape (96, 96)
        Structure of 1–5 pixels, divided by its local contrast.
    coarse : ndarray of float32, shape (48, 48)
        Structure of 1–5 pixels (twice as large in the image), divided by its local contrast.
    aspect : float
        Width through height of the head's box, 0.25 to 4; 1 by default.
    """

    fine: NDArray[np.float32]
    coarse: NDArray[np.float32]
    aspect: float = 1.0

    @property
    def blank(self) -> bool:
        """True where there is no structure to recognise."""
        return float(np.abs(self.coarse).mean()) < 0.02


def normalised_head(scan: Slice) -> NormalisedHead:
    """Frame the head of a slice and normalise its local contrast.

    Uniform borders and frames are trimmed, the box of the head is stretched to a square, and every
    value becomes its difference from its surroundings divided by their standard deviation, so
    that padding, size, aspect ratio, brightness and contrast curve leave (nearly) no trace.

    Parameters
    ----------
    scan : Slice
        A decoded image of any size.
    """
    pixels = trimmed(scan.pixels)
    top, bottom, left, right = even_head_box(pixels)
    pixels = pixels[top:bottom, left:right]
    head = stretched(pixels, FINE_EDGE)
    band = local_contrast(head, 2.0, 10.0, floor=3.0)
    return NormalisedHead(
        fine=local_contrast(head, 1.0, 5.0, floor=3.0),
        coarse=cv2.resize(band, (COARSE_EDGE, COARSE_EDGE), interpolation=cv2.INTER_AREA),
        aspect=min(max((right - left) / (bottom - top), 0.25), 4.0),
    )


def layout(subject: NormalisedHead) -> NDArray[np.float32]:
    """Return the upright view of a head as a unit vector of shape (256,); zero for a blank one."""
    if subject.blank:
        return np.zeros(EDGE * EDGE, dtype=np.float32)
    return _centred_units(_view(subject.coarse, view_matrix(UPRIGHT, 0.0, 1.0)).ravel())


def views(subject: NormalisedHead) -> NDArray[np.float32]:
    """Return the unit vectors of a head seen in every one of `VIEWS`.

    Returns
    -------
    ndarray of float32, shape (120, 256)
        Their product with the `layout` of another head is the cosine of the two.
    """
    if subject.blank:
        return np.zeros((len(VIEWS), EDGE * EDGE), dtype=np.float32)
    tilted = np.stack(
        [
            _view(subject.coarse, view_matrix(UPRIGHT, angle, zoom, subject.aspect))
            for angle in ANGLES
            for zoom in ZOOMS
        ]
    )
    # Turning and mirroring small squares is exact, and cheaper than sampling them again.
    seen = np.concatenate([turned(tilted, turn) for turn in TURNS])
    return _centred_units(seen.reshape(len(VIEWS), -1))


def view_matrix(turn: int, angle: float, zoom: float, aspect: float = 1.0) -> NDArray[np.float32]:
    """Return where a view looks: the affine map from its plane to the head's.

    Both planes reach from −1 to 1, x first. Heads are stretched to squares, so a tilt of the
    scan shears them; the map takes the head for an ellipse, whose box before and after the tilt
    says how.

    Parameters
    ----------
    turn : int
        One of `tumorscope.duplicates.sampling.TURNS`.
    angle : float
        Tilt in degrees, before the turn.
    zoom : float
        Above 1 less is seen, larger.
    aspect : float
        Width through height of the head's box.

    Returns
    -------
    ndarray of float32, shape (2, 2)
    """
    quarters, mirrored = divmod(turn, 2)
    cosine, sine = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    width, height = np.hypot(aspect * cosine, sine), np.hypot(aspect * sine, cosine)
    matrix = np.array(
        [[width * cosine / aspect, -height * sine / aspect], [width * sine, height * cosine]]
    )
    matrix = matrix @ np.linalg.matrix_power(np.array([[0.0, -1.0], [1.0, 0.0]]), quarters) / zoom
    if mirrored:
        matrix[:, 0] *= -1.0
    result: NDArray[np.float32] = matrix.astype(np.float32)
    return result


def pixel_map(plane: NDArray[np.float32], edge: int, edge_seen: int) -> NDArray[np.float32]:
    """Turn a map between planes into one between pixels: of a view, of the head it looks at.

    Parameters
    ----------
    plane : ndarray of float32, shape (2, 2)
        From `view_matrix`.
    edge, edge_seen : int
        Edge lengths in pixels of the view and of the head.

    Returns
    -------
    ndarray of float32, shape (2, 3)
        For ``cv2.warpAffine`` with ``WARP_INVERSE_MAP``; pixel centres are at whole numbers.
    """
    linear = plane * (edge_seen / edge)
    centre, centre_seen = (edge - 1) / 2, (edge_seen - 1) / 2
    shift = centre_seen - linear @ np.array([centre, centre], dtype=np.float32)
    return np.column_stack([linear, shift]).astype(np.float32)


def _view(coarse: NDArray[np.float32], plane: NDArray[np.float32]) -> NDArray[np.float32]:
    # Sampled at twice the size and averaged, so that the fold from 48 to 16 does not alias.
    seen = cv2.warpAffine(
        coarse,
        pixel_map(plane, 2 * EDGE, COARSE_EDGE),
        (2 * EDGE, 2 * EDGE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    small: NDArray[np.float32] = cv2.resize(seen, (EDGE, EDGE), interpolation=cv2.INTER_AREA)
    return small


def _centred_units(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return units(values - values.mean(axis=-1, keepdims=True))

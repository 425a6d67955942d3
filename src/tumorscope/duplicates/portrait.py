"""`Slice` → the few numbers by which a copy of the same picture is recognised.

Two sizes: a `Portrait` (some 50 kB, in memory only) is exact enough to decide whether two files
show one picture; a `Fingerprint` (256 bytes) is enough to suspect it.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging.frame import even_head_box, trimmed
from tumorscope.imaging.slice import Slice

EDGE = 16
PORTRAIT_EDGE = 96
COARSE_EDGE = 48

ANGLES = (-14.0, -7.0, 0.0, 7.0, 14.0)
ZOOMS = (1.0, 1.14, 1.3)
UPRIGHT = (0, False)
TURNS = tuple((quarters, mirrored) for quarters in range(4) for mirrored in (False, True))
VIEWS = tuple((turn, angle, zoom) for turn in TURNS for angle in ANGLES for zoom in ZOOMS)
"""How a portrait is turned, mirrored, tilted (degrees) and zoomed before it is compared.

Steps of 7° and 14 % are half as wide as what a fingerprint of 16 × 16 tolerates.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """The locally normalised head at 16 × 16, compared by cosine.

    Attributes
    ----------
    values : ndarray of int8, shape (16, 16)
        All zero for an image without structure, which resembles nothing.
    """

    values: NDArray[np.int8]


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
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


def portrait(scan: Slice) -> Portrait:
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
    shrinks = min(pixels.shape) >= PORTRAIT_EDGE
    head = cv2.resize(
        pixels.astype(np.float32),
        (PORTRAIT_EDGE, PORTRAIT_EDGE),
        interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR,
    )
    band = _normalised(head, 2.0, 10.0)
    return Portrait(
        fine=_normalised(head, 1.0, 5.0),
        coarse=cv2.resize(band, (COARSE_EDGE, COARSE_EDGE), interpolation=cv2.INTER_AREA),
        aspect=min(max((right - left) / (bottom - top), 0.25), 4.0),
    )


def fingerprint(scan: Slice | Portrait) -> Fingerprint:
    """Return the fingerprint of a slice, or of its portrait if that is at hand."""
    if isinstance(scan, Slice):
        scan = portrait(scan)
    if scan.blank:
        return Fingerprint(np.zeros((EDGE, EDGE), dtype=np.int8))
    unit = _unit(_view(scan.coarse, view_matrix(UPRIGHT, 0.0, 1.0)))
    # The largest of 256 values of a unit vector is seldom above 0.4; 300 uses the 8 bits well.
    return Fingerprint(
        np.rint(np.clip(unit * 300.0, -127, 127)).astype(np.int8).reshape(EDGE, EDGE)
    )


def views(subject: Portrait) -> NDArray[np.float32]:
    """Return the unit vectors of a portrait seen in every one of `VIEWS`.

    Returns
    -------
    ndarray of float32, shape (120, 256)
        Their product with `vector` of a fingerprint is the cosine of the two.
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
    # Turning and mirroring small squares is exact, and cheaper than sampling them anew.
    seen = np.concatenate([_turned(tilted, turn) for turn in TURNS]).reshape(len(VIEWS), -1)
    seen -= seen.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(seen, axis=1, keepdims=True)
    units: NDArray[np.float32] = seen / np.maximum(lengths, 1e-6)
    return units


def vector(known: Fingerprint) -> NDArray[np.float32]:
    """Return a fingerprint as a unit vector of shape (256,); zero for a blank image."""
    return _unit(known.values.astype(np.float32))


def resemblance(scan: Slice | Portrait, known: Fingerprint) -> float:
    """Return how much the slice, in its best view, resembles a fingerprint (cosine, −1 to 1).

    Above 0.94 it is almost surely a copy: among 1,749 public images no two pictures came above
    0.932. Copies that were cropped or tilted may lie far below; `duplicates` finds those as well.
    """
    subject = portrait(scan) if isinstance(scan, Slice) else scan
    return float((views(subject) @ vector(known)).max())


def view_matrix(
    turn: tuple[int, bool], angle: float, zoom: float, aspect: float = 1.0
) -> NDArray[np.float32]:
    """Return where a view looks: the affine map from its plane to the portrait's.

    Both planes reach from −1 to 1, x first. Portraits are stretched to squares, so a tilt of the
    scan shears them; the map takes the head for an ellipse, whose box before and after the tilt
    says how.

    Parameters
    ----------
    turn : tuple of int and bool
        Quarter turns, and whether mirrored then.
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
    quarters, mirrored = turn
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
    """Turn a map between planes into one between pixels: of a view, of the portrait it looks at.

    Parameters
    ----------
    plane : ndarray of float32, shape (2, 2)
        From `view_matrix`.
    edge, edge_seen : int
        Edge lengths in pixels of the view and of the portrait.

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


def _turned(stack: NDArray[np.float32], turn: tuple[int, bool]) -> NDArray[np.float32]:
    quarters, mirrored = turn
    turned = np.rot90(stack, quarters, axes=(1, 2))
    return turned[:, :, ::-1] if mirrored else turned


def _unit(values: NDArray[np.float32]) -> NDArray[np.float32]:
    flat: NDArray[np.float32] = values.ravel() - values.mean()
    return flat / np.float32(max(float(np.linalg.norm(flat)), 1e-6))


def _normalised(pixels: NDArray[np.float32], inner: float, outer: float) -> NDArray[np.float32]:
    smooth = cv2.GaussianBlur(pixels, (0, 0), inner)
    detail = smooth - cv2.GaussianBlur(smooth, (0, 0), outer)
    # 3 grey levels keep the noise of an empty background from being blown up to full contrast.
    contrast = np.sqrt(cv2.GaussianBlur(detail * detail, (0, 0), outer)) + 3.0
    result: NDArray[np.float32] = detail / contrast
    return result

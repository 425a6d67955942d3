"""Lesions drawn into tumour-free images, so that every source has both labels.

Public images with a tumour and without come from different places, so a network can tell them
apart by skull, scanner or contrast. A tumour-free image with a lesion drawn into it differs from
its original by the lesion alone (compare Hu et al., *Label-free liver tumor segmentation*, CVPR
2023). The lesions are crude on purpose: blobs, rims, oedema, infiltration and mass effect in random
mixtures, of any contrast; no picture of a real tumour is copied.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.synthetic.fields import Field, Pixels, greys, smooth

SMALLEST, LARGEST = 0.045, 0.2
"""Radius of a lesion's core as a share of the picture's edge."""

FAINTEST = 10.0
"""Greys by which a lesion's core differs from what was there, on average, at least."""

VISIBLE = 14
"""Greys by which a place differs, smoothed, where oedema or a rim can be seen."""

TISSUE = 40
"""Greys above this are tissue rather than air, bone or fluid."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawnLesion:
    """A picture with a lesion drawn into it.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (size, size)
        The picture.
    pushed : ndarray of uint8, shape (size, size)
        The same with the tissue pushed aside, and nothing drawn.
    inside : ndarray of float32, shape (size, size)
        How much of each pixel is head, 0 to 1: nothing is drawn into the air.
    distance : ndarray of float32, shape (size, size)
        How far each pixel lies outside (positive) or inside the lesion's core.
    """

    pixels: Pixels
    pushed: Pixels
    inside: Field
    distance: Field

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where the lesion is, bool (size, size): its core, and oedema and rim as far as seen.

        Tissue that was only pushed aside is no lesion. Found when it is asked for, which costs
        more than to keep what it is found from.
        """
        core = (self.distance < 0) & (self.inside > 0.5)
        change = cv2.GaussianBlur(cv2.absdiff(self.pixels, self.pushed), (5, 5), 0)
        seen = (change > VISIBLE) & (self.inside > 0.9)
        _, pieces = cv2.connectedComponents((seen | core).astype(np.uint8), connectivity=8)
        # Specks of oedema's texture that nobody would outline are left out.
        return np.isin(pieces, np.unique(pieces[core]))


def add_lesion(pixels: Pixels, generator: np.random.Generator) -> DrawnLesion | None:
    """Draw one lesion into a tumour-free picture.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (size, size)
        A prepared slice.
    generator : numpy.random.Generator
        Decides place, size, shape and contrast.

    Returns
    -------
    DrawnLesion or None
        None where there is no tissue to put one into, or the lesion came out too faint to see.

    Examples
    --------
    >>> import numpy as np
    >>> from tumorscope.synthetic.phantom_slice import phantom_slice
    >>> scan = phantom_slice(tumour=False, seed=1)
    >>> drawn = add_lesion(scan.pixels, np.random.default_rng(2))
    >>> drawn is not None and bool((drawn.pixels != scan.pixels)[drawn.mask].any())
    True
    """
    size = pixels.shape[0]
    radius = size * SMALLEST * (LARGEST / SMALLEST) ** generator.random()
    head = _head(pixels)
    centre = _place(head, radius, generator)
    if centre is None:
        return None
    infiltrates = generator.random() < 0.35
    if infiltrates:
        radius *= generator.uniform(1.0, 1.6)
    distance = _blob_distance(size, centre, radius, generator)
    pushed = _pushed_aside(pixels, centre, radius, generator)
    values = pushed.astype(np.float32)
    if infiltrates:
        drawn = _infiltration(values, distance, generator)
    else:
        drawn = _mass(values, distance, radius, generator)
    # Nothing is drawn into the air.
    inside = cv2.GaussianBlur(head.astype(np.float32), (0, 0), 1.5)
    whole = greys(inside * drawn + (1 - inside) * pixels)
    core = distance < 0
    # A lesion that nobody could see would only teach that health is illness.
    if not core.any() or cv2.absdiff(whole, pixels)[core].mean() < FAINTEST:
        return None
    return DrawnLesion(whole, pushed, inside.astype(np.float32), distance)


def _infiltration(values: Field, distance: Field, generator: np.random.Generator) -> Field:
    """Make tissue brighter or darker so that its folds still show."""
    tissue = values > TISSUE
    inside = tissue & (distance < 0)
    level = float(np.median(values[inside])) if inside.any() else _level(values)
    bright = generator.random() < 0.8
    gain = generator.uniform(1.25, 2.2) if bright else generator.uniform(0.4, 0.75)
    flat = generator.uniform(0.0, 0.8)
    texture = _texture(len(values), 10.0, 0.3, generator)
    filled = np.maximum((flat * level + (1 - flat) * values) * gain * texture, 0.0)
    soft = _soft(distance, generator.uniform(1.5, 7.0))
    drawn: Field = (1 - soft) * values + soft * filled
    return drawn


def _mass(values: Field, distance: Field, radius: float, generator: np.random.Generator) -> Field:
    """Draw a core, with oedema, necrosis and an enhancing rim at random."""
    size, level = len(values), _level(values)
    bright = generator.random() < 0.7
    if generator.random() < 0.55:  # oedema, or the diffuse part of a glioma
        width = radius * generator.uniform(0.3, 1.2)
        reach = _soft(distance - width, generator.uniform(1.5, 6.0))
        shift = generator.uniform(15, 70) * (1 if bright else -1) * generator.uniform(0.4, 1.0)
        values = values + reach * shift * _texture(size, 12.0, 0.35, generator)
    core = _soft(distance, generator.uniform(0.8, 4.0))
    shift = generator.uniform(25, 130) if bright else -generator.uniform(25, 90)
    filling = level + shift * _texture(size, generator.uniform(2.5, 12.0), 0.5, generator)
    keeps = generator.uniform(0.0, 0.5)  # of what was there
    values = (1 - core) * values + core * (keeps * (values + 0.6 * shift) + (1 - keeps) * filling)
    if generator.random() < 0.35:  # necrosis inside
        inner = _soft(distance + radius * generator.uniform(0.25, 0.6), 2.0)
        values = (1 - inner) * values + inner * (level * generator.uniform(0.2, 0.8))
    if generator.random() < 0.4:  # enhancing rim
        width = size * generator.uniform(0.008, 0.03)
        rim = np.exp(-((distance / width) ** 2)) * _texture(size, 8.0, 0.4, generator)
        values = values + rim * generator.uniform(40, 130)
    return values


def _level(values: Field) -> float:
    tissue = values > TISSUE
    return float(np.median(values[tissue])) if tissue.any() else 128.0


def _head(pixels: Pixels) -> Pixels:
    mask = (cv2.GaussianBlur(pixels, (5, 5), 0) > 20).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (15, 15))
    closed: Pixels = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, kernel).astype(np.uint8)
    return closed


def _place(
    head: Pixels, radius: float, generator: np.random.Generator
) -> tuple[float, float] | None:
    """Draw a centre inside the head, mostly deep enough for the lesion to fit."""
    depth = cv2.distanceTransform(np.pad(head, 1), cv2.DIST_L2, 3)[1:-1, 1:-1]
    size = len(head)
    # Below the skull where there is one; a fifth may touch the surface, as meningiomas do.
    least = generator.choice([0.02, 0.09], p=[0.2, 0.8]) * size + 0.5 * radius
    rows, columns = np.nonzero(depth > min(least, 0.8 * float(depth.max())))
    if len(rows) < 20:
        return None
    chosen = int(generator.integers(len(rows)))
    return float(columns[chosen]), float(rows[chosen])


def _blob_distance(
    size: int, centre: tuple[float, float], radius: float, generator: np.random.Generator
) -> Field:
    """Return how far each pixel lies outside (positive) or inside an irregular blob, in pixels."""
    right, down = _from(centre, size)
    angle = generator.uniform(0, np.pi)
    along = right * np.cos(angle) + down * np.sin(angle)
    across = -right * np.sin(angle) + down * np.cos(angle)
    aspect = generator.uniform(1.0, 1.8)
    wide, high = along / np.sqrt(aspect), across * np.sqrt(aspect)
    distance = np.sqrt(wide * wide + high * high)
    length = np.sqrt(along * along + across * across)
    # Cosine and sine of the direction, and of its multiples by the theorems of addition: an eighth
    # of the time of six cosines.
    middle = length == 0
    length[middle] = 1.0
    once, rise = (along + middle) / length, across / length
    cosine, sine, spare, other = once.copy(), rise.copy(), np.empty_like(once), np.empty_like(once)
    edge = np.full((size, size), radius, dtype=np.float32)
    roughness = generator.uniform(0.0, 0.25)
    for order in range(2, 8):
        # In place, because fresh memory costs more than the arithmetic.
        np.multiply(cosine, once, out=spare)
        spare -= np.multiply(sine, rise, out=other)
        sine *= once
        sine += np.multiply(cosine, rise, out=other)
        cosine, spare = spare, cosine
        strength = roughness * radius * generator.normal() / order**0.7
        phase = generator.uniform(0, 2 * np.pi)
        np.multiply(cosine, strength * np.cos(phase), out=spare)
        spare -= np.multiply(sine, strength * np.sin(phase), out=other)
        edge += spare.astype(np.float32)
    found: Field = (distance - edge).astype(np.float32)
    return found


def _from(centre: tuple[float, float], size: int) -> tuple[Field, Field]:
    """Return how far each column lies right of a place, and each row below it."""
    places = np.arange(size, dtype=np.float32)
    return places[None] - np.float32(centre[0]), places[:, None] - np.float32(centre[1])


def _soft(distance: Field, width: float) -> Field:
    soft: Field = 1.0 / (1.0 + np.exp(np.clip(distance / width, -30, 30)))
    return soft


def _texture(size: int, scale: float, strength: float, generator: np.random.Generator) -> Field:
    """Return smooth noise about 1."""
    edge = max(4, round(size / scale))
    coarse = generator.normal(0.0, 1.0, (edge, edge)).astype(np.float32)
    noise = smooth(coarse, size)
    texture: Field = (1.0 + generator.uniform(0, strength) * noise).astype(np.float32)
    return texture


def _pushed_aside(
    pixels: Pixels,
    centre: tuple[float, float],
    radius: float,
    generator: np.random.Generator,
) -> Pixels:
    """Return the picture with tissue around the centre pushed outwards: mass effect."""
    strength = generator.uniform(0.0, 0.45)
    if strength < 0.1:
        return pixels
    right, down = _from(centre, len(pixels))
    pull = 1.0 - strength * np.exp(-(right**2 + down**2) / (2 * (1.4 * radius) ** 2))
    moved: Pixels = cv2.remap(
        pixels,
        (centre[0] + right * pull).astype(np.float32),
        (centre[1] + down * pull).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return moved

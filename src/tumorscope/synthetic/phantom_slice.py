"""One phantom slice: anatomy, lesion, contrast, coils and noise → a `Slice`."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import UsageError
from tumorscope.imaging.slice import Slice
from tumorscope.synthetic.fields import Field, Pixels, greys
from tumorscope.synthetic.phantom_anatomy import (
    between,
    draw_anatomy,
    section,
    smooth_noise,
)
from tumorscope.synthetic.phantom_lesion import (
    displaced,
    draw_lesion,
    lesion_distance,
    lesion_layers,
)

# Signal of each tissue, 0 to 1, roughly as on clinical images at 1.5 T after windowing.
CONTRASTS: dict[str, dict[str, float]] = {
    "T1": {
        "fat": 0.90, "skin": 0.62, "muscle": 0.36, "bone": 0.06, "marrow": 0.42, "csf": 0.13,
        "white": 0.62, "grey": 0.42, "deep": 0.50, "spot": 0.50, "plexus": 0.32, "vein": 0.16,
        "sinus": 0.30, "oedema": 0.34, "tumour": 0.31, "infiltrate": 0.30, "necrosis": 0.17,
    },
    "T1c": {
        "fat": 0.86, "skin": 0.60, "muscle": 0.40, "bone": 0.05, "marrow": 0.40, "csf": 0.12,
        "white": 0.47, "grey": 0.37, "deep": 0.42, "spot": 0.40, "plexus": 0.85, "vein": 0.75,
        "sinus": 0.92, "oedema": 0.27, "tumour": 0.90, "infiltrate": 0.30, "necrosis": 0.15,
    },
    "T2": {
        "fat": 0.50, "skin": 0.38, "muscle": 0.20, "bone": 0.04, "marrow": 0.25, "csf": 0.97,
        "white": 0.31, "grey": 0.50, "deep": 0.38, "spot": 0.68, "plexus": 0.75, "vein": 0.90,
        "sinus": 0.10, "oedema": 0.80, "tumour": 0.58, "infiltrate": 0.76, "necrosis": 0.92,
    },
    "FLAIR": {
        "fat": 0.55, "skin": 0.42, "muscle": 0.25, "bone": 0.05, "marrow": 0.28, "csf": 0.09,
        "white": 0.37, "grey": 0.50, "deep": 0.45, "spot": 0.85, "plexus": 0.30, "vein": 0.12,
        "sinus": 0.15, "oedema": 0.86, "tumour": 0.68, "infiltrate": 0.80, "necrosis": 0.30,
    },
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Phantom:
    """A phantom slice and what is known about it, as about no real one.

    Attributes
    ----------
    slice : Slice
        The image.
    lesion : ndarray of bool, shape (size, size)
        True within the tumour (its core and rim, without oedema); all False without one.
    contrast : str
        T1, T1c (after contrast medium), T2 or FLAIR.
    """

    slice: Slice
    lesion: NDArray[np.bool_]
    contrast: str


def phantom(*, tumour: bool, seed: int, size: int = 256) -> Phantom:
    """Draw a slice together with the outline of its tumour; see `phantom_slice`."""
    if not 64 <= size <= 1024:
        raise UsageError(f"Received a size of {size} pixels; expected 64 to 1024.")
    rng = _generator(seed, tumour)
    anatomy = draw_anatomy(rng)
    names = tuple(CONTRASTS)
    contrast = names[int(rng.random() * len(names))]
    x, y, pixel = _grid(rng, size)
    moved, layers, inside_lesion = (x, y), [], np.zeros((size, size), dtype=np.bool_)
    lesion = draw_lesion(rng, anatomy) if tumour else None
    if lesion is not None:
        moved = displaced(lesion, anatomy, x, y)
    tissue = section(anatomy, rng, still=(x, y), moved=moved, pixel=pixel)
    if lesion is not None:
        distance = lesion_distance(lesion, rng, x, y)
        layers = lesion_layers(lesion, rng, distance, tissue, pixel)
        inside_lesion = (distance < 0) & (tissue.inside > 0.5)
    signal = _paint([*tissue.layers, *layers], CONTRASTS[contrast], rng, size)
    pixels = _acquire(signal, rng, size)
    return Phantom(Slice(pixels, f"phantom:{seed}"), inside_lesion, contrast)


def phantom_slice(*, tumour: bool, seed: int, size: int = 256) -> Slice:
    """Draw one synthetic axial slice of a head.

    Signals are those of T1, T1 after contrast medium, T2 or FLAIR; blurred by a point spread,
    shaded by a coil, with Rician noise (Gudbjartsson & Patz 1995, doi:10.1002/mrm.1910340618).

    Parameters
    ----------
    tumour : bool
        Whether there is a tumour in it.
    seed : int
        The same seed gives the same slice.
    size : int
        Edge length in pixels, 64 to 1024.

    Returns
    -------
    Slice
        Shape (size, size).

    Examples
    --------
    >>> phantom_slice(tumour=True, seed=1, size=128).pixels.shape
    (128, 128)
    """
    return phantom(tumour=tumour, seed=seed, size=size).slice


def phantom_lesion_mask(*, tumour: bool, seed: int, size: int = 256) -> NDArray[np.bool_]:
    """Return where the tumour of `phantom_slice` with the same arguments lies, without oedema.

    Examples
    --------
    >>> mask = phantom_lesion_mask(tumour=True, seed=1)
    >>> mask.shape, bool(mask.any())
    ((256, 256), True)
    >>> bool(phantom_lesion_mask(tumour=False, seed=1).any())
    False
    """
    return phantom(tumour=tumour, seed=seed, size=size).lesion


def _generator(seed: int, tumour: bool) -> np.random.Generator:
    # PCG64 named, not default_rng: numpy may change the default, but not this stream.
    digest = hashlib.sha256(f"phantom {seed} {int(tumour)}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest[:8], "big")))


def _grid(rng: np.random.Generator, size: int) -> tuple[Field, Field, float]:
    """Return x and y of every pixel in brain units, and a pixel's edge."""
    pixel = 1 / (size * between(rng, 0.36, 0.425))
    turn = between(rng, -0.16, 0.16)
    shift = between(rng, -0.05, 0.05), between(rng, -0.05, 0.05)
    line = (np.arange(size, dtype=np.float32) - (size - 1) / 2) * np.float32(pixel)
    column, row = np.meshgrid(line + np.float32(shift[0]), line + np.float32(shift[1]))
    c, s = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    return c * column + s * row, c * row - s * column, pixel


def _paint(
    layers: list[tuple[str, Field]],
    signals: dict[str, float],
    rng: np.random.Generator,
    size: int,
) -> Field:
    vary = {name: between(rng, 0.92, 1.08) for name in signals}
    image = np.full((size, size), 0.015, dtype=np.float32)
    for name, share in layers:
        image += share * (np.float32(signals[name] * vary[name]) - image)
    texture = 0.035 * smooth_noise(rng, 40, size) + 0.03 * smooth_noise(rng, 14, size)
    image *= 1 + texture
    return image


def _acquire(image: Field, rng: np.random.Generator, size: int) -> Pixels:
    image = cv2.GaussianBlur(image, (0, 0), between(rng, 0.55, 1.15) * size / 256)
    # Coils are nearer to one side than to the other, and brighter near the surface.
    line = np.linspace(-1, 1, size, dtype=np.float32)
    column, row = np.meshgrid(line, line)
    bias = (
        between(rng, -0.18, 0.18) * column
        + between(rng, -0.18, 0.18) * row
        + between(rng, -0.10, 0.22) * (column**2 + row**2)
    )
    image = image * (1 + bias)
    image = image * np.float32(between(rng, 0.85, 1.1))
    # Rician noise: the magnitude of a complex signal with Gaussian noise, drawn by Box and Muller
    # from uniform numbers, whose stream numpy keeps (that of `normal` it does not).
    spread = between(rng, 0.006, 0.028)
    uniform = rng.random((2, size, size), dtype=np.float32)
    length = spread * np.sqrt(-2 * np.log1p(-uniform[0]))
    angle = np.float32(2 * math.pi) * uniform[1]
    image = np.hypot(image + length * np.cos(angle), length * np.sin(angle))
    image = np.clip(image, 0, 1.2) ** np.float32(between(rng, 0.85, 1.15))
    return greys(image * 255)

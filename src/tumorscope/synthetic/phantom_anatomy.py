"""A head in axial section, drawn from random numbers: outline, skull, cortex, ventricles.

Lengths are in brain units: half the brain's length from forehead to occiput is 1 (about 85 mm).
The patient's right is on the left of the image (radiological convention) and the nose points up:
`x` grows to the right of the image, `y` towards the occiput.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tumorscope.synthetic.fields import Field, smooth


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What differs from head to head and from slice to slice.

    Attributes
    ----------
    level : float
        Height of the slice: 0 at the basal ganglia, 1 near the vertex.
    width : float
        Half the brain's width.
    harmonics : tuple of (int, float, float)
        Order, amplitude and phase of the outline's deviations from an egg.
    atrophy : float
        0 in the young, 1 in the old: wide sulci, thin cortex, large ventricles.
    ventricle : float
        Scale of the ventricles' thickness.
    tilt : float
        How much more of the left ventricle is cut than of the right, -1 to 1.
    skull, scalp : float
        Thickness.
    hyperintensities : int
        Number of white-matter hyperintensities, which are no tumours.
    """

    level: float
    width: float
    harmonics: tuple[tuple[int, float, float], ...]
    atrophy: float
    ventricle: float
    tilt: float
    skull: float
    scalp: float
    hyperintensities: int


@dataclass(frozen=True, slots=True)
class Tissue:
    """Fractions from 0 to 1 of each tissue, each of shape (size, size), painted in this order."""

    layers: tuple[tuple[str, Field], ...]
    white: Field
    inside: Field


def between(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a number from the interval; only `rng.random`, whose stream is the same everywhere."""
    return low + (high - low) * float(rng.random())


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw one head."""
    atrophy = float(rng.random()) ** 1.5
    level = between(rng, 0.0, 1.0)
    return Anatomy(
        level=level,
        width=between(rng, 0.74, 0.86),
        harmonics=tuple(
            (order, between(rng, 0.0, 0.022) / (order - 1), between(rng, 0.0, 2 * math.pi))
            for order in (2, 3, 4, 5)
        ),
        atrophy=atrophy,
        ventricle=between(rng, 0.6, 1.1) + 0.9 * atrophy * float(rng.random()),
        tilt=between(rng, -1.0, 1.0),
        skull=between(rng, 0.05, 0.08),
        scalp=between(rng, 0.035, 0.085),
        hyperintensities=int(rng.random() * 14) if rng.random() < 0.2 + 0.5 * atrophy else 0,
    )


def smooth_noise(rng: np.random.Generator, cells: int, size: int) -> Field:
    """Return smooth noise of about unit amplitude, shape (size, size), from a coarse grid."""
    coarse = rng.random((cells + 3, cells + 3)).astype(np.float32) * 2 - 1
    return smooth(coarse, size)


def outline(anatomy: Anatomy, angle: Field) -> Field:
    """Return the brain's radius in each direction; `angle` is 0 towards the nose."""
    nose, side = np.cos(angle), np.sin(angle)
    # An egg: narrower in front, widest behind the ears.
    width = anatomy.width * (1 - 0.07 * nose)
    # A superellipse of exponent 2.25 has the flatter temples of a head.
    power = np.float32(2.25)
    radius = (np.abs(nose) ** power + np.abs(side / width) ** power) ** (-1 / power)
    for order, amplitude, phase in anatomy.harmonics:
        radius = radius * (1 + amplitude * np.cos(order * angle + phase))
    return np.asarray(radius, dtype=np.float32)


def step(distance: Field, soft: float) -> Field:
    """Return 1 where `distance` is well below 0, 0 where well above, a ramp of width `soft`."""
    return np.asarray(np.clip(0.5 - distance * (1 / soft), 0, 1), dtype=np.float32)


def tube(x: Field, y: Field, points: Sequence[tuple[float, float, float]]) -> Field:
    """Return the signed distance to a bent tube through points (x, y, radius)."""
    result = np.full_like(x, 9)
    for (x0, y0, r0), (x1, y1, r1) in itertools.pairwise(points):
        dx, dy = x1 - x0, y1 - y0
        along = np.clip(((x - x0) * dx + (y - y0) * dy) / (dx * dx + dy * dy), 0, 1)
        distance = np.sqrt((x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2)
        result = np.minimum(result, distance - (r0 + (r1 - r0) * along))
    return result


def ellipse(
    x: Field, y: Field, centre: tuple[float, float], radii: tuple[float, float], turn: float
) -> Field:
    """Return about the signed distance to a turned ellipse."""
    c, s = math.cos(turn), math.sin(turn)
    dx, dy = x - centre[0], y - centre[1]
    across, along = (c * dx + s * dy) / radii[0], (c * dy - s * dx) / radii[1]
    distance = (np.sqrt(across * across + along * along) - 1) * min(radii)
    return np.asarray(distance, dtype=np.float32)


def section(
    anatomy: Anatomy,
    rng: np.random.Generator,
    *,
    still: tuple[Field, Field],
    moved: tuple[Field, Field],
    pixel: float,
) -> Tissue:
    """Cut a head: tissue fractions at every pixel.

    Parameters
    ----------
    anatomy : Anatomy
        The head.
    rng : Generator
        Of the folds and of every small irregularity.
    still, moved : tuple of ndarray, shape (size, size)
        x and y of each pixel; `moved` points to where its tissue was before a mass pushed it, and
        is used for all that is soft.
    pixel : float
        Length of a pixel's edge, which is also how soft borders are.
    """
    size = len(still[0])
    x, y = still
    angle = np.arctan2(x, -y)
    edge = outline(anatomy, angle)
    wobble = smooth_noise(rng, 7, size)
    beyond = np.sqrt(x * x + y * y) - edge
    layers = _shell(anatomy, x, y, beyond, wobble, pixel)

    # No two halves of a brain are alike: bend all soft tissue a little, at two scales.
    bend = [smooth_noise(rng, 3, size) * 0.03 + smooth_noise(rng, 8, size) * 0.02 for _ in "xy"]
    x, y = moved[0] + bend[0], moved[1] + bend[1]
    inside = step(beyond, pixel)
    folds = _folds(anatomy, rng, x, y, pixel)
    thickness = np.float32(0.056 - 0.012 * anatomy.atrophy)
    gap = np.float32(0.001 + 0.014 * anatomy.atrophy)
    cortex = step(folds - gap - thickness * (1 + 0.25 * wobble), 1.6 * pixel)
    deep = _deep_grey(anatomy, x, y, pixel)
    ventricles = _ventricles(anatomy, x, y)
    chambers = step(ventricles, 1.4 * pixel)
    layers += [
        ("white", inside),
        ("grey", inside * cortex),
        ("deep", inside * deep),
        ("csf", inside * step(folds - gap, 1.4 * pixel)),
    ]
    if anatomy.hyperintensities:
        spots = _spots(anatomy, rng, x, y, ventricles)
        layers.append(("spot", inside * step(spots, 4 * pixel) * (1 - cortex)))
    layers.append(("csf", chambers))
    plexus = step(tube(np.abs(x), y, [(0.25, 0.30, 0.02), (0.27, 0.38, 0.028)]), 2 * pixel)
    layers.append(("plexus", chambers * plexus * (anatomy.level < 0.55)))
    layers += _vessels(anatomy, rng, x, y, folds, inside, pixel)
    white = inside * (1 - cortex) * (1 - chambers) * (1 - deep)
    return Tissue(tuple(layers), white, inside)


def _shell(
    anatomy: Anatomy, x: Field, y: Field, beyond: Field, wobble: Field, pixel: float
) -> list[tuple[str, Field]]:
    skull = anatomy.skull * (1 + 0.12 * wobble + 0.25 * np.exp(-((y - 1.0) ** 2) / 0.1))
    # The temporal muscles lie beside the front half, between bone and skin, on low slices.
    muscle = (
        0.075
        * max(0.0, 1 - 1.3 * anatomy.level)
        * np.exp(-((y + 0.38) ** 2) / 0.06 - (np.abs(x) - anatomy.width) ** 2 / 0.15)
    )
    skin = skull + muscle + anatomy.scalp * (1 + 0.15 * wobble)
    marrow = np.abs(beyond - skull * 0.52) - skull * 0.17
    return [
        ("fat", step(beyond - skin, 1.5 * pixel)),
        ("skin", step(beyond - skin, pixel) - step(beyond - skin + 0.016, pixel)),
        ("muscle", step(beyond - skull - muscle, 1.5 * pixel)),
        ("bone", step(beyond - skull, 1.5 * pixel)),
        ("marrow", step(marrow, 2 * pixel)),
        ("csf", step(beyond, 1.2 * pixel)),
    ]


def _folds(anatomy: Anatomy, rng: np.random.Generator, x: Field, y: Field, pixel: float) -> Field:
    """Return the distance to the nearest surface of the cortex: outer, fissure or sulcus."""
    size = len(x)
    angle = np.arctan2(x, -y)
    depth = outline(anatomy, angle) - np.sqrt(x * x + y * y)
    outer = depth - np.float32(0.008 + 0.03 * anatomy.atrophy)

    # Sulci are the zero lines of noise in polar coordinates, stretched towards the centre, since
    # sulci start at the surface and run inwards; a second noise bends them.
    around, inwards, zoom = 68, 10, 12
    coarse = rng.random((inwards, around)).astype(np.float32) * 2 - 1
    coarse = np.concatenate([coarse[:, -2:], coarse, coarse[:, :3]], axis=1)
    fine = cv2.resize(
        coarse, (coarse.shape[1] * zoom, inwards * zoom), interpolation=cv2.INTER_CUBIC
    )
    bend = smooth_noise(rng, 12, size)
    turn = angle * np.float32(around / (2 * math.pi)) + around / 2 + 1.3 * bend
    row = np.clip(depth, 0, 0.9) * 7.5 + 1 + 0.5 * smooth_noise(rng, 9, size)
    values = cv2.remap(
        fine,
        ((turn % around) + 2.5) * zoom,
        (row * zoom).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    values = cv2.GaussianBlur(values, (0, 0), 1.0)
    down, right = np.gradient(values)
    slope = np.sqrt(down * down + right * right) / np.float32(pixel)
    sulcus = np.abs(values) / (slope + 0.8)
    reach = 0.22 + 0.08 * anatomy.level + 0.16 * smooth_noise(rng, 12, size)
    excess = np.maximum(depth - reach, 0)
    # Sulci also narrow towards their floor.
    sulcus = np.sqrt(sulcus * sulcus + excess * excess) + 0.03 * depth

    wave = x + 0.012 * np.sin(5 * y + 6 * anatomy.tilt)
    front, back = (-0.50, 0.58) if anatomy.level < 0.72 else (0.05, 0.0)
    fissure = np.minimum(
        np.sqrt(wave * wave + np.maximum(y - front, 0) ** 2),
        np.sqrt(wave * wave + np.maximum(back - y, 0) ** 2),
    )
    nearest = np.minimum(np.minimum(outer, sulcus), fissure)
    if anatomy.level < 0.45:
        side = np.abs(x)
        w = anatomy.width
        sylvian = tube(
            side,
            y,
            [
                (w * 1.02, -0.22, 0.012),
                (w * 0.80, -0.20, 0.010),
                (w * 0.64, -0.30, 0.008),
                (w * 0.60, -0.10, 0.008),
                (w * 0.62, 0.12, 0.002),
            ],
        )
        nearest = np.minimum(nearest, sylvian)
    return np.asarray(nearest, dtype=np.float32)


def _deep_grey(anatomy: Anatomy, x: Field, y: Field, pixel: float) -> Field:
    fade = min(1.0, max(0.0, (0.5 - anatomy.level) / 0.1))
    side, soft = np.abs(x), 4 * pixel
    v = 0.5 + 0.5 * anatomy.ventricle
    caudate = ellipse(side, y, (0.13 + 0.035 * v, -0.27), (0.05, 0.12), 0.25)
    if not fade:
        return np.zeros_like(x)
    lentiform = ellipse(side, y, (0.34, -0.10), (0.085, 0.19), -0.28)
    thalamus = ellipse(side, y, (0.125 + 0.02 * v, 0.14), (0.10, 0.155), -0.35)
    claustrum = tube(side, y, [(0.455, -0.25, 0.006), (0.45, 0.02, 0.006)])
    grey = np.minimum(np.minimum(lentiform, thalamus), np.minimum(caudate, claustrum))
    return np.asarray(fade * step(grey, soft) * 0.95, dtype=np.float32)


def _ventricles(anatomy: Anatomy, x: Field, y: Field) -> Field:
    v = anatomy.ventricle * (1 + 0.16 * anatomy.tilt * np.sign(x))
    side, level = np.abs(x), anatomy.level
    if level > 0.72:
        return np.full_like(x, 9)
    if level > 0.42:
        shrink = 1 - 0.5 * (level - 0.42) / 0.30
        body = [
            (0.155, -0.42 * shrink, 0.012),
            (0.095, -0.24 * shrink, 0.040),
            (0.085, 0.02, 0.040),
            (0.125, 0.24 * shrink, 0.045),
            (0.19, 0.42 * shrink, 0.020),
        ]
        thicker = 0.035 * (v - 1) * shrink + 0.012 * (shrink - 1)
        return np.asarray(tube(side, y, body) - thicker, dtype=np.float32)
    horns = tube(side, y, [(0.175, -0.46, 0.008), (0.10, -0.30, 0.036), (0.045, -0.17, 0.014)])
    trigone = tube(side, y, [(0.23, 0.27, 0.020), (0.28, 0.40, 0.036), (0.24, 0.56, 0.012)])
    third = tube(side, y, [(0.0, -0.10, 0.006), (0.0, 0.18, 0.012)])
    cistern = tube(side, y, [(0.0, 0.34, 0.012), (0.07, 0.40, 0.010)])
    lateral = np.minimum(horns, trigone) - 0.035 * (v - 1)
    middle = np.minimum(third - 0.012 * (v - 1), cistern)
    return np.asarray(np.minimum(lateral, middle), dtype=np.float32)


def _spots(
    anatomy: Anatomy, rng: np.random.Generator, x: Field, y: Field, ventricles: Field
) -> Field:
    result = np.abs(ventricles) - between(rng, 0.004, 0.02)
    for _ in range(anatomy.hyperintensities):
        turn, reach = between(rng, 0, 2 * math.pi), between(rng, 0.25, 0.62)
        centre = (reach * anatomy.width * math.sin(turn), -reach * math.cos(turn))
        radius = between(rng, 0.012, 0.03)
        radii = (radius, radius * between(rng, 1.0, 2.0))
        result = np.minimum(result, ellipse(x, y, centre, radii, between(rng, 0, math.pi)))
    return np.asarray(result, dtype=np.float32)


def _vessels(
    anatomy: Anatomy,
    rng: np.random.Generator,
    x: Field,
    y: Field,
    folds: Field,
    inside: Field,
    pixel: float,
) -> list[tuple[str, Field]]:
    # The sagittal sinus, cut behind and (small) in front, and beads of veins within the sulci.
    end = float(outline(anatomy, np.array([math.pi], np.float32))[0])
    sinus = tube(x, y, [(0.0, end - 0.045, 0.008), (0.0, end - 0.005, 0.030)])
    front = tube(x, y, [(0.0, -0.985, 0.012), (0.0, -0.96, 0.006)])
    beads = smooth_noise(rng, 40, len(x))
    veins = step(folds - 0.012, 2 * pixel) * np.clip(2.5 * (beads - 0.45), 0, 1)
    return [
        ("vein", inside * veins),
        ("sinus", step(np.minimum(sinus, front), 1.5 * pixel)),
    ]

"""Tumours for phantoms: where they lie, what they are made of, and what they push aside."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from tumorscope.synthetic.fields import Field
from tumorscope.synthetic.phantom_anatomy import (
    Anatomy,
    Tissue,
    between,
    outline,
    smooth_noise,
    step,
)

Kind = Literal["ring", "solid", "diffuse", "dural"]


@dataclass(frozen=True, slots=True)
class Lesion:
    """One tumour, in brain units.

    Attributes
    ----------
    kind : {"ring", "solid", "diffuse", "dural"}
        "ring" has a dead core within an enhancing rim, as a glioblastoma or metastasis; "diffuse"
        has no sharp border; "dural" sits on the skull, as a meningioma.
    centre : tuple of float
        x and y.
    radius : float
        Of the tumour itself, without oedema.
    push : float
        Share of its own room that it has made by pushing tissue aside, 0 to 1.
    oedema : float
        How far oedema reaches beyond the tumour.
    """

    kind: Kind
    centre: tuple[float, float]
    radius: float
    push: float
    oedema: float


def draw_lesion(rng: np.random.Generator, anatomy: Anatomy) -> Lesion:
    """Draw one tumour that lies within the brain of `anatomy`."""
    chance = float(rng.random())
    kind: Kind = (
        "ring"
        if chance < 0.4
        else "solid"
        if chance < 0.65
        else "dural"
        if chance < 0.8
        else "diffuse"
    )
    radius = between(rng, 0.18, 0.34)
    # Away from the nose-occiput axis, where the falx and the ventricles are, to either side.
    angle = between(rng, 0.3, math.pi - 0.3) * (1 if rng.random() < 0.5 else -1)
    edge = float(outline(anatomy, np.array([angle], np.float32))[0])
    if kind == "dural":
        reach = edge - 0.75 * radius
    else:
        reach = min(between(rng, 0.38, 0.75), edge - radius - 0.03)
    oedema = 0.0 if kind == "diffuse" else between(rng, 0.02, 0.26)
    return Lesion(
        kind=kind,
        centre=(reach * math.sin(angle), -reach * math.cos(angle)),
        radius=radius,
        push=between(rng, 0.5, 0.95),
        oedema=oedema if kind != "dural" else 0.6 * oedema,
    )


def displaced(lesion: Lesion, anatomy: Anatomy, x: Field, y: Field) -> tuple[Field, Field]:
    """Return where the tissue at each pixel was before the tumour grew.

    The tumour and its oedema are taken for an incompressible disc that has grown from a point:
    what was at distance r0 is now at sqrt(r0² + R²). The push fades with distance, and towards
    the skull, which does not yield.
    """
    dx, dy = x - lesion.centre[0], y - lesion.centre[1]
    distance = np.sqrt(dx * dx + dy * dy) + np.float32(1e-4)
    grown = np.float32(lesion.push * (lesion.radius + 0.25 * lesion.oedema))
    before = np.sqrt(
        np.maximum(distance**2 - grown**2, 0) + (0.25 * np.minimum(distance, grown)) ** 2
    )
    room = outline(anatomy, np.arctan2(x, -y)) - np.sqrt(x * x + y * y)
    yielding = np.clip(room / 0.2, 0, 1) * np.exp(-((distance / 0.75) ** 2))
    share = 1 - (1 - before / distance) * yielding
    return lesion.centre[0] + dx * share, lesion.centre[1] + dy * share


def lesion_distance(lesion: Lesion, rng: np.random.Generator, x: Field, y: Field) -> Field:
    """Return about the signed distance to the tumour's irregular border."""
    dx, dy = x - lesion.centre[0], y - lesion.centre[1]
    angle = np.arctan2(dy, dx)
    rough = {"ring": 0.16, "solid": 0.12, "diffuse": 0.22, "dural": 0.05}[lesion.kind]
    radius = np.full_like(x, lesion.radius)
    for order in (2, 3, 4, 5, 7):
        phase, amplitude = between(rng, 0, 2 * math.pi), rough * float(rng.random()) / order**0.5
        radius = radius * (1 + amplitude * np.cos(order * angle + phase))
    distance = np.sqrt(dx * dx + dy * dy) - radius
    if lesion.kind != "dural":
        distance = distance + 0.25 * rough * lesion.radius * smooth_noise(rng, 28, len(x))
    return np.asarray(distance, dtype=np.float32)


def lesion_layers(
    lesion: Lesion,
    rng: np.random.Generator,
    distance: Field,
    tissue: Tissue,
    pixel: float,
) -> list[tuple[str, Field]]:
    """Return the layers to be painted over the tissue: oedema, tumour, rim, core."""
    size = len(distance)
    fingers = smooth_noise(rng, 16, size)
    layers: list[tuple[str, Field]] = []
    if lesion.oedema:
        # Oedema runs along white matter and spares the cortex, hence its fingers.
        spread = distance - lesion.oedema * (0.75 + 0.9 * fingers)
        soft = step(spread, 0.09)
        layers.append(("oedema", soft * (0.15 + 0.85 * tissue.white) * tissue.inside))
    edge = {"ring": 1.8, "solid": 2.5, "diffuse": 12.0, "dural": 1.6}[lesion.kind] * pixel
    body = step(distance, edge) * tissue.inside
    patchy = smooth_noise(rng, 22, size)
    if lesion.kind == "diffuse":
        layers.append(("infiltrate", body * (0.85 + 0.15 * patchy)))
        return layers
    layers.append(("tumour", body * (0.93 + 0.07 * patchy)))
    if lesion.kind == "dural":
        return layers
    if lesion.kind == "ring":
        wall = lesion.radius * between(rng, 0.16, 0.38)
        inner = distance + wall * (1 + 0.7 * patchy)
        layers.append(("necrosis", step(inner, 3 * pixel) * tissue.inside))
    elif rng.random() < 0.5:
        # A few cysts or bleedings within a solid tumour.
        holes = np.clip(4 * (smooth_noise(rng, 30, size) - 0.4), 0, 1)
        layers.append(("necrosis", holes * step(distance + 0.015, 0.03) * tissue.inside))
    return layers

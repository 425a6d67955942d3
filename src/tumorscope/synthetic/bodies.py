"""Cross-sections of other parts of the body, drawn roughly: outlines, fat, organs, bones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import cv2
import numpy as np

from tumorscope.synthetic.fields import Field, Pixels, greys, smooth
from tumorscope.synthetic.pieces import Slices, piece

Generator = np.random.Generator


@dataclass(slots=True)
class Canvas:
    """A picture that shapes are laid on, one over the other, with greys from 0 to 1."""

    slices: Slices
    generator: Generator
    picture: Field = field(init=False)

    def __post_init__(self) -> None:
        self.picture = np.zeros(self.slices.shape[1:], np.float32)

    @property
    def size(self) -> int:
        """Edge length in pixels."""
        return len(self.picture)

    def near(self, low: float, high: float) -> float:
        """Return a number between two."""
        return float(self.generator.uniform(low, high))

    def blob(self, centre: tuple[float, float], radii: tuple[float, float], rough: float) -> Field:
        """Return how far out each place lies: below 1 within a round shape with dents.

        Centre and radii are (x, y) in edges of the picture.
        """
        rows, columns = np.mgrid[: self.size, : self.size].astype(np.float32) / self.size
        right, down = (columns - centre[0]) / radii[0], (rows - centre[1]) / radii[1]
        angle, bound = np.arctan2(down, right), np.ones_like(right)
        for order in range(2, 7):
            dent = rough * self.generator.normal() / order
            bound += dent * np.cos(order * angle + self.near(0, 6.28))
        outness: Field = np.hypot(right, down) / np.maximum(bound, 0.2)
        return outness

    def even(self, shade: float) -> Field:
        """Return one grey, a little brighter here than there."""
        knots = self.generator.uniform(0.92, 1.08, (6, 6)).astype(np.float32)
        return shade * smooth(knots, self.size)

    def filling(self) -> Field:
        """Return even grey, or what a piece of a brain slice shows."""
        if self.generator.random() < 0.5:
            return self.even(self.near(0.05, 1.0))
        texture = piece(self.slices, self.generator).astype(np.float32) / 255
        return (texture * self.near(0.3, 1.0) + self.near(0, 0.3)).astype(np.float32)

    def lay(
        self, outness: Field, values: Field | float, edge: float, within: Field | None
    ) -> Field:
        """Lay values where `outness` is below 1, and `within` 1; return where they cover."""
        cover = np.clip((1 - outness) / edge + 0.5, 0, 1)
        cover = cover if within is None else cover * within
        self.picture = (self.picture * (1 - cover) + values * cover).astype(np.float32)
        covered: Field = cover.astype(np.float32)
        return covered

    def finished(self) -> Pixels:
        """Return the picture as a scanner gives it: shaded, blurred, noisy."""
        knots = self.generator.uniform(-1, 1, (3, 3)).astype(np.float32)
        shaded = self.picture * (1 + self.near(0, 0.35) * smooth(knots, self.size))
        blurred = cv2.GaussianBlur(shaded, (0, 0), self.near(0.3, 1.3))
        noise = cv2.GaussianBlur(self.generator.normal(0, 1, blurred.shape), (0, 0), 0.6)
        noisy = blurred + noise * self.near(0, 0.1)
        return greys(255 * noisy / max(float(np.percentile(noisy, 99.5)), 0.1))


def torso(slices: Slices, generator: Generator) -> Pixels:
    """Return a section through a trunk: fat around muscle, organs, bowel, kidneys, a spine."""
    canvas = Canvas(slices, generator)
    wide = canvas.near(0.42, 0.5)
    high = wide * canvas.near(0.55, 0.95)
    fat, muscle, organ = canvas.near(0.4, 1), canvas.near(0.1, 0.5), canvas.near(0.15, 0.7)
    rim = canvas.near(0.04, 0.22)
    square = canvas.near(2, 3.2)
    rows, columns = np.mgrid[: canvas.size, : canvas.size].astype(np.float32) / canvas.size
    outness = (
        (np.abs(columns - 0.5) / wide) ** square + (np.abs(rows - 0.5) / high) ** square
    ) ** (1 / square)
    canvas.lay(outness, canvas.even(fat), 0.03, None)
    wall = canvas.lay(outness / (1 - rim), canvas.even(muscle), 0.05, None)
    cavity = float(generator.choice([fat, organ, 0.1]))
    inside = canvas.lay(outness / (0.93 - rim), canvas.even(cavity), 0.05, None)
    _organs(canvas, (wide, high), organ, inside)
    _bowel(canvas, (wide * (1 - rim), high * (1 - rim)), inside)
    if generator.random() < 0.7:
        for side in (-1, 1):
            centre = 0.5 + side * wide * canvas.near(0.35, 0.5), 0.5 + high * 0.35
            radii = wide * canvas.near(0.1, 0.17), high * canvas.near(0.15, 0.28)
            kidney = canvas.blob(centre, radii, 0.15)
            canvas.lay(kidney, canvas.even(canvas.near(0.3, 1)), 0.1, inside)
            canvas.lay(kidney * 1.9, canvas.near(0.2, 1), 0.2, inside)
    _spine_across(canvas, (wide, high), muscle, wall)
    if generator.random() < 0.3:
        for x in (0.0, 1.0):
            arm = canvas.blob((x, 0.5 + generator.normal() * 0.08), (0.1, 0.12), 0.1)
            canvas.lay(arm, canvas.even(fat), 0.06, (outness > 1.05).astype(np.float32))
    return canvas.finished()


def _organs(canvas: Canvas, half: tuple[float, float], shade: float, inside: Field) -> None:
    wide, high = half
    side = float(canvas.generator.choice([-1, 1]))
    # Where each lies, in halves of the trunk; how large it is; how often it is there.
    for x, y, radii, share in (
        (-0.4, -0.1, (0.48, 0.62), 0.75),
        (0.6, 0.15, (0.18, 0.3), 0.7),
        (0.3, -0.35, (0.25, 0.25), 0.5),
    ):
        if canvas.generator.random() < share:
            centre = 0.5 + side * x * wide, 0.5 + y * high
            grown = canvas.near(0.75, 1.25)
            blob = canvas.blob(centre, (wide * radii[0] * grown, high * radii[1] * grown), 0.2)
            speckled = canvas.even(shade) + _vessels(canvas, int(canvas.generator.integers(0, 60)))
            canvas.lay(blob, speckled, 0.06, inside)
        shade = canvas.near(0, 1)


def _vessels(canvas: Canvas, count: int) -> Field:
    drawn = np.zeros((canvas.size, canvas.size), np.float32)
    for _ in range(count):
        place = [int(each) for each in canvas.generator.integers(0, canvas.size, 2)]
        cv2.circle(drawn, place, int(canvas.generator.integers(1, 4)), canvas.near(-0.3, 0.4), -1)
    blurred: Field = cv2.GaussianBlur(drawn, (0, 0), 0.8)
    return blurred


def _bowel(canvas: Canvas, half: tuple[float, float], inside: Field) -> None:
    for _ in range(int(canvas.generator.integers(0, 22))):
        angle, out = canvas.near(0, 6.28), canvas.near(0, 0.75)
        centre = 0.5 + np.cos(angle) * out * half[0], 0.5 + (np.sin(angle) * out - 0.1) * half[1]
        radius = half[0] * canvas.near(0.04, 0.14)
        loop = canvas.blob(centre, (radius, radius * canvas.near(0.6, 1.4)), 0.3)
        canvas.lay(loop, canvas.even(canvas.near(0.1, 1)), 0.15, inside)
        if canvas.generator.random() < 0.4:
            canvas.lay(loop * 1.4, canvas.near(0, 1), 0.15, inside)


def _spine_across(canvas: Canvas, half: tuple[float, float], muscle: float, wall: Field) -> None:
    radius = half[0] * canvas.near(0.11, 0.18)
    row = 0.5 + half[1] * canvas.near(0.35, 0.55)
    # In radii: right of the middle, below the vertebra, the size of each; shade and edge.
    parts: tuple[tuple[float, float, float, float, float, float], ...] = (
        (-1.9, 1.1, 1.6, 1.1, muscle, 0.1),
        (1.9, 1.1, 1.6, 1.1, muscle, 0.1),
        (0.0, 0.0, 1.0, 0.8, canvas.near(0.2, 0.8), 0.1),
        (0.0, 1.15, 0.4, 0.4, canvas.near(0, 1), 0.2),
        (0.0, 1.8, 0.3, 0.6, canvas.near(0.1, 0.9), 0.2),
        (-0.6, -1.2, 0.33, 0.33, float(canvas.generator.choice([0.0, 0.9])), 0.2),
        (0.6, -1.2, 0.33, 0.33, float(canvas.generator.choice([0.0, 0.9])), 0.2),
    )
    for right, below, across, down, shade, edge in parts:
        centre = 0.5 + right * radius, row + below * radius
        blob = canvas.blob(centre, (across * radius, down * radius), 0.1)
        canvas.lay(blob, canvas.even(shade), edge, wall)


def section(slices: Slices, generator: Generator) -> Pixels:
    """Return one limb or two, or what fills the frame: a rim, some organs, often a bone."""
    canvas = Canvas(slices, generator)
    limbs = int(generator.integers(1, 3))
    if generator.random() < 0.6:
        wide = 0.48 / limbs
        shapes = [
            ((place + 0.5) / limbs, wide * canvas.near(0.8, 1), wide * canvas.near(0.7, 1.3))
            for place in range(limbs)
        ]
    else:
        shapes = [(canvas.near(0.3, 0.7), canvas.near(0.25, 0.6), canvas.near(0.8, 1.6))]
    for x, wide, high in shapes:
        _limb(canvas, x, wide, high)
    if generator.random() < 0.3:
        _spine_along(canvas)
    return canvas.finished()


def _limb(canvas: Canvas, x: float, wide: float, high: float) -> None:
    outness = canvas.blob((x, 0.5), (wide, high), 0.12)
    canvas.lay(outness, canvas.even(canvas.near(0.1, 1)), 0.04, None)
    rim = canvas.near(0.05, 0.3)
    inside = canvas.lay(outness / (1 - rim), canvas.filling(), 0.06, None)
    for _ in range(int(canvas.generator.integers(2, 9))):
        angle, out = canvas.near(0, 6.28), canvas.near(0, 0.75) * (1 - rim)
        centre = x + np.cos(angle) * out * wide, 0.5 + np.sin(angle) * out * high
        radii = wide * canvas.near(0.08, 0.45), high * canvas.near(0.08, 0.45)
        canvas.lay(canvas.blob(centre, radii, 0.3), canvas.filling(), 0.1, inside)
    if canvas.generator.random() < 0.5:
        centre = x + canvas.near(-0.2, 0.2) * wide, 0.5 + canvas.near(-0.5, 0.5) * min(high, 0.4)
        radius = wide * canvas.near(0.12, 0.35)
        bone = canvas.blob(centre, (radius, radius), 0.15)
        canvas.lay(bone, 0.05, 0.1, inside)
        canvas.lay(bone * 1.2, canvas.even(canvas.near(0.3, 1)), 0.1, inside)


def _spine_along(canvas: Canvas) -> None:
    """Lay a row of vertebrae over the picture."""
    count, x, bend = int(canvas.generator.integers(4, 9)), canvas.near(0.3, 0.7), canvas.near(-1, 1)
    rows, columns = np.mgrid[: canvas.size, : canvas.size].astype(np.float32) / canvas.size
    shade = canvas.near(0.2, 1)
    for number in range(count):
        row = (number + 0.5) / count
        column = x + bend * 0.6 * (row - 0.5) ** 2
        outness = np.maximum(np.abs(columns - column) / 0.09, np.abs(rows - row) * count / 0.4)
        canvas.lay(outness, canvas.even(shade), 0.15, None)


def bottle(slices: Slices, generator: Generator) -> Pixels:
    """Return a bottle or a phantom: an even disc, with holes or a grid."""
    canvas = Canvas(slices, generator)
    disc = canvas.blob((0.5, 0.5), (canvas.near(0.35, 0.5), canvas.near(0.35, 0.5)), 0.0)
    inside = canvas.lay(disc, canvas.even(canvas.near(0.4, 1)), 0.03, None)
    for _ in range(int(generator.integers(0, 12))):
        radius = canvas.near(0.02, 0.15)
        hole = canvas.blob((canvas.near(0.2, 0.8), canvas.near(0.2, 0.8)), (radius, radius), 0.0)
        canvas.lay(hole, canvas.near(0, 1), 0.1, inside)
    if generator.random() < 0.3:
        step = int(generator.integers(4, 16))
        canvas.picture[::step] *= 0.2
        canvas.picture[:, ::step] *= 0.2
    return canvas.finished()


BODIES: tuple[Callable[[Slices, Generator], Pixels], ...] = (
    torso,
    torso,
    torso,
    section,
    section,
    section,
    bottle,
)
"""As often as each is drawn."""

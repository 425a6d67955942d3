"""Normalised heads: the same for copies, different for different heads."""

from __future__ import annotations

from collections.abc import Callable

import imagehash
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from tumorscope.duplicates.normalised_head import (
    EDGE,
    VIEWS,
    layout,
    normalised_head,
    view_matrix,
    views,
)
from tumorscope.imaging import Slice

Head = Callable[..., NDArray[np.uint8]]


def scan(pixels: NDArray[np.uint8]) -> Slice:
    return Slice(np.ascontiguousarray(pixels), "test")


def known_as(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return layout(normalised_head(scan(pixels)))


def resemblance(one: Slice, known: NDArray[np.float32]) -> float:
    """The cosine of the best view."""
    return float((views(normalised_head(one)) @ known).max())


def test_a_slice_resembles_itself_and_not_another(head: Head) -> None:
    known = known_as(head(4))
    assert resemblance(scan(head(4)), known) > 0.99
    assert all(resemblance(scan(head(seed)), known) < 0.94 for seed in range(5, 15))


@pytest.mark.parametrize("quarters", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_turns_and_mirrors_are_seen_through(head: Head, quarters: int, mirrored: bool) -> None:
    pixels = head(6)
    turned = np.rot90(pixels, quarters)
    turned = turned[:, ::-1] if mirrored else turned
    assert resemblance(scan(turned), known_as(pixels)) > 0.97


def test_views_are_unit_vectors_and_the_upright_one_is_the_layout(head: Head) -> None:
    one = normalised_head(scan(head(7)))
    seen = views(one)
    assert seen.shape == (len(VIEWS), EDGE * EDGE)
    assert np.allclose(np.linalg.norm(seen, axis=1), 1.0, atol=1e-5)
    upright = VIEWS.index((0, 0.0, 1.0))
    assert float(seen[upright] @ layout(one)) > 0.999


def test_an_upright_view_looks_straight_ahead() -> None:
    assert np.allclose(view_matrix(0, 0.0, 1.0, 0.7), np.eye(2))
    assert np.allclose(view_matrix(1, 0.0, 2.0), [[-0.5, 0.0], [0.0, 0.5]])
    # A quarter turn: what is right in the view is below in the head (y grows downwards).
    assert np.allclose(view_matrix(2, 0.0, 1.0) @ [1.0, 0.0], [0.0, 1.0], atol=1e-6)


@given(angle=st.floats(-20, 20), aspect=st.floats(0.4, 2.5), zoom=st.floats(0.8, 1.5))
def test_a_tilt_keeps_the_area_of_an_ellipse(angle: float, aspect: float, zoom: float) -> None:
    """The unit circle is the head: a tilted box is larger, never smaller."""
    matrix = view_matrix(0, angle, zoom, aspect).astype(float)
    assert np.linalg.det(matrix) * zoom**2 >= 1.0 - 1e-4
    back = view_matrix(0, 0.0, zoom, aspect)
    assert np.allclose(back, np.eye(2) / zoom, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (300, 2), (16, 16), (64, 64)])
def test_images_without_structure_resemble_nothing(shape: tuple[int, int]) -> None:
    blank = scan(np.full(shape, 77, np.uint8))
    one = normalised_head(blank)
    assert one.blank
    assert not layout(one).any()
    assert resemblance(blank, layout(one)) == 0.0


@given(height=st.integers(1, 60), width=st.integers(1, 60), seed=st.integers(0, 99))
def test_any_image_has_a_normalised_head(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    one = normalised_head(scan(pixels))
    assert np.isfinite(one.fine).all()
    assert np.isfinite(one.coarse).all()
    assert 0.25 <= one.aspect <= 4.0


def test_a_frame_and_padding_leave_no_trace(head: Head) -> None:
    pixels = head(8)
    framed = np.pad(pixels, 4, constant_values=255)
    framed = np.pad(framed, ((30, 5), (0, 60)), constant_values=128)
    assert resemblance(scan(framed), known_as(pixels)) > 0.97


def test_it_survives_what_the_oracle_survives_and_turns_that_it_does_not(head: Head) -> None:
    pixels = head(9)
    known = known_as(pixels)
    hashed = imagehash.phash(Image.fromarray(pixels))
    half = np.asarray(Image.fromarray(pixels).resize((96, 96)))
    assert hashed - imagehash.phash(Image.fromarray(half)) <= 8
    assert resemblance(scan(half), known) > 0.95
    turned = np.ascontiguousarray(np.rot90(pixels))
    assert hashed - imagehash.phash(Image.fromarray(turned)) > 16
    assert resemblance(scan(turned), known) > 0.95

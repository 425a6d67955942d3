"""Every option of preprocessing, frozen: a model answers well only for pixels made as ever.

Where a change here is wanted, models made before it are void: raise the schema version.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tumorscope.imaging import Preprocessing, Slice, prepare
from tumorscope.imaging.preprocess import placement

GOLDEN = {
    ("none", "stretch", "none"): [
        [76, 80, 88, 97, 98, 29, 5],
        [97, 92, 96, 106, 111, 106, 5],
        [111, 102, 103, 111, 121, 119, 5],
        [125, 117, 111, 189, 129, 133, 5],
        [139, 130, 123, 124, 134, 142, 5],
        [153, 144, 137, 135, 141, 151, 5],
        [165, 159, 150, 145, 150, 150, 5],
    ],
    ("none", "stretch", "percentile"): [
        [99, 106, 117, 129, 130, 34, 1],
        [128, 122, 128, 142, 149, 141, 1],
        [148, 137, 137, 149, 162, 160, 1],
        [167, 156, 148, 244, 173, 179, 1],
        [186, 175, 165, 166, 180, 191, 1],
        [206, 195, 184, 181, 190, 204, 1],
        [224, 214, 203, 196, 203, 202, 1],
    ],
    ("none", "pad", "none"): [
        [0, 0, 0, 0, 0, 0, 0],
        [91, 96, 97, 92, 86, 65, 5],
        [100, 103, 107, 112, 113, 107, 5],
        [128, 122, 115, 188, 123, 128, 5],
        [139, 144, 144, 137, 131, 134, 5],
        [147, 149, 154, 159, 159, 152, 5],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ("none", "pad", "percentile"): [
        [0, 0, 0, 0, 0, 0, 0],
        [121, 127, 129, 122, 114, 85, 2],
        [133, 137, 143, 149, 151, 143, 2],
        [172, 163, 154, 246, 165, 171, 1],
        [187, 194, 193, 184, 175, 180, 1],
        [198, 201, 208, 215, 215, 205, 2],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ("head", "stretch", "none"): [
        [37, 98, 85, 91, 93, 82, 5],
        [90, 108, 99, 96, 107, 92, 109],
        [104, 117, 113, 103, 120, 100, 120],
        [118, 123, 127, 112, 204, 114, 129],
        [132, 129, 141, 123, 142, 128, 135],
        [146, 135, 155, 135, 150, 142, 141],
        [160, 145, 166, 148, 158, 156, 37],
    ],
    ("head", "stretch", "percentile"): [
        [44, 128, 110, 118, 121, 106, 1],
        [117, 141, 129, 125, 140, 119, 143],
        [136, 154, 148, 135, 158, 131, 157],
        [155, 162, 167, 147, 254, 150, 170],
        [174, 169, 186, 162, 187, 169, 178],
        [193, 178, 205, 179, 199, 188, 186],
        [213, 191, 220, 196, 210, 207, 45],
    ],
    ("head", "pad", "none"): [
        [0, 0, 0, 0, 0, 0, 0],
        [89, 105, 89, 102, 94, 95, 73],
        [118, 103, 112, 111, 102, 118, 101],
        [121, 121, 129, 114, 201, 117, 126],
        [130, 145, 128, 139, 134, 133, 142],
        [157, 144, 149, 152, 142, 158, 142],
        [0, 0, 0, 0, 0, 0, 0],
    ],
    ("head", "pad", "percentile"): [
        [0, 0, 0, 0, 0, 0, 0],
        [116, 137, 115, 133, 122, 124, 94],
        [155, 135, 147, 146, 133, 155, 132],
        [159, 160, 170, 149, 251, 153, 165],
        [171, 192, 169, 183, 177, 175, 188],
        [208, 190, 198, 201, 187, 210, 187],
        [0, 0, 0, 0, 0, 0, 0],
    ],
}
"""(crop, fit, intensity) → every seventh pixel, from the third on, at a size of 48."""

LARGER = {
    160: [
        [4, 101, 91, 82, 73, 63, 4],
        [4, 112, 103, 93, 84, 74, 4],
        [5, 122, 114, 105, 95, 86, 5],
        [20, 136, 126, 117, 177, 98, 5],
        [22, 144, 138, 129, 119, 110, 5],
        [4, 159, 150, 140, 131, 121, 4],
        [4, 154, 161, 152, 142, 133, 4],
    ],
    320: [
        [0, 0, 0, 0, 0, 0, 0],
        [111, 91, 99, 100, 80, 110, 90],
        [110, 90, 120, 100, 128, 109, 89],
        [110, 140, 120, 118, 199, 109, 139],
        [144, 139, 119, 149, 129, 147, 138],
        [159, 139, 169, 148, 133, 158, 138],
        [0, 0, 0, 0, 0, 0, 0],
    ],
}
"""Shrunk less, and enlarged: every 23rd pixel of 160; of 320, head and pad, every 47th from 20."""


@pytest.fixture(scope="module")
def synthetic() -> Slice:
    """A textured ellipse off the centre, with a bright patch, on dark stripes; whole numbers."""
    rows, columns = np.mgrid[:150, :210].astype(np.int64)
    head = 4 * (rows - 80) ** 2 + 9 * (columns - 90) ** 2 < 36 * 45**2
    texture = 60 + (rows * 7 + columns * 3) % 50 + rows // 2
    texture[60:80, 95:125] += 70
    pixels = np.where(head, texture, 4 + rows % 3).astype(np.uint8)
    return Slice(pixels=pixels, source="synthetic")


@pytest.mark.parametrize("crop", ["none", "head"])
@pytest.mark.parametrize("fit", ["stretch", "pad"])
@pytest.mark.parametrize("intensity", ["none", "percentile"])
def test_pixels_of_every_option_are_frozen(
    synthetic: Slice,
    crop: Literal["none", "head"],
    fit: Literal["stretch", "pad"],
    intensity: Literal["none", "percentile"],
) -> None:
    how = Preprocessing(size=48, crop=crop, fit=fit, intensity=intensity)
    # One grey level, because OpenCV rounds differently on other processors.
    got = prepare(synthetic, how)[3::7, 3::7].astype(int)
    np.testing.assert_allclose(got, GOLDEN[crop, fit, intensity], atol=1)


def test_pixels_of_other_sizes_are_frozen(synthetic: Slice) -> None:
    shrunk = prepare(synthetic, Preprocessing(size=160)).astype(int)
    np.testing.assert_allclose(shrunk[::23, ::23], LARGER[160], atol=1)
    enlarged = prepare(synthetic, Preprocessing(size=320, crop="head", fit="pad")).astype(int)
    np.testing.assert_allclose(enlarged[20::47, 20::47], LARGER[320], atol=1)


@pytest.mark.parametrize("crop", ["none", "head"])
@pytest.mark.parametrize("fit", ["stretch", "pad"])
def test_the_placement_is_where_pixels_went(
    synthetic: Slice, crop: Literal["none", "head"], fit: Literal["stretch", "pad"]
) -> None:
    how = Preprocessing(size=96, crop=crop, fit=fit)
    marked = synthetic.pixels // 2
    marked[60:80, 95:125] = 255
    scan = Slice(pixels=marked, source="marked")
    place = placement(scan, how)
    top, bottom, left, right = place.box
    ends = prepare(scan, how) > 180
    inner = ends[place.top : place.top + place.height, place.left : place.left + place.width]
    assert inner.sum() == ends.sum() > 0
    rows, columns = np.nonzero(inner)
    centre_y = top + (rows.mean() + 0.5) * (bottom - top) / place.height
    centre_x = left + (columns.mean() + 0.5) * (right - left) / place.width
    assert abs(centre_y - 70) < 1.5
    assert abs(centre_x - 110) < 1.5
    assert (top, bottom, left, right) == (0, 150, 0, 210) or crop == "head"


@given(pixels=arrays(np.uint8, (32, 32), elements=st.integers(0, 255) | st.sampled_from([0, 9])))
def test_the_window_is_that_of_the_percentiles(pixels: np.ndarray) -> None:
    low, high = np.percentile(pixels, (1.0, 99.0))
    wanted = pixels
    if high > low:
        values = (pixels.astype(np.float32) - low) * (255.0 / (high - low))
        wanted = np.rint(np.clip(values, 0.0, 255.0)).astype(np.uint8)
    how = Preprocessing(size=32, intensity="percentile")
    np.testing.assert_array_equal(prepare(Slice(pixels=pixels, source="any"), how), wanted)

"""What drawn pictures are made with."""

from __future__ import annotations

import numpy as np

from tumorscope.synthetic.fields import greys, smooth, through_jpeg


def test_few_numbers_become_a_smooth_field_of_about_their_range() -> None:
    knots = np.random.default_rng(0).uniform(-1, 1, (5, 5)).astype(np.float32)
    field = smooth(knots, 96)
    assert field.shape == (96, 96)
    assert np.abs(np.diff(field, axis=0)).max() < 0.2
    assert np.abs(field).max() < 1.5


def test_values_beyond_grey_are_clipped_and_others_rounded() -> None:
    assert greys(np.array([-1.0, 0.4, 0.6, 254.7, 400.0])).tolist() == [0, 0, 1, 255, 255]


def test_a_jpeg_of_high_quality_hardly_changes_a_picture() -> None:
    ramp = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    assert np.abs(through_jpeg(ramp, 95).astype(int) - ramp).max() <= 4
    assert np.abs(through_jpeg(ramp, 10).astype(int) - ramp).max() > 4

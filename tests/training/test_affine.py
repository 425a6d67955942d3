"""The affine map of augmentation is what its ranges say, about the middle of the picture."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.recipes.parts import Augmentation
from tumorscope.training.affine import affine

SIZE = 48


@given(
    rotation=st.floats(0, 45),
    zoom=st.floats(0, 0.4),
    shear=st.floats(0, 20),
    seed=st.integers(0, 1000),
)
def test_the_area_changes_as_zoom_and_shear_say(
    rotation: float, zoom: float, shear: float, seed: int
) -> None:
    ranges = Augmentation(rotation=rotation, zoom=zoom, shear=shear, horizontal_flip=True)
    matrix = affine(ranges, SIZE, np.random.default_rng(seed))
    area = abs(np.linalg.det(matrix[:, :2]))
    lowest = (1 - zoom) ** 2 * np.cos(np.radians(shear))
    assert lowest - 1e-9 <= area <= (1 + zoom) ** 2 + 1e-9
    middle = np.array([(SIZE - 1) / 2] * 2)
    np.testing.assert_allclose(matrix[:, :2] @ middle + matrix[:, 2], middle, atol=1e-9)

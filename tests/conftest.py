"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

# No deadline: on a busy machine a slow example says nothing about the code.
settings.register_profile("tumorscope", deadline=None)
settings.load_profile("tumorscope")


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with navoneel_253/ and weights/; the test skips where it is absent."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("TUMORSCOPE_DATA", beside))
    if not (folder / "navoneel_253").is_dir():
        pytest.skip("needs the public data set; set TUMORSCOPE_DATA to the folder that holds it")
    return folder


@pytest.fixture
def tiny_cohort(tmp_path: Path) -> Path:
    """Six distinct noise images, 96 × 96, in each of yes/ and no/; yes/ with a bright disc."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:96, :96]
    for label, folder in enumerate(("no", "yes")):
        (tmp_path / "data" / folder).mkdir(parents=True)
        for index in range(6):
            pixels = rng.normal(90, 25, (12, 12)).repeat(8, axis=0).repeat(8, axis=1)
            if label:
                pixels[(rows - 30 - 5 * index) ** 2 + (columns - 50) ** 2 < 150] = 240
            image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
            image.save(tmp_path / "data" / folder / f"{folder}{index}.png")
    return tmp_path / "data"

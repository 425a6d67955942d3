"""The audit that users call asks the packaged model what is perhaps no brain MRI."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tumorscope as ts
from tumorscope.detection.detector import PACKAGED


@pytest.mark.skipif(not PACKAGED.is_file(), reason="this installation holds no model")
def test_noise_among_brains_is_flagged(tmp_path: Path) -> None:
    ts.write_phantom_cohort(tmp_path / "data", n=12, seed=1)
    noise = np.random.default_rng(0).integers(0, 255, (128, 128)).astype(np.uint8)
    Image.fromarray(noise).save(tmp_path / "data" / "no" / "noise.png")
    found = ts.audit(tmp_path / "data", probes=False)
    flagged = [row.path for row in found.manifest.rows if "not-brain-mri" in row.flags]
    assert "no/noise.png" in flagged
    assert found.input_checks is not None
    assert found.input_checks.furthest[0] == "no/noise.png"
    assert ts.audit(tmp_path / "data", probes=False, input_check=False).input_checks is None


def test_the_abdomen_in_the_paper_s_data_set_is_to_be_looked_at(real_data: Path) -> None:
    if not PACKAGED.is_file():
        pytest.skip("this installation holds no model")
    found = ts.audit(real_data / "navoneel_253", probes=False)
    flags = {row.path: row.flags for row in found.manifest.rows}
    assert "unusual" in flags["yes/Y248.JPG"]
    assert found.flags["not-brain-mri"] + found.flags["unusual"] <= 6

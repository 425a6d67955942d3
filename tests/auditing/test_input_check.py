"""What an input check says of a cohort: refused, unusual, and what to look at first."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.fixtures.audits import audit

import tumorscope as ts
from tumorscope.auditing.input_check import FEWEST, Checked, InputChecks
from tumorscope.auditing.sentences import on_checks
from tumorscope.detection.detector import PACKAGED
from tumorscope.imaging.slice import Slice


class Brightness:
    """The distance of an image is its mean grey; beyond 200 it is refused, and so is colour."""

    model = "brightness@1"
    limit = 200.0

    def check(self, scan: Slice, coloured: float) -> tuple[tuple[str, ...], float | None]:
        distance = float(scan.pixels.mean())
        refused = distance > self.limit or coloured > 0.5
        return ("not-brain-mri",) if refused else (), distance


def gathered(distances: list[float]) -> InputChecks:
    checked = {
        f"{number:02}": Checked(("not-brain-mri",) if value > 200 else (), value)
        for number, value in enumerate(distances)
    }
    return InputChecks.of(Brightness(), checked)


def test_what_lies_much_further_than_the_rest_is_unusual() -> None:
    usual = np.random.default_rng(0).normal(100, 5, 40).tolist()
    found = gathered([*usual, 150.0, 230.0])
    assert found.unusual == ("40",)
    assert found.refused == {"41": ("not-brain-mri",)}
    assert found.furthest[:2] == ("41", "40")
    assert "Look at 2 images" in on_checks(found)
    assert found.to_json()["limit"] == 200.0


@pytest.mark.parametrize("count", [FEWEST - 2, FEWEST + 10])
def test_of_few_or_equal_images_nothing_is_unusual(count: int) -> None:
    spread = [100.0] * count if count > FEWEST else [*np.linspace(90, 110, count)]
    found = gathered([*spread, 190.0])
    assert found.unusual == ()
    assert on_checks(found) == ""


def test_images_refused_without_a_distance_come_first() -> None:
    checked = {"a": Checked((), 1.0), "b": Checked(("blank",), None)}
    assert InputChecks.of(Brightness(), checked).furthest == ("b", "a")


def test_an_audit_flags_and_shows_what_the_check_says(tiny_cohort: Path, tmp_path: Path) -> None:
    found = audit(tiny_cohort, output=tmp_path / "out", probes=False, input_check=Brightness())
    assert found.flags["not-brain-mri"] == 0
    Image.new("L", (96, 96), 250).save(tiny_cohort / "yes" / "white.png")
    found = audit(tiny_cohort, output=tmp_path / "out", probes=False, input_check=Brightness())
    flags = {row.path: row.flags for row in found.manifest.rows}
    assert flags["yes/white.png"] == ("not-brain-mri",)
    page = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert "Furthest from brain MRI" in page
    assert "yes/white.png, 250.00 not-brain-mri" in page
    assert audit(tiny_cohort, probes=False).input_checks is None


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

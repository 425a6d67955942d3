"""`tumorscope predict` on input that is odd on purpose: harmless stand-ins for hostile files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.cli.app import run
from tumorscope.common.csv_files import read_csv
from tumorscope.common.memory import DEFAULT, IMAGES
from tumorscope.detection import detector, pictures
from tumorscope.imaging import Preprocessing, Slice, prepare


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        pixels = rng.integers(0, 200, (10, 10), dtype=np.uint8).repeat(9, 0).repeat(9, 1)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return folder


def test_an_image_that_needs_more_memory_than_allowed_is_a_row(
    tiny_model: Path, scans: Path, tmp_path: Path
) -> None:
    Image.new("RGB", (3000, 3000)).save(scans / "large.png")
    words = ["predict", str(scans), "--model", str(tiny_model), "-o", str(tmp_path / "t.csv")]
    assert run([*words, "--image-memory", "64", "--overlays", str(tmp_path / "maps")]) == 4
    rows = {Path(row["path"]).name: row for row in read_csv(tmp_path / "t.csv")}
    assert len(rows) == 5
    assert "of which images may take 64 MiB" in rows["large.png"]["reasons"]
    assert IMAGES.limit == DEFAULT
    assert run(words) == 0


def test_an_image_for_which_memory_runs_out_is_a_row_and_the_batch_goes_on(
    tiny_model: Path, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def scarce(scan: Slice, how: Preprocessing) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError
        return prepare(scan, how)

    monkeypatch.setattr(detector, "prepare", scarce)
    words = ["predict", str(scans), "--model", str(tiny_model), "--threads", "1"]
    assert run([*words, "-o", str(tmp_path / "t.csv")]) == 4
    rows = read_csv(tmp_path / "t.csv")
    assert [row["decision"] for row in rows].count("unreadable") == 1
    assert "memory does not suffice" in next(r["reasons"] for r in rows if "unread" in r["reasons"])


def test_a_picture_for_which_memory_runs_out_costs_no_row(
    tiny_model: Path,
    scans: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def scarce(_: Path) -> None:
        raise MemoryError

    monkeypatch.setattr(pictures, "read_slice", scarce)
    words = ["predict", str(scans), "--model", str(tiny_model), "-o", str(tmp_path / "t.csv")]
    assert run([*words, "--overlays", str(tmp_path / "maps")]) == 0
    assert len(read_csv(tmp_path / "t.csv")) == 4
    assert "No picture of" in capsys.readouterr().err


def test_too_small_a_budget_is_wrong_usage(tiny_model: Path, scans: Path) -> None:
    assert run(["predict", str(scans), "--model", str(tiny_model), "--image-memory", "1"]) == 2

"""`tumorscope predict` on input that is odd on purpose: harmless stand-ins for hostile files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.cli.app import emit, run
from tumorscope.cli.options import Common
from tumorscope.common.csv_files import read_csv
from tumorscope.common.faults import explain
from tumorscope.common.memory import DEFAULT, IMAGES
from tumorscope.detection import detector, pictures
from tumorscope.detection.engines import Outputs, onnxruntime
from tumorscope.imaging import Preprocessing, Slice, prepare
from tumorscope.model_file.onnx_file import ModelFile, read_model, write_model


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


def test_control_characters_are_shown_and_never_sent(
    tiny_model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = read_model(tiny_model)
    card = model.metadata.model_copy(update={"card": "# A\x1b]0;title\x07\ncard\u202e"})
    write_model(tmp_path / "m.onnx", model.graph, card)
    assert run(["describe", str(tmp_path / "m.onnx")]) == 0
    odd = tmp_path / "a\x1b[31m.png"
    odd.write_bytes(b"no image")
    assert (
        run(["predict", str(odd), "--model", str(tiny_model), "-o", str(tmp_path / "t.csv")]) == 3
    )
    assert run(["predict", str(tmp_path / "\x1b[2J"), "--model", str(tmp_path / "\x1b")]) == 3
    out, err = capsys.readouterr()
    assert "\x1b" not in out + err
    assert "\\x1b]0;title\\x07\ncard\\u202e" in out


def test_names_that_a_spreadsheet_would_compute_are_text(
    tiny_model: Path, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (scans / "0.png").rename(scans / "=1+2.png")
    monkeypatch.chdir(scans)
    words = ["predict", "=1+2.png", "--model", str(tiny_model)]
    assert run([*words, "-o", str(tmp_path / "t.csv")]) == 0
    assert "\n'=1+2.png," in (tmp_path / "t.csv").read_text()
    assert read_csv(tmp_path / "t.csv")[0]["path"] == "=1+2.png"


def test_a_distance_beyond_all_numbers_is_a_refusal_in_every_table(
    tiny_model: Path, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def beyond(values: Sequence[np.ndarray], model: ModelFile, count: int) -> Outputs:
        far = np.full(count, np.inf, np.float32)
        return Outputs(values[0], values[1], values[2], values[3], far)

    monkeypatch.setattr(onnxruntime, "outputs_of", beyond)
    words = ["predict", str(scans), "--model", str(tiny_model)]
    assert run([*words, "--json"]) == 0
    assert run([*words, "-o", str(tmp_path / "t.jsonl")]) == 0
    for line in (tmp_path / "t.jsonl").read_text().splitlines():
        assert json.loads(line, parse_constant=pytest.fail)["reasons"] == "not-brain-mri"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (RecursionError(), "nested deeper"),
        (UnicodeEncodeError("utf-8", "\udc80", 0, 1, "surrogates not allowed"), "no file can hold"),
    ],
)
def test_what_no_file_holds_is_no_internal_fault(error: Exception, words: str) -> None:
    told = explain(error, to="run it")
    assert told is not None
    assert told.exit_code == 3
    assert words in str(told)


def test_a_number_that_json_does_not_have_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    emit(Common(json=True), {"a": [float("nan"), 1.0]}, "")
    assert json.loads(capsys.readouterr().out) == {"a": [None, 1.0]}


def test_a_link_to_itself_is_a_row_and_the_others_are_read(
    tiny_model: Path, scans: Path, tmp_path: Path
) -> None:
    (scans / "loop").symlink_to("loop")
    (scans / "loop.png").symlink_to("loop.png")
    (scans / "pipe.png").symlink_to(os.devnull)
    words = ["predict", str(scans), "--model", str(tiny_model), "-o", str(tmp_path / "t.csv")]
    assert run(words) == 4
    rows = {Path(row["path"]).name: row["decision"] for row in read_csv(tmp_path / "t.csv")}
    unreadable = {name for name, decision in rows.items() if decision == "unreadable"}
    assert unreadable == {"loop", "loop.png", "pipe.png"}
    assert len(rows) == 7


def test_a_folder_that_cannot_be_listed_is_a_row_and_the_others_are_read(
    tiny_model: Path, scans: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, listed = scans / "closed", os.scandir
    closed.mkdir()

    def refuse(folder: Path | str) -> object:
        if Path(folder) == closed:
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    words = ["predict", str(scans), "--model", str(tiny_model), "-o", str(tmp_path / "t.csv")]
    assert run(words) == 4
    rows = {Path(row["path"]).name: row["decision"] for row in read_csv(tmp_path / "t.csv")}
    assert rows["closed"] == "unreadable"
    assert len(rows) == 5

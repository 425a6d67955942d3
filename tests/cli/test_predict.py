"""``tumorscope predict``: tables, exit codes, Ctrl-C, and bad input of every kind."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.cli.app import run
from tumorscope.common.csv_files import read_csv
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.detection.tables import FINDING_COLUMNS

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    (folder / "sub").mkdir(parents=True)
    rng = np.random.default_rng(0)
    for number in range(6):
        pixels = rng.integers(0, 40 * (number + 1), (10, 10), dtype=np.uint8)
        Image.fromarray(pixels.repeat(9, 0).repeat(9, 1)).save(folder / f"{number}.png")
    Image.fromarray(np.full((80, 80), 9, np.uint8)).save(folder / "sub" / "blank.png")
    return folder


def test_piped_rows_are_csv_and_words_go_to_stderr(
    tiny_model: Path, scans: Path, capsys: Capture
) -> None:
    assert run(["predict", str(scans), "--model", str(tiny_model)]) == 0
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert list(rows[0]) == list(FINDING_COLUMNS)
    assert [Path(row["path"]).name for row in rows] == [
        *(f"{n}.png" for n in range(6)),
        "blank.png",
    ]
    assert (rows[-1]["decision"], rows[-1]["reasons"]) == ("refused", "blank")
    assert all(0 <= float(row["probability"]) <= 1 for row in rows[:-1])
    assert "7 images" in err
    assert err.rstrip().endswith(RESEARCH_USE_ONLY)


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_a_table_and_overlays(tiny_model: Path, scans: Path, tmp_path: Path, suffix: str) -> None:
    if suffix == "parquet":
        pytest.importorskip("pyarrow", reason="needs the parquet extra")
    output = tmp_path / "out" / f"findings.{suffix}"
    words = ["predict", str(scans), "--model", str(tiny_model), "-o", str(output)]
    assert run([*words, "--overlays", str(tmp_path / "maps"), "--quiet"]) == 0
    assert [path.name for path in output.parent.iterdir()] == [output.name]  # no log is left
    maps = sorted(
        path.relative_to(tmp_path / "maps") for path in (tmp_path / "maps").rglob("*.png")
    )
    assert maps == [*(Path(f"{n}.png.png") for n in range(6)), Path("sub/blank.png.png")]


def test_json_is_one_document(tiny_model: Path, scans: Path, capsys: Capture) -> None:
    assert run(["predict", str(scans / "0.png"), "--model", str(tiny_model), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["notice"] == RESEARCH_USE_ONLY
    assert document["model"].startswith("tiny@")
    assert len(document["findings"]) == 1
    assert sum(document["decisions"].values()) == 1


def test_what_a_folder_holds_besides_images_is_counted(
    tiny_model: Path, scans: Path, capsys: Capture
) -> None:
    words = ["predict", str(scans), "--model", str(tiny_model), "--json"]
    (scans / "README.txt").write_text("no scan")
    (scans / ".ipynb_checkpoints").mkdir()
    (scans / "0.png").rename(scans / ".ipynb_checkpoints" / "0.png")
    assert run(words) == 0
    (scans / "sub" / "a.dcm").write_bytes(b"")
    (scans / "sub" / "b.nii.gz").write_bytes(b"")
    assert run(words) == 4
    out, err = capsys.readouterr()
    document = json.loads(out[out.rindex('{\n  "notice"') :])
    counts = {reason: each["count"] for reason, each in document["passed_over"].items()}
    assert counts == {"hidden": 1, "not-an-image": 1}
    assert document["not_read"] == {"damaged": 2}
    assert [row["decision"] for row in document["findings"][-2:]] == ["unreadable"] * 2
    assert len(document["findings"]) == 8
    assert err.count("Not read: ") == 2
    assert "Passed over: 1 hidden file" in err


def test_operating_points_decide(tiny_model: Path, scans: Path, capsys: Capture) -> None:
    thresholds = {}
    for name in ("screening", "specific"):
        words = ["predict", str(scans), "--model", str(tiny_model), "--operating-point", name]
        assert run([*words, "--json"]) == 0
        findings = json.loads(capsys.readouterr().out)["findings"]
        thresholds[name] = {each["threshold"] for each in findings}
    assert thresholds == {"screening": {0.2}, "specific": {0.8}}


def test_some_unreadable_is_4_and_all_unreadable_is_3(
    tiny_model: Path, scans: Path, tmp_path: Path, capsys: Capture
) -> None:
    (scans / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0 torn")
    output = tmp_path / "findings.csv"
    words = ["--model", str(tiny_model), "-o", str(output)]
    assert run(["predict", str(scans), *words]) == 4
    assert "torn.jpg" in capsys.readouterr().err
    with output.open(newline="") as stream:
        reasons = {Path(row["path"]).name: row["reasons"] for row in csv.DictReader(stream)}
    assert reasons["torn.jpg"].startswith("unreadable: ")
    assert run(["predict", str(scans / "torn.jpg"), *words]) == 3
    assert "The only file could not be read" in capsys.readouterr().err
    assert run(["predict", str(tmp_path / "gone.png"), *words]) == 3


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ([], 2, "PATHS"),
        (["{scans}", "--resume"], 2, "without -o"),
        (["{scans}", "-o", "x.xlsx"], 2, "Cannot tell the format"),
        (["{scans}", "--operating-point", "mine"], 2, "Unknown operating point"),
        (["{scans}", "--batch", "0"], 2, "expected at least 1"),
        (["{scans}", "--threads", "0"], 2, "expected at least 1"),
        (["{empty}"], 3, "Found no images"),
        (["{scans}", "--model", "{scans}/0.png"], 3, "Cannot use"),
        (["{scans}", "--model", "gone.onnx"], 3, "no such file"),
        (["{scans}", "-o", "{scans}/0.png/t.csv"], 3, "Cannot write"),
        (["{scans}", "--overlays", "{scans}/0.png"], 3, "annot"),
        (["{scans}", "--overlays", "{scans}"], 2, "among the scans"),
        (["{scans}/sub", "{empty}", "--overlays", "{scans}"], 2, "among the scans"),
    ],
)
def test_wrong_usage_and_unusable_input(
    tiny_model: Path,
    scans: Path,
    tmp_path: Path,
    capsys: Capture,
    words: list[str],
    code: int,
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    filled = [word.format(scans=scans, empty=tmp_path / "empty") for word in words]
    if "--model" not in filled:
        filled += ["--model", str(tiny_model)]
    assert run(["predict", *filled]) == code
    told = capsys.readouterr()
    assert message in told.err
    assert not told.out  # not even the heading of a table


def test_overlays_below_the_scans_are_not_read_as_scans(
    tiny_model: Path, scans: Path, tmp_path: Path
) -> None:
    output = tmp_path / "findings.csv"
    maps = scans / "sub" / "new" / "maps"
    words = ["predict", str(scans), "--model", str(tiny_model), "-o", str(output)]
    for _ in range(2):
        assert run([*words, "--overlays", str(maps), "--quiet"]) == 0
        with output.open(newline="") as stream:
            assert len(list(csv.DictReader(stream))) == 7
    assert len(list(maps.rglob("*.png"))) == 7


def test_what_is_no_file_is_a_row(tiny_model: Path, scans: Path, tmp_path: Path) -> None:
    os.mkfifo(scans / "pipe.png")
    (scans / "zero.png").symlink_to("/dev/zero")
    output = tmp_path / "findings.csv"
    words = ["predict", str(scans), "--model", str(tiny_model), "--quiet"]
    for more in ([], ["-o", str(output)], ["-o", str(output)]):
        assert run([*words, *more]) == 4
    with output.open(newline="") as stream:
        reasons = {Path(row["path"]).name: row["reasons"] for row in csv.DictReader(stream)}
    for name in ("pipe.png", "zero.png"):
        assert "not a regular file" in reasons[name]
    assert run(["predict", str(scans / "pipe.png"), "--model", str(tiny_model)]) == 3


def test_going_on_leaves_another_batch_alone(tiny_model: Path, scans: Path, tmp_path: Path) -> None:
    theirs = tmp_path / ".a-b-0a1b2c3d.partial.csv"
    ours = tmp_path / ".a-0a1b2c3d.partial.csv"
    theirs.touch()
    ours.touch()
    words = ["predict", str(scans), "--model", str(tiny_model), "--quiet", "--resume"]
    assert run([*words, "-o", str(tmp_path / "a.csv")]) == 0
    assert theirs.exists()
    assert not ours.exists()


def test_a_leftover_log_is_neither_used_nor_lost_unasked(
    tiny_model: Path, scans: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "t.csv.log").write_text("precious\n")
    words = ["predict", str(scans), "--model", str(tiny_model), "-o", str(tmp_path / "t.csv")]
    assert run(words) == 2
    assert "Add --resume" in capsys.readouterr().err
    assert run([*words, "--resume"]) == 3
    assert (tmp_path / "t.csv.log").read_text() == "precious\n"


def test_odd_names_stay_one_row_each(
    tiny_model: Path, scans: Path, tmp_path: Path, capsys: Capture
) -> None:
    odd = scans / "odd"
    odd.mkdir()
    for name in ("two\nlines.png", "größe, “µ”.png", "-o.png"):
        (odd / name).write_bytes((scans / "5.png").read_bytes())
    assert run(["predict", str(odd), "--model", str(tiny_model)]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert {Path(row["path"]).name for row in rows} == {path.name for path in odd.iterdir()}


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "tumorscope", *map(str, words)]


def many(folder: Path, count: int) -> Path:
    """Hard links to one picture: nothing to write, all to be computed."""
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "000000.png")
    for number in range(1, count):
        os.link(folder / "000000.png", folder / f"{number:06d}.png")
    return folder


def test_ctrl_c_ends_cleanly_and_says_how_to_go_on(tiny_model: Path, tmp_path: Path) -> None:
    folder = many(tmp_path / "many", 20_000)
    output = tmp_path / "out" / "t.csv"
    process = subprocess.Popen(
        command("predict", folder, "--model", tiny_model, "-o", output),
        stderr=subprocess.PIPE,
        text=True,
        # Shells start background jobs, such as this test may be part of, deaf to Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    log = output.with_name("t.csv.log")
    while not log.exists() or log.stat().st_size < 2000:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "--resume" in err
    assert "Traceback" not in err
    assert [path.name for path in output.parent.iterdir()] == ["t.csv.log"]
    assert log.read_bytes().endswith(b"\n")


def test_a_second_batch_into_one_table_leaves_the_first_alone(
    tiny_model: Path, scans: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = many(tmp_path / "many", 2_000)
    output, maps = tmp_path / "out" / "t.csv", tmp_path / "maps"
    output.parent.mkdir()
    words = ["predict", str(folder), "--model", str(tiny_model), "--overlays", str(maps)]
    first = subprocess.Popen(command(*words, "-o", output), stderr=subprocess.DEVNULL)
    log = output.with_name("t.csv.log")
    while not log.exists() or log.stat().st_size < 2000:
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGSTOP)  # so that it is at work for as long as it takes
    before = log.stat().st_ino
    busy = f"Another process (pid {first.pid}, since "
    for more in ([], ["--resume"]):
        assert run([*words, "-o", str(output), *more]) == 3
        assert busy in capsys.readouterr().err
    # Nor may two batches paint into one folder.
    assert run([*words, "-o", str(tmp_path / "other.csv")]) == 3
    assert f"{busy}" in capsys.readouterr().err
    assert not (tmp_path / "other.csv").exists()
    assert log.stat().st_ino == before
    assert len(list(output.parent.glob(".t-*.partial.csv"))) == 1
    first.kill()
    first.wait()
    # Killed, it is in nobody's way: other images are refused, and its own gone on with.
    words = ["--model", str(tiny_model), "-o", str(output), "--resume", "--quiet"]
    kept = log.read_bytes()
    assert run(["predict", str(scans), *words]) == 3
    assert f"images: {folder} then, {scans} now" in capsys.readouterr().err
    assert run(["predict", str(folder), *words, "--operating-point", "screening"]) == 3
    assert "operating_point: balanced then, screening now" in capsys.readouterr().err
    assert log.read_bytes() == kept
    for number in range(20, 2_000):
        (folder / f"{number:06d}.png").unlink()
    assert run(["predict", str(folder), *words]) == 0
    assert sorted(path.name for path in output.parent.iterdir()) == ["t.csv"]
    with output.open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 20


def test_a_huge_folder_shows_progress_at_once(tiny_model: Path, tmp_path: Path) -> None:
    folder = many(tmp_path / "many", 30_000)
    ours, theirs = pty.openpty()
    before = os.times()
    process = subprocess.Popen(
        command("predict", folder, "--model", tiny_model, "-o", tmp_path / "t.csv"),
        stderr=theirs,
        stdout=subprocess.DEVNULL,
    )
    os.close(theirs)
    seen = b""
    while b"Detecting" not in seen:
        seen += os.read(ours, 4096)
    process.kill()
    process.wait()
    os.close(ours)
    # Of its own time, as the machine may be busy. Promised for 100,000 files are 2 s.
    assert os.times().children_user - before.children_user < 10.0


def test_a_named_folder_without_images_is_told_and_counted(
    tiny_model: Path, scans: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "empty").mkdir()
    named = [str(scans / "0.png"), str(tmp_path / "empty")]
    assert run(["predict", *named, "--model", str(tiny_model), "--json"]) == 4
    out, err = capsys.readouterr()
    assert f"No images in {tmp_path / 'empty'}." in err
    assert json.loads(out)["passed_over"]["folder-without-images"]["count"] == 1


def test_overlays_of_an_earlier_run_are_no_scans(
    tiny_model: Path, scans: Path, capsys: Capture
) -> None:
    options = ["--model", str(tiny_model), "--json"]
    assert run(["predict", str(scans), "--overlays", str(scans / "overlays"), *options]) == 0
    capsys.readouterr()
    assert run(["predict", str(scans), *options]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["findings"]) == 7
    assert found["passed_over"]["overlay"]["count"] == 7


def test_the_folder_of_a_run_stands_for_its_model(
    tiny_model: Path, scans: Path, tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    assert run(["predict", str(scans), "--model", str(folder)]) == 3
    assert "is a folder without a model.onnx" in capsys.readouterr().err
    (folder / "model.onnx").write_bytes(tiny_model.read_bytes())
    (folder / "model.keras").write_bytes(b"PK")
    assert run(["predict", str(scans), "--model", str(folder)]) == 0
    assert run(["describe", str(folder)]) == 0
    capsys.readouterr()
    assert run(["predict", str(scans), "--model", str(folder / "model.keras")]) == 3
    assert f"Give {folder / 'model.onnx'}." in capsys.readouterr().err


def test_fast_is_told_to_change_nothing_where_it_does_not(
    tiny_model: Path, scans: Path, capsys: Capture
) -> None:
    assert run(["predict", str(scans), "--model", str(tiny_model), "--fast"]) == 0
    assert "--fast changes nothing with the engine onnxruntime" in capsys.readouterr().err


def test_whether_images_were_seen_need_not_be_asked(
    tiny_model: Path, scans: Path, tmp_path: Path, capsys: Capture
) -> None:
    given = ["predict", str(scans), "--model", str(tiny_model), "--quiet", "--json", "-o"]
    table, unasked = tmp_path / "a.csv", tmp_path / "b.csv"
    assert run([*given, str(table)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert run([*given, str(unasked), "--skip-seen-check"]) == 0
    records, others = read_csv(table), read_csv(unasked)
    assert told["seen"] == [each["seen"] for each in records].count("true")
    assert "" not in {each["seen"] for each in records}
    assert {each["seen"] for each in others} == {""}
    kept = ("path", "decision", "probability")
    assert [[row[name] for name in kept] for row in others] == [
        [row[name] for name in kept] for row in records
    ]


def test_a_model_and_a_recipe_are_not_described_at_once(tiny_model: Path, capsys: Capture) -> None:
    assert run(["describe", str(tiny_model), "--recipe", "paper"]) == 2
    assert "Leave one of them out" in capsys.readouterr().err

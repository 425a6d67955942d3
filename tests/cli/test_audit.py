"""``tumorscope audit`` as a user meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tumorscope.cli.app import run

pytestmark = pytest.mark.usefixtures("few_trees", "unplotted")


def test_it_prints_a_table_and_names_the_report(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["audit", str(tiny_cohort), "-o", str(out)]) == 0
    printed = capsys.readouterr()
    assert "Label conflicts" in printed.out
    assert "6 tumour in 6 groups, 6 no tumour in 6 groups" in printed.out
    assert f"Open {out / 'report.html'}" in printed.err
    assert sorted(file.name for file in out.iterdir()) == [
        "audit.json",
        "manifest.csv",
        "report.html",
    ]


def test_json_on_standard_output_is_one_document(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ["audit", str(tiny_cohort), "--against", str(tiny_cohort), "-o", str(out)]
    assert run([*words, "--json", "--quiet"]) == 0
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert document == json.loads((out / "audit.json").read_text())
    assert len(document["overlap"]) == 12
    assert printed.err == ""


def test_unreadable_files_make_exit_code_4_and_are_listed(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = (tiny_cohort / "yes/yes0.png").read_bytes()
    (tiny_cohort / "no/cut.png").write_bytes(whole[: len(whole) // 2])
    assert run(["audit", str(tiny_cohort), "-o", str(tmp_path / "out")]) == 4
    printed = capsys.readouterr()
    assert "13, of which 1 unreadable" in printed.out
    assert "no/cut.png" in printed.err


@pytest.mark.parametrize("content", ["missing", "empty", "classes that disagree"])
def test_unusable_folders_make_exit_code_3_and_one_paragraph(
    tmp_path: Path, tiny_cohort: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    data = tmp_path / "bad"
    if content != "missing":
        data.mkdir()
    if content == "classes that disagree":
        (tiny_cohort / "yes").rename(data / "yes")
        (tiny_cohort / "no").rename(data / "yes" / "no")
    assert run(["audit", str(data), "-o", str(tmp_path / "out")]) == 3
    message = capsys.readouterr().err
    assert "Expected" in message
    assert "Traceback" not in message


def test_what_is_left_out_is_said_counted_and_makes_exit_code_4(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tiny_cohort / "README.txt").write_text("nothing that looks like a scan")
    out = tmp_path / "out"
    assert run(["audit", str(tiny_cohort), "-o", str(out)]) == 0
    assert "README.txt" in capsys.readouterr().err
    (tiny_cohort / "astrocytoma").mkdir()
    (tiny_cohort / "no/no0.png").rename(tiny_cohort / "astrocytoma/a.png")
    assert run(["audit", str(tiny_cohort), "-o", str(out)]) == 4
    printed = capsys.readouterr()
    assert "2 files or folders, 1 of them may be scans" in printed.out
    assert "astrocytoma/: 1" in printed.err
    left = json.loads((out / "audit.json").read_text())["passed_over"]
    assert {reason: entry["count"] for reason, entry in left.items()} == {
        "unknown-class": 1,
        "not-an-image": 1,
    }
    assert left["unknown-class"]["paths"] == ["astrocytoma/a.png"]
    assert "astrocytoma/a.png" in (out / "report.html").read_text("utf-8")


def test_what_another_cohort_holds_back_is_said(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_cohort, other)
    (other / "astrocytoma").mkdir()
    (other / "no/no0.png").rename(other / "astrocytoma/a.png")
    words = ["audit", str(tiny_cohort), "--against", str(other), "-o", str(tmp_path / "out")]
    assert run(words) == 4
    assert f"{other}: Left out: 1 image below a folder" in capsys.readouterr().err


def test_one_class_is_audited_with_a_word(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tiny_cohort / "no").rename(tmp_path / "no")
    assert run(["audit", str(tiny_cohort), "-o", str(tmp_path / "out")]) == 0
    printed = capsys.readouterr()
    assert "one class (tumour)" in printed.err
    assert "6 tumour in 6 groups, 0 no tumour" in printed.out


def test_without_an_output_folder_it_is_wrong_usage(
    tiny_cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["audit", str(tiny_cohort)]) == 2


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["audit", "--help"]) == 0
    assert "tumorscope audit scans/ -o audit/" in capsys.readouterr().out


@pytest.mark.parametrize("how", ["gone", "changed", "broken"])
def test_overlap_is_told_by_bytes_where_the_other_images_cannot_be_looked_at(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], how: str
) -> None:
    other = tmp_path / "other"
    shutil.copytree(tiny_cohort, other)
    assert run(["audit", str(other), "-o", str(tmp_path / "audited")]) == 0
    for path in other.glob("*/*.png"):
        if how == "gone":
            path.unlink()
        else:
            path.write_bytes(b"no image" if how == "broken" else path.read_bytes() + b"\0")
    capsys.readouterr()
    words = ["audit", str(tiny_cohort), "--against", str(tmp_path / "audited" / "manifest.csv")]
    assert run([*words, "-o", str(tmp_path / "out")]) == 4
    printed = capsys.readouterr()
    assert "12 images also lie in another cohort; 12 of the other images" in printed.out
    assert "12 images of other cohorts are gone, changed or unreadable" in printed.err
    document = json.loads((tmp_path / "out" / "audit.json").read_text())
    assert len(document["overlap"]) == len(document["compared_by_bytes"]) == 12
    assert "could not be looked at" in (tmp_path / "out" / "report.html").read_text("utf-8")


def test_another_cohort_of_which_nothing_is_known_is_refused(
    tiny_cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.csv").write_text(
        "path,sha256,label,group,flags\na.png,,1,a,unreadable\nb.png,,0,b,unreadable\n"
    )
    words = ["audit", str(tiny_cohort), "--against", str(tmp_path / "other.csv")]
    assert run([*words, "-o", str(tmp_path / "out")]) == 3
    assert "None of the 2 images of the other cohort" in capsys.readouterr().err
    assert not (tmp_path / "out" / "manifest.csv").exists()

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

from tumorscope.cli.app import run
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.scan import scan_folder


@pytest.fixture
def manifest(tiny_cohort: Path) -> Path:
    path = tiny_cohort / "manifest.csv"
    scan_folder(tiny_cohort).save(path)
    return path


def test_fills_the_split_in_place_and_prints_a_table(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["split", str(manifest), "--fractions", "0.5,0.25,0.25", "--seed", "3"]) == 0
    output = capsys.readouterr()
    assert output.out.splitlines()[1].split() == ["training", "6", "6", "3", "50.0%"]
    assert str(manifest) in output.err
    loaded = Manifest.load(manifest)
    assert [len(loaded.of_split(name)) for name in ("training", "tuning", "testing")] == [6, 2, 4]
    loaded.check_files()


def test_json_and_quiet_after_the_command(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["split", str(manifest), "--json", "--quiet"]) == 0
    output = capsys.readouterr()
    document = json.loads(output.out)
    assert document["split"] == "grouped"
    assert document["groups_parted"] == 0
    assert sum(part["images"] for part in document["splits"].values()) == 12
    assert output.err == ""


def test_rows_without_a_split_and_joined_groups_are_told(
    manifest: Path, tiny_cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tiny_cohort / "yes" / "torn.png").write_bytes(b"\x89PNG")
    shutil.copy(tiny_cohort / "yes" / "yes0.png", tiny_cohort / "yes" / "again.png")
    scan_folder(tiny_cohort).save(manifest)
    given = csv.DictReader(io.StringIO(manifest.read_text()))
    with manifest.open("w", newline="") as stream:
        table = csv.DictWriter(stream, given.fieldnames)
        table.writeheader()
        table.writerows(row | {"group": f"P{number}"} for number, row in enumerate(given))
    assert run(["split", str(manifest), "--json"]) == 0
    output = capsys.readouterr()
    document = json.loads(output.out)
    assert document["without_split"] == 1
    assert document["splits"].keys() == {"training", "tuning", "testing"}
    assert "1 rows have no split" in output.err
    assert [len(names) for names in document["groups_joined"]] == [2]
    assert "2 groups were joined into 1" in output.err
    with manifest.open(newline="") as stream:
        lines = list(csv.DictReader(stream))
    copies = [line for line in lines if line["path"] in ("yes/again.png", "yes/yes0.png")]
    assert len({(line["group"], line["split"]) for line in copies}) == 1
    assert [line["group_given"] for line in lines if line["group_given"]] != []


def test_same_seed_writes_the_same_bytes(manifest: Path) -> None:
    run(["split", str(manifest), "--seed", "5"])
    first = manifest.read_bytes()
    run(["split", str(manifest), "--seed", "6"])
    assert manifest.read_bytes() != first
    run(["split", str(manifest), "--seed", "5"])
    assert manifest.read_bytes() == first


def test_random_says_that_it_leaks_even_if_quiet(
    manifest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["split", str(manifest), "--split", "random", "--quiet", "--json"]) == 0
    output = capsys.readouterr()
    assert "LEAKS" in output.err
    assert json.loads(output.out)["split"] == "random"


@pytest.mark.parametrize("fractions", ["0.7,0.3", "a,b,c", "0.7,0.3,0.3", "-1,1,1"])
def test_wrong_fractions_are_wrong_usage_and_leave_the_manifest(
    manifest: Path, capsys: pytest.CaptureFixture[str], fractions: str
) -> None:
    before = manifest.read_bytes()
    assert run(["split", str(manifest), f"--fractions={fractions}"]) == 2
    assert "expected" in capsys.readouterr().err
    assert manifest.read_bytes() == before


def test_a_class_with_one_image_is_refused(
    tiny_cohort: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in sorted((tiny_cohort / "yes").iterdir())[1:]:
        file.unlink()
    path = tiny_cohort / "manifest.csv"
    scan_folder(tiny_cohort).save(path)
    assert run(["split", str(path)]) == 3
    assert "'tumour' has 1 readable images" in capsys.readouterr().err


def test_missing_manifest_and_debug(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["split", str(tmp_path / "none.csv")]) == 3
    assert "Traceback" not in capsys.readouterr().err
    assert run(["split", str(tmp_path / "none.csv"), "--debug"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["split", "--help"]) == 0
    assert "tumorscope split audit/manifest.csv" in capsys.readouterr().out

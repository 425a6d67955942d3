"""Who is one patient: told by a rule on paths or by a table, or asked about by file names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.fixtures.audits import audit

from tumorscope.auditing.sentences import on_audit
from tumorscope.cohort.file_names import shared_prefixes
from tumorscope.cohort.group_from import group_by
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.scan import scan_folder
from tumorscope.cohort.sentences import on_prefixes
from tumorscope.common.errors import InputError, UsageError


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Four patients with an image in each class, and one file that names none."""
    generator = np.random.default_rng(3)
    names = [f"{folder}/P{patient:02d}_{folder}.png" for patient in range(4) for folder in
             ("yes", "no")]  # fmt: skip
    for name in [*names, "no/lost.png"]:
        file = tmp_path / "scans" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        noise = generator.integers(0, 255, (12, 12), dtype=np.uint8)
        Image.fromarray(noise.repeat(8, axis=0).repeat(8, axis=1)).save(file)
    return tmp_path / "scans"


@pytest.mark.parametrize("rule", [r"(P\d+)_", r"P\d+"])
def test_an_expression_names_patients(scans: Path, rule: str) -> None:
    found = audit(scans, probes=False, group_from=rule)
    assert {row.path: row.group for row in found.manifest.rows if row.group == "P02"}.keys() == {
        "yes/P02_yes.png",
        "no/P02_no.png",
    }
    document = found.to_json()["group_from"]
    assert document == {
        "rule": rule,
        "images": 8,
        "groups": 4,
        "unmatched": ["no/lost.png"],
        "unused": [],
    }
    assert any("says nothing of 1 images" in line for line in on_audit(found))
    assert found.shared_prefixes is None


@pytest.mark.parametrize("column", ["group", "patient", "subject"])
def test_a_table_names_patients_by_any_clear_path(scans: Path, tmp_path: Path, column: str) -> None:
    whole = (scans / "no/P01_no.png").absolute()
    lines = [f"path;{column}", "yes/P00_yes.png;Ä", "no\\P00_no.png;Ä", f"{whole};B"]
    lines += ["P01_yes.png;B", "scans/yes/P02_yes.png;C", "nowhere.png;D", "no/P03_no.png;"]
    (tmp_path / "table.csv").write_text("\r\n".join(lines), encoding="utf-8-sig")
    cohort, found = group_by(scan_folder(scans), tmp_path / "table.csv")
    groups = {row.path: row.group for row in cohort.rows}
    assert groups["yes/P00_yes.png"] == groups["no/P00_no.png"] == "Ä"
    assert groups["yes/P01_yes.png"] == groups["no/P01_no.png"] == "B"
    assert groups["yes/P02_yes.png"] == "C"
    assert found.unused == ("nowhere.png",)
    assert len(found.unmatched) == 4


def test_a_manifest_keeps_what_it_held_together(scans: Path, tmp_path: Path) -> None:
    audit(scans, probes=False).manifest.save(tmp_path / "m.csv")
    text = (tmp_path / "m.csv").read_text("utf-8").splitlines()
    place = text[0].split(",").index("group")
    cells = [line.split(",") for line in text]
    for line in cells[1:3]:
        line[place] = "family"
    (tmp_path / "m.csv").write_text("\n".join(map(",".join, cells)), "utf-8")
    found = audit(tmp_path / "m.csv", probes=False, group_from=r"(P\d+)_")
    groups = {Path(row.path).name: row.group for row in found.manifest.rows}
    held = [Path(line[0]).name for line in cells[1:3]]
    assert groups[held[0]] == groups[held[1]]
    assert groups["P03_yes.png"] == groups["P03_no.png"] == "P03"


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("(P", "nor a regular expression"),
        ("zzz", "names no image"),
        ("png", "all images into one"),
    ],
)
def test_rules_that_tell_nobody_apart_are_refused(scans: Path, rule: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        audit(scans, probes=False, group_from=rule)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ("path,who\nyes/P00_yes.png,A", "one of group, patient"),
        ("file,patient\nyes/P00_yes.png,A", "lacks the columns path"),
        ("path,patient\nyes/P00_yes.png,A\n./yes/P00_yes.png,B", "in the group B, and in A"),
        ("path,patient\nsame.png,A", "may be any of no/same.png, yes/same.png"),
    ],
)
def test_tables_that_do_not_tell_are_refused(
    scans: Path, tmp_path: Path, lines: str, words: str
) -> None:
    for folder in ("yes", "no"):
        Image.new("L", (80, 80), 90).save(scans / folder / "same.png")
    (tmp_path / "table.csv").write_text(lines)
    with pytest.raises(InputError, match=words):
        group_by(scan_folder(scans), tmp_path / "table.csv")
    with pytest.raises(InputError, match="Cannot read the table"):
        group_by(scan_folder(scans), tmp_path / "none.csv")


PATIENTS = {
    "P012_": [f"yes/P{p:03d}_{s}.png" for p in range(8) for s in range(4)],
    "P012S3": [f"yes/P{p:03d}S{s}.png" for p in range(8) for s in range(4)],
    "BraTS": [f"yes/BraTS20_Training_{p:03d}_flair_{s}.png" for p in range(8) for s in range(4)],
    "TCGA": [f"x/TCGA_CS_{p + 4900}_19960909_{s}.tif" for p in range(8) for s in range(4)],
    "BIDS": [f"x/sub-{p:02d}_T1w_{s:03d}.png" for p in range(8) for s in range(4)],
    "numbers": [f"x/{p:04d}-{s}.png" for p in range(8) for s in range(4)],
}
NO_PATIENTS = {
    "the paper's set": [f"yes/Y{i}.jpg" for i in range(150)]
    + [f"no/{i} no.jpeg" for i in range(60)]
    + [f"no/no {i}.jpg" for i in range(60)],
    "four classes": [f"glioma/Tr-gl_{i:04d}.jpg" for i in range(90)]
    + [f"notumor/Te-no_{i:04d}.jpg" for i in range(90)],
    "four classes, older": [f"g/gg ({i}).jpg" for i in range(90)],
    "sequences": [f"yes/{s}_{i}.png" for i in range(40) for s in ("T1", "T2", "T1ce", "FLAIR")],
    "one series": [f"yes/IM01_{i:04d}.png" for i in range(40)],
    "numbers": [f"yes/{i:04d}.png" for i in range(40)],
}


@pytest.mark.parametrize("paths", PATIENTS.values(), ids=PATIENTS.keys())
def test_names_that_look_like_patients_are_asked_about(paths: list[str]) -> None:
    found = shared_prefixes(paths)
    assert found is not None
    assert (found.files, len(found.prefixes)) == (32, 8)
    assert "--group-from '(" in on_prefixes(found)


@pytest.mark.parametrize("paths", NO_PATIENTS.values(), ids=NO_PATIENTS.keys())
def test_names_of_public_sets_raise_no_alarm(paths: list[str]) -> None:
    assert shared_prefixes(paths) is None


def test_the_expression_that_is_suggested_settles_it(scans: Path, tmp_path: Path) -> None:
    found = audit(scans, probes=False, output=tmp_path / "audit")
    assert found.shared_prefixes is not None
    assert found.shared_prefixes.prefixes == ("P00", "P01", "P02", "P03")
    assert "P00, P01, P02" in (tmp_path / "audit" / "report.html").read_text("utf-8")
    again = audit(scans, probes=False, group_from=found.shared_prefixes.pattern)
    assert len(again.groups) == 5
    # Once somebody said who is who, nobody is asked again.
    again.manifest.save(tmp_path / "m.csv")
    assert audit(Manifest.load(tmp_path / "m.csv"), probes=False).shared_prefixes is None


def test_a_rule_that_parts_folders_of_patients_leaves_none_said_to_be_one_group(
    tmp_path: Path,
) -> None:
    generator = np.random.default_rng(4)
    for name in ("yes/P1/S0_1", "yes/P1/S1_1", "no/P2/S2_1", "no/P2/S3_1"):
        file = tmp_path / "scans" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        noise = generator.integers(0, 255, (12, 12), dtype=np.uint8)
        Image.fromarray(noise.repeat(8, axis=0).repeat(8, axis=1)).save(file)
    cohort = scan_folder(tmp_path / "scans")
    assert cohort.notes.patients == ("P1", "P2")
    parted, _ = group_by(cohort, r"(S\d+)_")
    assert {row.group for row in parted.rows} == {"S0", "S1", "S2", "S3"}
    assert parted.notes.patients == ()

"""From volumes to a trained and evaluated detector, by the commands alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.test_training_commands import RECIPE
from tests.fixtures.dicom_files import save, write_series
from tests.fixtures.segmentations import plates, segmentation
from tests.fixtures.volumes import AFFINE, head, write_heads

from tumorscope.cli.app import run

pytest.importorskip("nibabel", reason="needs the dicom extra")


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_heads(tmp_path_factory.mktemp("heads"), tumours=8, healthy=8)


@pytest.mark.usefixtures("eager", "few_resamples", "few_trees", "unplotted")
def test_volumes_are_cut_audited_split_trained_on_and_evaluated(
    heads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.toml").write_text(RECIPE)
    cut, audit, trained = (str(tmp_path / name) for name in ("cut", "audit", "run"))
    assert run(["slices", str(heads), "-o", cut, "--masks", "*_seg.nii.gz", "--every", "12"]) == 0
    shown = capsys.readouterr()
    assert [line.split()[-1] for line in shown.out.splitlines()[1:]] == ["8", "16"]
    assert "slices with hardly any head" in shown.err
    assert run(["audit", f"{cut}/manifest.csv", "-o", audit]) == 0
    assert run(["split", f"{audit}/manifest.csv", "--fractions", "0.5,0.25,0.25"]) == 0
    how = ["--recipe", str(tmp_path / "tiny.toml"), "--weights", "none", "-o", trained]
    assert run(["train", f"{audit}/manifest.csv", *how]) == 0
    capsys.readouterr()
    assert run(["evaluate", trained, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n"] > 0


def test_json_counts_what_was_left_out_and_the_code_says_so(
    heads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["slices", str(heads), "-o", str(tmp_path / "s"), "--min-area", "500"]
    words += ["--planes", "axial", "sagittal", "--every", "24", "--tumour-free", "none*"]
    assert run([*words, "--json", "--quiet"]) == 0
    shown = capsys.readouterr()
    document = json.loads(shown.out)
    assert shown.err == ""
    assert document["volumes"] == document["groups"] == 16
    assert set(document["left_out"]) <= {"small-lesion", "no-head"}
    assert run(["slices", str(heads / "P0"), "-o", str(tmp_path / "t"), "--masks", "x*"]) == 2
    assert run(["slices", str(tmp_path / "nothing"), "-o", str(tmp_path / "t")]) == 3


@pytest.mark.parametrize("command", ["audit", "train"])
def test_commands_for_pictures_name_the_one_for_volumes(
    heads: Path, tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, str(heads / "P0"), "-o", str(tmp_path / "o")]) == 3
    assert f"tumorscope slices {heads / 'P0'} -o DIR" in capsys.readouterr().err


def test_segmentations_are_masks_and_those_of_others_are_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values, mask = head(1, lesion=22.0)
    write_series(tmp_path / "v" / "no" / "a", values, AFFINE)
    where = plates(AFFINE, len(mask))
    save(segmentation(mask, where, series="1.2.3"), tmp_path / "v" / "other")
    words = ["slices", str(tmp_path / "v"), "--every", "12", "-o"]
    assert run([*words, str(tmp_path / "s")]) == 0
    said = capsys.readouterr().err
    assert "other: it is a segmentation (what was segmented is not among the volumes)." in said
    (tmp_path / "v" / "no").rename(tmp_path / "v" / "b")
    save(segmentation(mask, where), tmp_path / "v" / "mine")
    assert run([*words, str(tmp_path / "t"), "--segment", "kind of lesion"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split()[0] == "tumour"
    assert list((tmp_path / "t").glob("yes/*/*_mask.png"))
    assert run([*words, str(tmp_path / "u"), "--segment", "cyst"]) == 3
    assert "no-segment: 1" in capsys.readouterr().err

"""The levels for series of the packaged model are chosen so that few tumour-free ones alarm."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from tests.fixtures.volumes import AFFINE, head

from tumorscope.model_file.onnx_file import read_model
from tumorscope.model_file.series_rule import SeriesRule

pytest.importorskip("scipy", reason="needs the train extra")
nibabel = pytest.importorskip("nibabel", reason="needs the dicom extra")

from packaged_model import series as step  # noqa: E402
from packaged_model.series_card import series_section  # noqa: E402
from packaged_model.series_scores import Scored  # noqa: E402


def scored(source: str, subject: int) -> Scored:
    nothing = np.zeros(0)
    name = f"{source}:{subject}"
    return Scored("", source, name, "T2", 0, True, "axial", nothing, nothing, None, nothing > 0)


def test_of_no_source_more_than_one_in_twenty_is_called_tumour() -> None:
    rng = np.random.default_rng(0)
    scores = {
        scored(source, index): float(rng.normal(mean, 0.5))
        for source, mean in (("a", -2.0), ("b", -1.0))
        for index in range(40)
    }
    no_tumour, tumour = step._chosen(scores)
    fresh = rng.normal(-1.0, 0.5, 10_000)
    assert (fresh >= tumour).mean() <= 0.05
    assert 0.05 < (fresh >= no_tumour).mean() < 0.40
    alone = step._chosen({each: score for each, score in scores.items() if each.source == "a"})
    assert tumour - alone[1] > 1.0


def test_the_rule_is_written_and_measured(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.fixtures.dicom_files import write_nifti

    monkeypatch.setattr(step, "LEAST", 4)
    monkeypatch.setattr(step, "KIND", 3)
    folder = tmp_path / "data" / "volumes"
    listed = []
    for index in range(6):
        values = head(index, lesion=40.0 if index == 5 else 0.0)[0]
        write_nifti(folder / f"{index}.nii.gz", values, AFFINE)
        listed.append(
            {"path": f"volumes/{index}.nii.gz", "label": int(index == 5)}
            | {"subject": f"drawn:{index}", "sequence": "T1"}
        )
    with (folder / "volumes.csv").open("w", newline="") as stream:
        table = csv.DictWriter(stream, listed[0])
        table.writeheader()
        table.writerows(listed)
    model = tmp_path / "model.onnx"
    model.write_bytes(tiny_model.read_bytes())
    results = tmp_path / "series.csv"
    said = step.choose_series(model, tmp_path / "data", tmp_path / "holdout", results)
    written = read_model(model).metadata
    assert written.id == read_model(tiny_model).metadata.id
    assert written.series is not None
    assert written.series.levels["axial"].series == 5
    assert "axial" in said
    with results.open(newline="") as stream:
        records = list(csv.DictReader(stream))
    assert [each["what"] for each in records] == ["tumour-free", "5.nii.gz"]
    assert records[0]["called_tumour"] == "0"
    assert int(records[0]["refused"]) <= int(records[0]["slices"]) <= 5 * 20
    card = series_section(written.series, records)
    assert "| 5.nii.gz | axial |" in card
    assert series_section(None, records) == series_section(SeriesRule(), []) == ""

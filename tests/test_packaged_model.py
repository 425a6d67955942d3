"""The packaged model's card can be measured anew without changing what decides."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from packaged_model.build import STEPS, renew_thumbprints
from packaged_model.decisions import redecide
from packaged_model.pack import pack

from tumorscope.assessment.ask import ask
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.cohort.scan import scan_folder
from tumorscope.common.csv_files import write_csv
from tumorscope.conversion.int8 import WEIGHTS_ONLY
from tumorscope.conversion.sample import Sample
from tumorscope.detection.engines import open_engine
from tumorscope.detection.seen import SeenImages
from tumorscope.duplicates.same_pixels import digest_of
from tumorscope.imaging import prepare, read_slice
from tumorscope.model_file.decision import DecisionRule
from tumorscope.model_file.onnx_file import read_model, without_metadata, write_model
from tumorscope.statistics.platt import sigmoid


@pytest.fixture
def scored(tmp_path: Path) -> Path:
    """200 scores of two sources, and 40 of a source that is only tested on."""
    generator = np.random.default_rng(0)
    rows, records = [], []
    for index in range(240):
        label = index % 2
        source = "kept" if index >= 200 else ("a", "b")[index // 2 % 2]
        row = Row(
            path=f"{index}.png",
            sha256=f"{index:064x}",
            label=label,
            group=f"g{index}",
            split="testing" if source == "kept" else "training",
            source=source,
        )
        rows.append(row)
        score = float(sigmoid(np.array(generator.normal(3.0 * label - 1.0, 1.5))))
        records.append({"path": row.path, "label": label, "score": f"{score:.8f}"})
    folder = tmp_path / "scored"
    folder.mkdir()
    Manifest(tuple(rows), folder).save(folder / "manifest.csv")
    write_csv(folder / "scores.csv", ("path", "label", "score"), records)
    return folder


def test_decisions_are_measured_anew_and_nothing_that_decides_changes(
    tiny_model: Path, scored: Path, tmp_path: Path
) -> None:
    before = read_model(tiny_model)
    headings = ("# Model card", "## Training data", "Old.", "## Calibration", "Old.")
    counted = {
        "images": {"training": 200},
        "tumour": 100,
        "groups": 200,
        "sources": ["a", "b"],
        "split": "group",
    }
    data = {**before.metadata.data, **counted, "weights": "none", "seed": 0}
    card = "\n\n".join((*headings, "## Input check", "Kept."))
    path = tmp_path / "model.onnx"
    write_model(path, before.graph, before.metadata.model_copy(update={"card": card, "data": data}))
    before = read_model(path)
    said = redecide(path, scored)
    after = read_model(path)
    assert without_metadata(after.graph) == without_metadata(before.graph)
    assert after.metadata.id == before.metadata.id in said
    changed = {"operating_points", "card"}
    assert after.metadata.model_dump(exclude=changed) == before.metadata.model_dump(exclude=changed)
    for name, point in after.metadata.operating_points.items():
        known = before.metadata.operating_points[name]
        assert (point.threshold, point.policy) == (known.threshold, known.policy)
        assert point.abstained is not None
        assert point.coverage is not None
        zone = DecisionRule.of(point, after.metadata.conformal).zone
        assert "{:.3f}–{:.3f}".format(*zone) in after.metadata.card
    assert "200 images" in after.metadata.card
    assert "(100 of a, 100 of b)" in after.metadata.card
    assert "Old." not in after.metadata.card
    assert after.metadata.card.startswith(
        "# Model card\n\n## Training data\n\nImages: training 200; "
    )
    assert after.metadata.card.endswith("\n\n## Input check\n\nKept.")
    again = shutil.copyfile(path, tmp_path / "again.onnx")
    redecide(again, scored)
    assert read_model(again).metadata == after.metadata


def test_thumbprints_are_made_anew_and_nothing_else_changes(
    tiny_model: Path, tiny_cohort: Path, tmp_path: Path
) -> None:
    path = tmp_path / "model.onnx"
    shutil.copy(tiny_model, path)
    before = read_model(path)
    listed = scan_folder(tiny_cohort)
    manifest = listed.having(
        replace(row, split="testing" if index % 4 == 0 else "training")
        for index, row in enumerate(listed.rows)
    )
    renew_thumbprints(path, manifest)
    after = read_model(path)
    assert after.metadata.id == before.metadata.id
    assert after.metadata.model_copy(update={"seen": before.metadata.seen}) == before.metadata
    known = SeenImages(after.metadata.seen)
    told = [known.holds(read_slice(manifest.file(row))) for row in manifest.rows]
    assert told == [row.split == "training" for row in manifest.rows]
    how = after.metadata.preprocessing.preprocessing
    digests = [digest_of(prepare(read_slice(manifest.file(row)), how)) for row in manifest.rows]
    assert [each in after.metadata.seen.digests for each in digests] == told
    with pytest.raises(SystemExit, match="lists 0 that were trained on"):
        renew_thumbprints(path, listed)


def test_the_packed_form_decides_as_the_model_does(tiny_model: Path, tmp_path: Path) -> None:
    model = read_model(tiny_model)
    size = model.metadata.preprocessing.size
    pixels = np.random.default_rng(0).integers(0, 256, (40, size, size), dtype=np.uint8)
    labels = np.arange(40) % 2
    sample = Sample(pixels, labels, np.arange(40).astype(np.str_), None)
    path = tmp_path / "packed" / "model.onnx"
    assert pack(model, path, sample) in WEIGHTS_ONLY
    packed = read_model(path)
    assert packed.metadata.precision == "int8"
    before, after = (ask(open_engine(each, "onnxruntime"), pixels) for each in (model, packed))
    np.testing.assert_allclose(after.probability, before.probability, atol=0.05)


def test_a_packed_form_that_decides_otherwise_is_not_left_behind(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = read_model(tiny_model)
    size = model.metadata.preprocessing.size
    pixels = np.zeros((4, size, size), np.uint8)
    sample = Sample(pixels, np.arange(4) % 2, np.arange(4).astype(np.str_), None)
    monkeypatch.setattr("packaged_model.pack.violations", lambda *_: ("it decides otherwise",))
    with pytest.raises(SystemExit, match="No form in 8 bits"):
        pack(model, tmp_path / "packed" / "model.onnx", sample)
    assert not list((tmp_path / "packed").iterdir())


def test_the_input_check_is_learnt_before_the_levels_of_series_that_it_decides() -> None:
    steps = list(STEPS)
    assert steps.index("install") < steps.index("check") < steps.index("series")
    assert steps[-1] == "card"

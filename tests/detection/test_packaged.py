"""The model in the package: small, documented, and an answer for whoever asks without one."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.cli.app import run
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.detection.detector import PACKAGED, Detector
from tumorscope.detection.engines import open_engine
from tumorscope.model_file.onnx_file import read_model
from tumorscope.model_file.schema import OUTPUTS
from tumorscope.synthetic.phantom import write_phantom_cohort

CARD = Path(__file__).parents[2] / "MODEL_CARD.md"


def test_the_file_is_small_and_says_what_it_is() -> None:
    assert PACKAGED.stat().st_size <= 5_000_000
    metadata = read_model(PACKAGED).metadata
    assert set(metadata.operating_points) >= {"balanced", "screening", "specific"}
    assert metadata.calibration.n > 0
    assert metadata.seen.total > 1000
    assert RESEARCH_USE_ONLY in metadata.card


def test_the_card_in_the_repository_is_that_of_the_file() -> None:
    text = CARD.read_text("utf-8")
    assert read_model(PACKAGED).metadata.id in text
    assert RESEARCH_USE_ONLY in text
    assert "## Results on sources left out of training" in text


def test_predict_needs_no_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_phantom_cohort(tmp_path / "phantoms", n=4, seed=0)
    noise = np.random.default_rng(0).integers(0, 256, (224, 224), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "phantoms" / "noise.png")
    words = ["predict", str(tmp_path / "phantoms"), "-o", str(tmp_path / "f.jsonl"), "--quiet"]
    assert run(words) == 0
    found = [json.loads(line) for line in (tmp_path / "f.jsonl").read_text().splitlines()]
    decisions = {Path(each["path"]).name: each["decision"] for each in found}
    assert decisions.pop("noise.png") == "refused"
    # None of these lies within 0.3 of where the answer changes.
    assert decisions == {
        "slice00000.png": "no tumour",
        "slice00001.png": "tumour",
        "slice00002.png": "no tumour",
        "slice00003.png": "tumour",
    }
    capsys.readouterr()


def test_pictures_in_one_run_change_no_bit_of_each_other() -> None:
    model = read_model(PACKAGED)
    engine, size = open_engine(model, threads=1), model.metadata.preprocessing.size
    pixels = np.random.default_rng(1).integers(0, 256, (4, size, size), dtype=np.uint8)
    count = engine.at_once
    for start in range(0, 4, count):
        together = engine.run(pixels[start : start + count])
        for index in range(count):
            alone = engine.run(pixels[start + index][None])
            for name in OUTPUTS:
                both, one = getattr(together, name)[index], getattr(alone, name)[0]
                np.testing.assert_array_equal(both, one)


def test_mirrored_images_get_the_same_answer_or_none(tmp_path: Path) -> None:
    write_phantom_cohort(tmp_path / "phantoms", n=16, seed=1)
    detector = Detector.load()
    apart = []
    for file in sorted((tmp_path / "phantoms").rglob("*.png")):
        with Image.open(file) as image:
            pixels = np.asarray(image.convert("L"))
        one, other = detector.detect(pixels), detector.detect(np.ascontiguousarray(pixels[:, ::-1]))
        assert {one.decision, other.decision} != {"tumour", "no tumour"}, file
        apart.append(abs(one.probability - other.probability))
    assert np.median(apart) < 0.03


def test_describe_prints_its_card(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["describe", "packaged"]) == 0
    assert RESEARCH_USE_ONLY in capsys.readouterr().out

"""A model's input check alone says what the whole detector would refuse."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tumorscope.detection.detector import Detector
from tumorscope.detection.input_check import ModelInputCheck
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.onnx_file import read_model


def test_it_refuses_what_the_detector_refuses(tiny_model: Path) -> None:
    check = ModelInputCheck.of(read_model(tiny_model))
    detector = Detector.load(tiny_model)
    rng = np.random.default_rng(0)
    board = (np.indices((8, 8)).sum(axis=0) % 2 * 255).repeat(8, axis=0).repeat(8, axis=1)
    for pixels in (
        rng.integers(0, 255, (64, 64)),
        board,
        np.full((64, 64), 9),
        rng.integers(0, 255, (16, 64)),
        rng.integers(0, 255, (40, 400)),
    ):
        scan = Slice(pixels=pixels.astype(np.uint8), source="drawn")
        finding = detector.detect(scan)
        reasons, distance = check.check(scan, 0.0)
        assert bool(reasons) == (finding.decision == "refused")
        assert reasons == finding.reasons[: len(reasons)]
        assert distance is None or finding.distance == distance
    assert check.check(scan, 0.5)[0] == ("not-brain-mri",)
    assert (check.model, check.limit) == (detector.model_id, 110.0)

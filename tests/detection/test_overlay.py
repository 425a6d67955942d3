"""Overlays: colours lie where the network looked, on a scale that is the same for all."""

from __future__ import annotations

import dataclasses
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tumorscope.common.errors import OutputError
from tumorscope.detection.colours import LIMIT, full_colour
from tumorscope.detection.detector import Detector
from tumorscope.detection.finding import Finding
from tumorscope.detection.overlay import draw, overlay, write_overlay
from tumorscope.detection.probability_scale import HEIGHT, TUMOUR
from tumorscope.imaging import SHORTCUT_FREE, Preprocessing, Slice
from tumorscope.model_file.onnx_file import read_model

STRETCH = Preprocessing(size=64)


def finding_of(evidence: np.ndarray | None, **changes: Any) -> Finding:
    plain = Finding(
        source="folder/scan.jpg",
        decision="tumour",
        probability=0.9,
        prediction_set=("tumour",),
        reasons=(),
        seen=False,
        model="tiny@0",
        operating_point="balanced",
        threshold=0.5,
        distance=0.0,
        logit=1.0,
        bias=0.0,
        evidence=None if evidence is None else evidence.astype(np.float32),
        ms=1.0,
    )
    return dataclasses.replace(plain, **changes)


def head(height: int = 200, width: int = 260) -> Slice:
    """A textured disc off the centre of a dark image."""
    rows, columns = np.mgrid[:height, :width]
    inside = np.hypot(rows - 110, columns - 160) < 70
    texture = 120 + 40 * np.sin(rows / 6) * np.cos(columns / 5)
    return Slice(np.where(inside, texture, 2).astype(np.uint8), "head.png")


def redness(picture: np.ndarray) -> np.ndarray:
    values: np.ndarray = picture[..., 0].astype(int) - picture[..., 2]
    return values


def test_red_pushes_towards_blue_away_and_zero_is_clear() -> None:
    scan = Slice(np.full((70, 70), 120, np.uint8), "grey")
    evidence = np.zeros((7, 7))
    evidence[1, 1], evidence[5, 5] = 1.0, -1.0
    red = redness(overlay(scan, finding_of(evidence), STRETCH))
    assert red[15, 15] > 60
    assert red[55, 55] < -60
    # As far as a cell and a half from the centre of its own.
    assert np.all(red[31:39] == 0)
    assert np.all(red[:, 31:39] == 0)
    clear = overlay(scan, finding_of(np.zeros((7, 7))), STRETCH)
    np.testing.assert_array_equal(clear, np.repeat(scan.pixels[..., None], 3, axis=2))


def test_refused_slices_stay_grey() -> None:
    scan = head()
    plain = overlay(scan, finding_of(None), STRETCH)
    np.testing.assert_array_equal(plain, np.repeat(scan.pixels[..., None], 3, axis=2))


def test_the_scale_is_the_same_for_all_images() -> None:
    scan = Slice(np.full((70, 70), 120, np.uint8), "grey")
    weak = redness(overlay(scan, finding_of(np.full((7, 7), 0.25)), STRETCH)).mean()
    strong = redness(overlay(scan, finding_of(np.full((7, 7), 0.5)), STRETCH)).mean()
    assert strong == pytest.approx(2 * weak, rel=0.05)
    full = overlay(scan, finding_of(np.full((7, 7), LIMIT)), STRETCH)
    beyond = overlay(scan, finding_of(np.full((7, 7), 9 * LIMIT)), STRETCH)
    np.testing.assert_array_equal(full, beyond)
    # Four cells share what one held: the same logit makes the same colour.
    finer = overlay(scan, finding_of(np.full((14, 14), LIMIT / 4)), STRETCH)
    np.testing.assert_array_equal(full, finer)
    assert full_colour((14, 14)) == full_colour((7, 7)) / 4
    other = overlay(scan, finding_of(np.full((7, 7), 0.5)), STRETCH, limit=0.5)
    np.testing.assert_array_equal(other, full)


@given(cells=st.integers(1, 20), temperature=st.floats(0.01, 100))
def test_one_cell_of_full_colour_makes_a_dense_head_sure(cells: int, temperature: float) -> None:
    full = full_colour((cells, cells), temperature=temperature)
    logit = full - math.log(cells * cells) / temperature  # and its bias
    assert 1 / (1 + math.exp(-logit)) == pytest.approx(0.95)


def test_what_is_written_is_drawn_as_the_head_of_the_model_says(
    tiny_model: Path, tmp_path: Path
) -> None:
    metadata = read_model(tiny_model).metadata
    dense = metadata.model_copy(
        update={"recipe": {"network": {"head": "dense", "temperature": 3.0}}}
    )
    evidence = np.full((10, 10), 1e-3)
    evidence[4, 4] = evidence[4, 5] = 2.0
    how, finding = metadata.preprocessing.preprocessing, finding_of(evidence)
    for name, which, temperature in (("pooled", metadata, None), ("dense", dense, 3.0)):
        write_overlay(tmp_path / f"{name}.png", head(), finding, which)
        with Image.open(tmp_path / f"{name}.png") as picture:
            np.testing.assert_array_equal(
                np.asarray(picture),
                np.asarray(draw(head(), finding, how, temperature=temperature)),
            )
    assert (tmp_path / "pooled.png").read_bytes() != (tmp_path / "dense.png").read_bytes()


def test_large_slices_are_shrunk_and_small_ones_drawn_large() -> None:
    large = Slice(np.zeros((100, 4096), np.uint8), "large")
    assert overlay(large, finding_of(np.zeros((7, 7))), STRETCH).shape == (50, 2048, 3)
    small = Slice(np.zeros((40, 60), np.uint8), "small")
    assert overlay(small, finding_of(np.zeros((7, 7))), STRETCH).shape == (40, 60, 3)
    assert draw(small, finding_of(np.zeros((7, 7))), STRETCH).width > 2 * 480


def test_the_scale_shows_both_colours_and_the_notice_is_written() -> None:
    evidence = np.random.default_rng(0).normal(0, 0.5, (7, 7))
    figure = np.asarray(draw(head(), finding_of(evidence), SHORTCUT_FREE)).astype(int)
    bar = figure[92 + HEIGHT :, -130:]
    assert redness(bar).max() > 100
    assert redness(bar).min() < -100
    # The notice is the only yellow writing, in the last lines.
    yellow = (figure[..., 0] > 180) & (figure[..., 1] > 140) & (figure[..., 2] < 110)
    rows = np.nonzero(yellow.any(axis=1))[0]
    assert len(rows) > 5
    assert rows.min() > figure.shape[0] - 60


@pytest.mark.parametrize(
    ("probability", "zone"),
    [(0.427, (0.415, 0.427)), (0.0, (0.0, 0.4)), (1.0, (0.9, 1.0)), (0.5, (0.0, 1.0)), (0.5, None)],
)
def test_the_scale_shows_where_each_answer_begins(
    probability: float, zone: tuple[float, float] | None
) -> None:
    """As long as its share of the line is what is orange: "tumour" from there on."""
    finding = finding_of(np.zeros((7, 7)), probability=probability, zone=zone)
    drawn = np.asarray(draw(head(), finding, SHORTCUT_FREE))
    line = (drawn == TUMOUR).all(axis=2)[56 + 31]
    high = 0.5 if zone is None else zone[1]
    assert line.sum() == pytest.approx((1 - high) * (drawn.shape[1] - 40), abs=2)


def test_a_refused_slice_has_no_heading_for_a_scale() -> None:
    refused = finding_of(None, decision="refused", reasons=("blank",), probability=None)
    picture = draw(head(), refused, STRETCH)
    corner = np.asarray(picture)[:56, picture.width // 2 :]
    assert len(np.unique(corner.reshape(-1, 3), axis=0)) == 1


def test_the_peak_is_ringed_and_its_share_of_the_logit_is_said() -> None:
    evidence = np.zeros((7, 7))
    plain = np.asarray(draw(head(), finding_of(evidence), STRETCH))
    evidence[3, 3] = 0.01
    ringed = np.asarray(draw(head(), finding_of(evidence), STRETCH))
    assert ringed.shape[0] == plain.shape[0] + 24  # a line more in the caption


@pytest.mark.parametrize(
    ("shape", "source"),
    [
        ((1, 1), "x"),
        ((40, 120), "wide.png"),
        ((120, 40), "tall.png"),
        ((64, 64), "ünï\n名前.png"),
        ((64, 64), "y" * 250 + ".png"),
        ((64, 64), ""),
    ],
)
def test_any_slice_and_name_can_be_drawn(shape: tuple[int, int], source: str) -> None:
    scan = Slice(np.zeros(shape, np.uint8), source)
    finding = finding_of(np.zeros((7, 7)), source=source, reasons=("seen",), seen=True)
    assert draw(scan, finding, STRETCH).width >= 640
    refused = finding_of(None, decision="refused", reasons=("blank",), probability=None)
    assert draw(scan, refused, STRETCH).width >= 640


def test_the_file_is_written_whole_or_not_at_all(tiny_model: Path, tmp_path: Path) -> None:
    scan, metadata = head(), read_model(tiny_model).metadata
    finding = Detector.load(tiny_model).detect(scan)
    path = tmp_path / "new" / "scan.png"
    write_overlay(path, scan, finding, metadata)
    with Image.open(io.BytesIO(path.read_bytes())) as picture:
        assert picture.format == "PNG"
        np.testing.assert_array_equal(
            np.asarray(picture),
            np.asarray(draw(scan, finding, metadata.preprocessing.preprocessing)),
        )
    assert [each.name for each in path.parent.iterdir()] == ["scan.png"]
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(OutputError):
        write_overlay(blocked / "scan.png", scan, finding, metadata)

"""Probes find planted shortcuts, and find none where there are none."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.auditing import shortcuts as shortcuts_module
from tumorscope.auditing.shortcuts import (
    PROBES,
    Shortcut,
    ShortcutDisplay,
    measure_shortcuts,
    traces_of,
)
from tumorscope.imaging.read import open_image
from tumorscope.reports.drawing import figure_png
from tumorscope.statistics.intervals import Interval


@pytest.fixture(autouse=True)
def small_forests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortcuts_module, "TREES", 10)


Traces = dict[str, dict[str, float]]


def traces(value: float) -> Traces:
    return {probe: {"value": value} for probe in PROBES}


def test_what_tells_the_classes_apart_is_exposed_and_noise_is_not() -> None:
    rng = np.random.default_rng(0)
    labels = [index % 2 for index in range(120)]
    told = [
        {**traces(float(rng.normal())), "metadata": {"width": 200.0 + 50 * label}}
        for label in labels
    ]
    groups = [f"g{index}" for index in range(120)]
    by_probe = {one.probe: one for one in measure_shortcuts(told, labels, groups)}
    assert tuple(by_probe) == tuple(PROBES)
    metadata, trivial = by_probe["metadata"], by_probe["trivial"]
    assert metadata.auc is not None
    assert metadata.auc.value == 1.0
    assert metadata.clear
    assert trivial.auc is not None
    # Cross-validation on noise tends to fall below a half, so the upper end is not asked.
    assert trivial.auc.low < 0.5
    assert not trivial.clear


def test_a_group_is_counted_once_and_never_divided() -> None:
    """Labels at random and one value per group: parting groups would reach an AUC of 1."""
    rng = np.random.default_rng(1)
    labels = [int(rng.integers(2)) for _ in range(40) for _ in range(8)]
    labels = [labels[8 * (index // 8)] for index in range(320)]
    groups = [f"g{index // 8}" for index in range(320)]
    values = np.repeat(rng.normal(size=40), 8)
    shortcut = measure_shortcuts([traces(float(value)) for value in values], labels, groups)[0]
    assert shortcut.groups == 40
    assert shortcut.auc is not None
    assert shortcut.auc.low < 0.5
    assert shortcut.auc.high - shortcut.auc.low > 0.2


def test_the_same_seed_gives_the_same_areas() -> None:
    rng = np.random.default_rng(2)
    told = [traces(float(value)) for value in rng.normal(size=24)]
    labels = [int(value) for value in rng.integers(0, 2, 24)]
    groups = [str(index) for index in range(24)]
    assert measure_shortcuts(told, labels, groups, seed=3) == measure_shortcuts(
        told, labels, groups, seed=3
    )


@pytest.mark.parametrize("labels", [[1, 1, 1], [1, 1, 0]])
def test_too_few_groups_give_no_area(labels: list[int]) -> None:
    shortcuts = measure_shortcuts([traces(1.0)] * 3, labels, ["a", "b", "c"])
    assert all(one.auc is None and not one.clear for one in shortcuts)
    assert shortcuts[0].to_json()["auc"] is None


def test_a_class_in_one_group_is_too_few() -> None:
    shortcuts = measure_shortcuts(
        [traces(1.0)] * 6, [1, 1, 0, 0, 0, 0], ["a", "a", "b", "c", "d", "e"]
    )
    assert shortcuts[0].auc is None


def test_groups_with_both_labels_do_not_stop_the_probes() -> None:
    labels = [0, 1] * 20
    groups = [str(index // 2) for index in range(40)]
    (shortcut, *_) = measure_shortcuts([traces(float(label)) for label in labels], labels, groups)
    assert shortcut.auc is not None
    assert shortcut.groups == 40


def test_border_brightness_and_aspect_are_seen_before_and_gone_after_our_preprocessing(
    tmp_path: Path,
) -> None:
    y, x = np.mgrid[:150, :150]
    disc = np.hypot(x - 75, y - 75) < 60
    pixels = np.where(disc, 60 + (x + y) // 4, 0).astype(np.uint8)
    seen = []
    for name, image in (
        ("plain", pixels),
        ("padded", np.pad(pixels, ((0, 0), (80, 80)))),
        ("bright", np.clip(pixels.astype(int) * 3 // 2, 0, 255).astype(np.uint8)),
    ):
        file = tmp_path / f"{name}.png"
        Image.fromarray(image).save(file)
        seen.append(traces_of(open_image(file)))
    plain, padded, bright = seen
    assert padded["trivial"]["aspect"] == pytest.approx(310 / 150)
    assert padded["trivial-paper"]["content aspect"] < 0.7
    assert bright["trivial"]["mean"] > 1.3 * plain["trivial"]["mean"]
    for other in (padded, bright):
        after = other["trivial-shortcut-free"]
        for feature, value in plain["trivial-shortcut-free"].items():
            assert after[feature] == pytest.approx(value, rel=0.06, abs=12.0), feature


def test_metadata_hold_size_format_mode_and_density(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 20), (9, 9, 9)).save(buffer, "PNG")
    file = tmp_path / "a.jpg"
    file.write_bytes(buffer.getvalue())
    seen = traces_of(open_image(file))["metadata"]
    assert (seen["width"], seen["height"], seen["aspect"]) == (40.0, 20.0, 2.0)
    assert seen["disguised"] == seen["format=PNG"] == seen["mode=RGB"] == 1.0
    assert seen["bits per pixel"] == pytest.approx(8 * len(buffer.getvalue()) / 800)


def test_a_single_pixel_has_traces(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    Image.new("L", (1, 1), 200).save(file)
    for values in traces_of(open_image(file)).values():
        assert all(np.isfinite(list(values.values())))


def test_the_chart_shows_every_area_its_interval_and_chance() -> None:
    shortcuts = (
        Shortcut("metadata", PROBES["metadata"], Interval(0.85, 0.79, 0.9, "DeLong"), 199),
        Shortcut("trivial", PROBES["trivial"], Interval(0.55, 0.45, 0.64, "DeLong"), 199),
        Shortcut("trivial-paper", PROBES["trivial-paper"], None, 0),
    )
    ax = ShortcutDisplay(shortcuts).plot().ax_
    words = [text.get_text() for text in ax.texts]
    assert "0.85 (0.79–0.90)" in words
    assert "0.55 (0.45–0.64)" in words
    assert "chance" in words
    assert len(ax.get_yticks()) == 2
    assert any(np.allclose(line.get_xdata(), 0.5) for line in ax.lines)
    assert figure_png(ax.figure)[:4] == b"\x89PNG"

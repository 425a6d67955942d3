"""The sources of the packaged model come with their masks, and copies stay with their originals."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from packaged_model.masks import painted
from packaged_model.sources import read_manifest, with_splits

from tumorscope.cohort.manifest import Manifest
from tumorscope.experiments.fold_plan import FoldPlan, source_folds
from tumorscope.imaging.lesion_mask import read_mask
from tumorscope.synthetic.phantom_slice import phantom_slice

OUTLINE = {"all_points_x": [40, 80, 80, 40], "all_points_y": [30, 30, 90, 90]}


def write(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    columns = ("path", "label", "group", "source", "mask")
    rows = []
    for number in range(4):
        tumour = number < 2
        pixels = phantom_slice(tumour=tumour, seed=number, size=128).pixels
        name = f"navoneel_253/{'yes' if tumour else 'no'}/{number}.png"
        write(folder / name, pixels)
        rows.append((name, int(tumour), f"k{number}", "navoneel_253", ""))
        if tumour:
            write(folder / f"outlined/y{number}.jpg", np.fliplr(pixels))
            rows.append((f"outlined/y{number}.jpg", 1, f"k{number}", "outlined", ""))
    white = np.full((128, 128), 255, np.uint8)
    for number in range(4, 7):
        pixels = phantom_slice(tumour=True, seed=number, size=128).pixels
        write(folder / f"more/glioma/yes/{number}.png", pixels)
        mask = "elsewhere.png" if number == 6 else ""
        rows.append((f"more/glioma/yes/{number}.png", 1, f"p{number}", "glioma", mask))
    for name in ("more/glioma/masks/4.png", "more/glioma/masks/5_mask.png", "elsewhere.png"):
        write(folder / name, white)
    (folder / "outlines.json").write_text(
        json.dumps(
            [
                {"path": "outlined/y0.jpg", "regions": [OUTLINE]},
                {"path": "outlined/y1.jpg", "regions": []},
            ]
        )
    )
    with (folder / "manifest.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([columns, *rows])
    return folder


def test_masks_are_taken_from_the_list_from_folders_and_from_outlines(
    data: Path, tmp_path: Path
) -> None:
    manifest = with_splits(read_manifest(data, masks=tmp_path / "out" / "masks"))
    manifest.save(tmp_path / "out" / "manifest.csv")
    listed = Manifest.load(tmp_path / "out" / "manifest.csv")
    masks = {Path(row.path).name: row.mask for row in listed.rows if row.mask}
    assert masks == {
        "y0.jpg": "masks/outlined/y0.png",
        "4.png": str(data / "more/glioma/masks/4.png"),
        "5.png": str(data / "more/glioma/masks/5_mask.png"),
        "6.png": str(data / "elsewhere.png"),
    }
    mask = read_mask(tmp_path / "out" / masks["y0.jpg"], (128, 128))
    assert mask[30:91, 40:81].all()
    assert mask.sum() == 61 * 41


def test_outlined_copies_are_left_out_with_their_originals(data: Path, tmp_path: Path) -> None:
    manifest = with_splits(read_manifest(data, masks=tmp_path / "masks"))
    sources = np.array([row.source for row in manifest.rows])
    folds = source_folds([["navoneel_253"], ["glioma"]], manifest)
    plan = FoldPlan(
        manifest, manifest.labels, folds, 0, np.zeros(len(manifest), np.bool_), by_source=True
    )
    without, withal = plan.folds
    assert set(sources[without.known]) == {"glioma"}
    assert set(sources[without.tested]) == {"navoneel_253"}
    assert set(sources[withal.known]) == {"navoneel_253", "outlined"}


def test_outlines_are_polygons_ellipses_and_circles() -> None:
    circle = painted([{"cx": 50, "cy": 40, "r": 10}], (100, 100)) > 0
    assert abs(int(circle.sum()) - 314) < 40
    assert circle[40, 50]
    lying = painted([{"cx": 50, "cy": 50, "rx": 30, "ry": 5, "theta": 0.0}], (100, 100)) > 0
    upright = painted([{"cx": 50, "cy": 50, "rx": 30, "ry": 5, "theta": np.pi / 2}], (100, 100)) > 0
    assert lying[50, 25]
    assert not lying[25, 50]
    np.testing.assert_array_equal(lying.T, upright)
    assert not painted([], (4, 4)).any()
    assert painted([OUTLINE, {"cx": 5, "cy": 5, "r": 2}], (100, 100))[5, 5] == 255

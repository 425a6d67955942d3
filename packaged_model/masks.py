"""Where people outlined lesions: masks that lie beside images, and outlines painted as masks."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.common.files import atomic_path
from tumorscope.imaging import read_slice

OUTLINES = "outlines.json"
"""In the data folder: a list of ``{"path", "regions"}``."""

Region = Mapping[str, float | Sequence[float]]
"""An outline as the VGG Image Annotator writes it: a polygon, an ellipse or a circle."""


def mask_beside(data: Path, path: str) -> str:
    """Return the path of the mask of ``yes/NAME`` in a folder ``masks`` beside; "" without one."""
    image = Path(path)
    if image.parent.name != "yes":
        return ""
    for name in (image.name, f"{image.stem}_mask{image.suffix}"):
        mask = image.parent.parent / "masks" / name
        if (data / mask).is_file():
            return mask.as_posix()
    return ""


def paint_outlines(data: Path, folder: Path) -> dict[str, str]:
    """Paint the outlines of `OUTLINES` as masks into a folder; return the mask of each image.

    Masks that are there already are kept. Images whose outlines cover nothing have none.
    """
    listed = data / OUTLINES
    found: dict[str, str] = {}
    for each in json.loads(listed.read_text("utf-8")) if listed.is_file() else []:
        file = folder / Path(each["path"]).with_suffix(".png")
        if not file.is_file():
            mask = painted(each["regions"], read_slice(data / each["path"]).pixels.shape)
            if not mask.any():
                continue
            file.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(file) as temporary:
                temporary.write_bytes(cv2.imencode(".png", mask)[1].tobytes())
        found[each["path"]] = str(file.absolute())
    return found


def painted(regions: Sequence[Region], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Return a mask of a shape, uint8, 255 inside the regions."""
    mask = np.zeros(shape, dtype=np.uint8)
    for region in regions:
        if "all_points_x" in region:
            points = np.stack([region["all_points_x"], region["all_points_y"]], axis=1)
            cv2.fillPoly(mask, [np.rint(points).astype(np.int32)], 255)
        elif "cx" in region:
            middle = _number(region, "cx"), _number(region, "cy")
            axes = 2 * _number(region, "rx", "r"), 2 * _number(region, "ry", "r")
            box = (middle, axes, np.degrees(_number(region, "theta")))
            cv2.ellipse(mask, box, 255, cv2.FILLED)
    return mask


def _number(region: Region, *names: str) -> float:
    """Return the first of these numbers that a region has; 0 where it has none."""
    values = (region.get(name) for name in names)
    return next((float(each) for each in values if isinstance(each, int | float)), 0.0)

"""A labelled slice → a PNG file, its mask beside it, and its row."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.cut_volume import Cut
from tumorscope.cohort.row import Row
from tumorscope.cohort.slicing_plan import digest_of
from tumorscope.cohort.volume_names import sequence_of_name, stem_of
from tumorscope.common.files import atomic_path
from tumorscope.scans import Series, Volume

CLASS_FOLDERS = ("no", "yes")
"""Where slices of each label lie, so that the folder is one of class folders as well."""


def write_cut(
    cut: Cut, volume: Volume, series: Series, *, path: str, group: str, source: str, folder: Path
) -> Row:
    """Write a slice, and its mask beside it; return its row."""
    scan = cut.scan
    sequence = volume.acquisition.sequence
    if series.kind == "nifti":
        sequence = sequence_of_name(path)
    part, parts = volume.part
    # Names in DICOM paths may be those of people.
    stem = stem_of(path) if series.kind == "nifti" else sequence or "series"
    code = digest_of(f"{series.series_uid or path}#{part}", 6)
    name = f"{_plain(stem)}-{code}-{scan.plane}-{scan.index + 1:03d}"
    below = f"{CLASS_FOLDERS[cut.label]}/{_plain(group)}"
    sha256 = _write(folder / f"{below}/{name}.png", scan.slice.pixels)
    mask = ""
    if cut.mask is not None:
        mask = f"{below}/{name}_mask.png"
        _write(folder / mask, cut.mask.astype(np.uint8) * 255)
    height, width = scan.slice.pixels.shape
    assert scan.slice.spacing is not None
    shown = path if series.kind == "nifti" else series.series_uid
    return Row(
        path=f"{below}/{name}.png",
        sha256=sha256,
        label=cut.label,
        group=group,
        source=source,
        width=width,
        height=height,
        mask=mask,
        extra={
            "sequence": sequence,
            "plane": scan.plane,
            "spacing": f"{scan.slice.spacing[0]:.4g}",
            "position": f"{scan.position:.2f}",
            "lesion_area": f"{cut.area:.1f}",
            "volume": f"{shown}#{part}" if parts > 1 else shown,
        },
    )


def _write(path: Path, pixels: NDArray[np.uint8]) -> str:
    _, data = cv2.imencode(".png", pixels)
    content = data.tobytes()
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


def _plain(name: str) -> str:
    """Return a name that every system takes for a file."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")[:80] or "unnamed"

"""What two cohorts have in common: by bytes, by likeness, and whatever broke meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.auditing.overlap import overlap
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.scan import scan_folder

Pixels = NDArray[np.uint8]
Head = Callable[..., Pixels]


def cohort(folder: Path, images: Iterable[tuple[str, Pixels]]) -> Manifest:
    for name, pixels in images:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(pixels)).save(folder / name)
    return scan_folder(folder)


def test_overlap_names_known_images_for_bytes_and_for_likeness(head: Head, tmp_path: Path) -> None:
    known = cohort(
        tmp_path / "known",
        [("yes/a.png", head(1)), ("yes/b.png", head(1)), ("no/c.png", head(2))],
    )
    other = cohort(
        tmp_path / "other",
        [
            ("yes/same.png", head(1)),
            ("no/turned.jpg", np.rot90(head(2))),
            ("no/new.png", head(3)),
            ("no/black.png", np.zeros((50, 50), np.uint8)),
        ],
    )
    assert overlap(known, other).matches == {
        "no/turned.jpg": ["no/c.png"],
        "yes/same.png": ["yes/a.png", "yes/b.png"],
    }


def test_overlap_goes_on_past_files_that_broke(head: Head, tmp_path: Path) -> None:
    known = cohort(tmp_path / "known", [("yes/a.png", head(1)), ("no/b.png", head(2))])
    other = cohort(tmp_path / "other", [("yes/x.png", head(1)), ("no/y.png", head(4))])
    whole = (tmp_path / "other/no/y.png").read_bytes()
    (tmp_path / "other/no/y.png").write_bytes(whole[: len(whole) // 2])
    assert overlap(known, other).matches == {"yes/x.png": ["yes/a.png"]}

"""A synthetic cohort for trying everything out offline, with faults planted on request.

The pictures look like axial brain MRI and hold nobody's data. A detector trained on them is not
one: they are for demonstrations and tests.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tumorscope.common.cores import cores
from tumorscope.common.errors import UsageError
from tumorscope.common.files import atomic_folder, write_json
from tumorscope.common.limits import check_seed, check_whole
from tumorscope.common.locks import writing
from tumorscope.common.progress import track
from tumorscope.synthetic.phantom_anatomy import between
from tumorscope.synthetic.phantom_slice import phantom_lesion_mask, phantom_slice

__all__ = ["COPIES", "phantom_lesion_mask", "phantom_slice", "write_phantom_cohort"]

SIZES = (224, 240, 256, 288, 320)

COPIES = ("identical", "jpeg", "resized", "flipped", "cropped", "rotated", "contrast", "bordered")
"""What is done to planted copies, in turn."""

RECORD = "phantom.json"


@dataclass(frozen=True, slots=True)
class _Original:
    path: str
    label: int
    seed: int
    size: int
    other_site: bool


@dataclass(frozen=True, slots=True)
class _Copy:
    path: str
    copy_of: str
    change: str


def write_phantom_cohort(
    folder: str | Path, *, n: int, seed: int, duplicates: int = 0, shortcut: bool = False
) -> None:
    """Write a cohort of phantom slices, ``folder/yes`` and ``folder/no``.

    ``folder/phantom.json`` says what was planted, for comparison with what an audit finds.

    Parameters
    ----------
    folder : path
        A folder that does not exist yet or is empty; it appears once it is whole.
    n : int
        Number of distinct slices, at least 2; half of them with a tumour.
    seed : int
        The same `n` and `seed` give the same slices.
    duplicates : int
        Number of copies to plant beside the `n` slices, half in each class; changed in one of
        the ways of `COPIES`, some byte-identical.
    shortcut : bool
        Let most tumours, and few others, come from "another site" that saves wider images with
        black margins: the label then shows without looking at the brain.

    Raises
    ------
    UsageError
        If `folder` holds files already, `n` < 2, `duplicates` < 0, or the seed is out of range.
    OutputError
        If it cannot be written.

    Examples
    --------
    >>> write_phantom_cohort("scans", n=4, seed=1)
    >>> sorted(path.as_posix() for path in Path("scans").glob("*/*"))[1:3]
    ['scans/no/slice00002.png', 'scans/yes/slice00001.png']
    """
    folder = Path(folder)
    _check(folder, n, duplicates, seed)
    rng = np.random.Generator(np.random.PCG64(seed))
    originals = _plan(n, seed, shortcut, rng)
    copies = _plan_copies(originals, duplicates, rng)
    draws = [between(rng, -1, 1) for _ in copies]
    with writing(folder), atomic_folder(folder) as temporary:
        for name in ("yes", "no"):
            (temporary / name).mkdir()
        for original, pixels in track(_draw(originals), "Drawing slices", total=n):
            _save(pixels, temporary / original.path)
        for copy, draw in zip(copies, draws, strict=True):
            _write_copy(copy, draw, temporary)
        record = {
            "n": n,
            "seed": seed,
            "shortcut": shortcut,
            "images": [asdict(original) for original in originals],
            "copies": [asdict(copy) for copy in copies],
        }
        write_json(temporary / RECORD, record)


def _check(folder: Path, n: int, duplicates: int, seed: int) -> None:
    check_whole("n", n, at_least=2, usual="slices, half of each class")
    check_whole("duplicates", duplicates, at_least=0)
    check_seed(seed)
    if folder.is_dir() and any(folder.iterdir()):
        raise UsageError(
            f"{folder} holds files already. Expected a new or empty folder, so that nothing of "
            "yours is mixed with phantoms. Choose another."
        )


def _plan(n: int, seed: int, shortcut: bool, rng: np.random.Generator) -> list[_Original]:
    plan = []
    for index in range(n):
        label = index % 2
        size = SIZES[int(rng.random() * len(SIZES))]
        other_site = bool(rng.random() < (0.8 if label else 0.08)) and shortcut
        name = f"{'yes' if label else 'no'}/slice{index:05d}.png"
        plan.append(_Original(name, label, seed * 1_000_003 + index, size, other_site))
    return plan


def _plan_copies(originals: list[_Original], count: int, rng: np.random.Generator) -> list[_Copy]:
    order = sorted(originals, key=lambda _: rng.random())
    of_class = [[original for original in order if original.label == label] for label in (0, 1)]
    turns = [0, 0]
    plan = []
    for index in range(count):
        label = index % 2
        pool = of_class[label]
        original = pool[turns[label] % len(pool)]
        # Both classes go through all kinds of copies, so that the kind does not betray the label.
        change = COPIES[turns[label] % len(COPIES)]
        turns[label] += 1
        suffix = ".png" if change in ("identical", "flipped", "rotated") else ".jpg"
        name = f"{'yes' if label else 'no'}/copy{index:05d}{suffix}"
        plan.append(_Copy(name, original.path, change))
    return plan


def _draw(originals: list[_Original]) -> Iterator[tuple[_Original, NDArray[np.uint8]]]:
    # numpy and OpenCV let go of the interpreter lock, so threads help; `map` keeps the order.
    with ThreadPoolExecutor(max_workers=min(8, cores())) as pool:
        yield from zip(originals, pool.map(_picture, originals), strict=True)


def _picture(original: _Original) -> NDArray[np.uint8]:
    scan = phantom_slice(tumour=bool(original.label), seed=original.seed, size=original.size)
    if not original.other_site:
        return scan.pixels
    return np.pad(scan.pixels, ((0, 0), (original.size // 6, original.size // 6)))


def _save(pixels: NDArray[np.uint8], path: Path, quality: int = 75) -> None:
    image = Image.fromarray(pixels)
    if path.suffix == ".jpg":
        image.save(path, quality=quality)
    else:
        image.save(path, compress_level=4)


def _write_copy(copy: _Copy, draw: float, folder: Path) -> None:
    """Write one copy; `draw`, from -1 to 1, decides how strong the change is."""
    source, target = folder / copy.copy_of, folder / copy.path
    if copy.change == "identical":
        shutil.copyfile(source, target)
        return
    pixels = np.asarray(Image.open(source))
    _save(_changed(pixels, copy.change, draw), target, quality=round(70 + 20 * draw))


def _changed(pixels: NDArray[np.uint8], change: str, draw: float) -> NDArray[np.uint8]:
    height, width = pixels.shape
    if change == "flipped":
        return np.ascontiguousarray(pixels[:, ::-1])
    if change == "resized":
        scale = 1.5 if draw > 0 else 0.7
        size = round(width * scale), round(height * scale)
        how = cv2.INTER_CUBIC if draw > 0 else cv2.INTER_AREA
        return np.asarray(cv2.resize(pixels, size, interpolation=how), dtype=np.uint8)
    if change == "cropped":
        top, left = round(height * (0.03 + 0.02 * draw)), round(width * (0.03 - 0.02 * draw))
        return np.ascontiguousarray(pixels[top : height - left, left : width - top])
    if change == "rotated":
        angle = 7 + 4 * draw if draw > 0 else -7 + 4 * draw
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
        return np.asarray(cv2.warpAffine(pixels, turn, (width, height)), dtype=np.uint8)
    if change == "contrast":
        values = 255 * (pixels / 255.0) ** (1 + 0.25 * draw) * (0.9 + 0.15 * draw)
        return np.rint(np.clip(values, 0, 255)).astype(np.uint8)
    if change == "bordered":
        margin = round(min(height, width) * (0.08 + 0.04 * draw))
        return np.pad(pixels, margin)
    return pixels  # "jpeg": encoding it again is the change

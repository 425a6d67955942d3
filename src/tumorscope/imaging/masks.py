"""Images and the masks of their lesions: which belongs to which, by where they lie.

File names repeat from patient to patient (``slice_12.png``), so a bare name proves nothing. A mask
belongs to the image of its name in its own folder; else to the one at the same place in a tree
beside its own (``images/P1/a.png`` and ``masks/P1/a.png``); else, where masks lie in one flat
folder (``masks/a.png`` and ``yes/a.png``), to the only image of its name.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tumorscope.common.errors import InputError
from tumorscope.common.names import printable
from tumorscope.common.words import some_of
from tumorscope.imaging.find import image_of_mask, images_below, is_mask_folder

Key = TypeVar("Key", bound=Hashable)

IMAGE_FOLDERS = frozenset({"image", "images", "img", "imgs", "scan", "scans"})


@dataclass(frozen=True, slots=True)
class Pairs:
    """The images of a folder and their masks.

    Attributes
    ----------
    pairs : tuple of (Path, tuple of Path)
        Image and its masks; where there are several, each outlines one lesion.
    without_mask : tuple of Path
        Images without a mask.
    without_image : tuple of Path
        Masks without an image.
    ambiguous : tuple of (Path, tuple of Path)
        Masks that fit several images, and these.
    """

    pairs: tuple[tuple[Path, tuple[Path, ...]], ...]
    without_mask: tuple[Path, ...]
    without_image: tuple[Path, ...]
    ambiguous: tuple[tuple[Path, tuple[Path, ...]], ...] = ()


def pair_masks(folder: Path) -> Pairs:
    """Return which mask belongs to which image below a folder.

    Masks are files called ``NAME_mask`` or ``NAME_seg``, and those in folders called masks or
    segmentations.

    Raises
    ------
    InputError
        If a mask fits several images, or the folder cannot be listed.
    """
    found = find_pairs(folder)
    if found.ambiguous:
        raise _ambiguous(*found.ambiguous[0])
    return found


def find_pairs(folder: Path) -> Pairs:
    """Do what `pair_masks` does, but return masks that fit several images.

    Raises
    ------
    InputError
        If the folder cannot be listed.
    """
    images: list[Path] = []
    masks: list[Path] = []
    for path in images_below(folder, masks=True):
        (masks if _is_mask(path, folder) else images).append(path)
    beside = _by(images, lambda path: (path.parent, path.stem))
    mirrored = _by(images, lambda path: _place(path, folder))
    named = _by(images, lambda path: path.stem)
    found: dict[Path, list[Path]] = {}
    without_image = []
    ambiguous = []
    for mask in masks:
        place, stem = _place(mask, folder)
        fits = beside.get((mask.parent, stem)) or mirrored.get((place, stem), [])
        if not fits and not place and mask.parent != folder:
            fits = named.get(stem, [])
        if len(fits) > 1:
            ambiguous.append((mask, tuple(fits)))
        elif fits:
            found.setdefault(fits[0], []).append(mask)
        else:
            without_image.append(mask)
    return Pairs(
        pairs=tuple((image, tuple(found[image])) for image in images if image in found),
        without_mask=tuple(image for image in images if image not in found),
        without_image=tuple(without_image),
        ambiguous=tuple(ambiguous),
    )


def _is_mask(path: Path, folder: Path) -> bool:
    above = path.relative_to(folder).parts[:-1]
    return image_of_mask(path.stem) is not None or any(is_mask_folder(name) for name in above)


def _place(path: Path, folder: Path) -> tuple[tuple[str, ...], str]:
    """Return the folders of an image or mask that say whose it is, and the image's stem."""
    above = path.relative_to(folder).parts[:-1]
    whose = tuple(
        name for name in above if not is_mask_folder(name) and name.lower() not in IMAGE_FOLDERS
    )
    return whose, image_of_mask(path.stem) or path.stem


def _by(images: Iterable[Path], key: Callable[[Path], Key]) -> dict[Key, list[Path]]:
    found: dict[Key, list[Path]] = {}
    for image in images:
        found.setdefault(key(image), []).append(image)
    return found


def _ambiguous(mask: Path, images: Sequence[Path]) -> InputError:
    return InputError(
        f"The mask {printable(mask)} fits {len(images)} images: {some_of(images)}. "
        "Expected one image for each mask. Put masks beside their images, or in a folder masks "
        "that holds the same folders as that of the images."
    )

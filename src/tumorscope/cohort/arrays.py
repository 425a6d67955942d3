"""`Manifest` → the arrays that a trainer works on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.cohort.tumour_type import classes_of
from tumorscope.common.cores import cores
from tumorscope.common.progress import track
from tumorscope.imaging import Preprocessing, read_slice
from tumorscope.imaging.lesion_mask import (
    Mask,
    pack_mask,
    place_mask,
    read_mask,
    shrink_mask,
    unpack_mask,
)
from tumorscope.imaging.preprocess import placement, prepare_at
from tumorscope.recipes.parts import Task

BATCH = 32
"""Images that are extracted or scored at a time; more would only take more memory."""


@dataclass(frozen=True, slots=True)
class Images:
    """The cohort as the trainer sees it.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (n, size, size)
        Prepared, not yet scaled.
    labels : ndarray of int64, shape (n,)
        1 tumour, 0 no tumour; or positions in `tumorscope.common.classes.TYPE_CLASSES`.
    sources, groups : ndarray of str, shape (n,)
        Where each image comes from, and which images belong together; by default one source, and
        every image by itself.
    masks : tuple of (ndarray of uint8 or None)
        Where the lesion of each image is, as bits (see `mask`); None where nobody knows, which is
        the default.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    sources: NDArray[np.str_] = field(default_factory=lambda: np.array([], dtype=np.str_))
    groups: NDArray[np.str_] = field(default_factory=lambda: np.array([], dtype=np.str_))
    masks: tuple[NDArray[np.uint8] | None, ...] = ()

    def __post_init__(self) -> None:
        count = len(self.labels)
        if len(self.sources) != count:
            object.__setattr__(self, "sources", np.full(count, "", dtype=np.str_))
        if len(self.groups) != count:
            object.__setattr__(self, "groups", np.arange(count).astype(np.str_))
        if not self.masks:
            object.__setattr__(self, "masks", (None,) * count)
        assert len(self.masks) == count  # masks of other images would teach the wrong places

    def mask(self, position: int) -> NDArray[np.bool_] | None:
        """Return where the lesion of an image is, bool (size, size); None where nobody knows."""
        bits = self.masks[position]
        return None if bits is None else unpack_mask(bits, self.pixels.shape[-1])

    def shrunk(self, size: int) -> Images:
        """Return the same images, averaged down to an edge of `size` pixels."""
        if self.pixels.shape[-1] == size:
            return self
        small = [cv2.resize(one, (size, size), interpolation=cv2.INTER_AREA) for one in self.pixels]
        masks = (self.mask(position) for position in range(len(self.labels)))
        return replace(
            self,
            pixels=np.stack(small).astype(np.uint8),
            masks=tuple(None if each is None else _bits(shrink_mask(each, size)) for each in masks),
        )


def load_images(
    manifest: Manifest, how: Preprocessing, task: Task = "tumour", *, masks: bool = False
) -> Images:
    """Read and prepare every image of a manifest, in its order, labelled for a task.

    Parameters
    ----------
    manifest : Manifest
        The images.
    how : Preprocessing
        How each becomes network input.
    task : {"tumour", "tumour-type"}
        What the labels say.
    masks : bool
        Whether masks of lesions are read as well; one that outlines nothing is as if there were
        none.

    Raises
    ------
    UnreadableImageError
        If one cannot be read; pass ``manifest.usable``.
    InputError
        If a mask has another size than its image.
    """

    def load(row: Row) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        scan, mask = read_slice(manifest.file(row)), manifest.mask_file(row)
        place = placement(scan, how)
        bits = None
        if masks and mask is not None:
            bits = _bits(place_mask(read_mask(mask, scan.pixels.shape), place, how.size))
        return prepare_at(place, scan, how), bits

    pixels = np.empty((len(manifest), how.size, how.size), dtype=np.uint8)
    lesions: list[NDArray[np.uint8] | None] = []
    with ThreadPoolExecutor(cores()) as pool:
        prepared = track(pool.map(load, manifest.rows), "Reading images", total=len(manifest))
        for position, (image, bits) in enumerate(prepared):
            pixels[position] = image
            lesions.append(bits)
    sources = np.array([row.source for row in manifest.rows], dtype=np.str_)
    labels = labels_for(task, manifest)
    return Images(pixels, labels, sources, manifest.groups, tuple(lesions))


def _bits(mask: Mask) -> NDArray[np.uint8] | None:
    """Return a mask as bits; None where it outlines nothing, which is as if there were none."""
    return pack_mask(mask) if mask.any() else None


def labels_for(task: Task, manifest: Manifest, *, complete: bool = False) -> NDArray[np.int64]:
    """Return what a network is to say of each image, int64 (n,), from 0.

    Parameters
    ----------
    task : {"tumour", "tumour-type"}
        What it tells apart.
    manifest : Manifest
        The images.
    complete : bool
        Whether every type must have an image, as for training.

    Raises
    ------
    InputError
        If types are asked for that the manifest does not name.
    """
    return manifest.labels if task == "tumour" else classes_of(manifest, complete=complete)


def batches(indices: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    """Yield `indices` in runs of `size`; the last may be shorter."""
    for start in range(0, len(indices), size):
        yield indices[start : start + size]

"""`Manifest` → the arrays that a trainer works on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.cohort.tumour_type import classes_of
from tumorscope.common.cores import cores
from tumorscope.common.progress import track
from tumorscope.imaging import Preprocessing, prepare, read_slice
from tumorscope.imaging.lesion_mask import unpack_mask
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
        if len(self.masks) != count:
            object.__setattr__(self, "masks", (None,) * count)

    def mask(self, position: int) -> NDArray[np.bool_] | None:
        """Return where the lesion of an image is, bool (size, size); None where nobody knows."""
        bits = self.masks[position]
        return None if bits is None else unpack_mask(bits, self.pixels.shape[-1])


def load_images(manifest: Manifest, how: Preprocessing, task: Task = "tumour") -> Images:
    """Read and prepare every image of a manifest, in its order, labelled for a task.

    Raises
    ------
    UnreadableImageError
        If one cannot be read; pass ``manifest.usable``.
    """

    def load(row: Row) -> NDArray[np.uint8]:
        return prepare(read_slice(manifest.file(row)), how)

    pixels = np.empty((len(manifest), how.size, how.size), dtype=np.uint8)
    with ThreadPoolExecutor(cores()) as pool:
        prepared = track(pool.map(load, manifest.rows), "Reading images", total=len(manifest))
        for position, image in enumerate(prepared):
            pixels[position] = image
    sources = np.array([row.source for row in manifest.rows], dtype=np.str_)
    return Images(pixels, labels_for(task, manifest), sources, manifest.groups)


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

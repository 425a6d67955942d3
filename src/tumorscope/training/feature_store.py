"""The frozen part of the backbone, run by the fastest engine at hand and never twice.

This is where the notebook that everyone starts from spends its time: 20 epochs push every image
through 2.2 M weights that do not change. Three things make that cheap: ONNX Runtime does the
pass, one pass yields what both phases need, and the result of an augmented version is kept for
the next epoch that uses it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.cohort.arrays import BATCH, Images
from tumorscope.imaging.brain import brain_mask
from tumorscope.imaging.lesion_mask import Mask, pack_mask, unpack_mask
from tumorscope.networks.body import backbone_of
from tumorscope.networks.feature_engine import feature_engine
from tumorscope.networks.halves import WHOLE, entrances
from tumorscope.recipes.recipe import Recipe
from tumorscope.training.augment import augment
from tumorscope.training.places import places_of

if TYPE_CHECKING:
    import keras


CACHE_BYTES = 1 << 30
"""Features above this are computed again instead of kept."""

CutLayer = str | None
"""Where a trained part starts: None the head, "input" the image, else a layer of the backbone."""

Received = tuple[NDArray[np.generic], ...]
"""What a trained part receives: an array for each of its inputs, most have one."""

Features = dict[CutLayer, Received]


def extractor(
    model: keras.Model, recipe: Recipe, entries: Sequence[CutLayer]
) -> Callable[[NDArray[np.uint8]], Features]:
    """Return a function from grey images uint8 (n, h, w) to what each entry receives.

    Features are float16: MobileNetV2's are clipped to 0…6, where that is exact to 0.002, and
    halving them halves the memory traffic that bounds training the head.

    Runs in ONNX Runtime; in Keras where the backbone has layers that have no translation.
    """
    scaling = recipe.input.scaling
    starts = {entry: entrances(model, from_layer=entry) for entry in entries if entry != WHOLE}
    taps = [tap for several in starts.values() for tap in several]
    run = feature_engine(backbone_of(model), taps, scaling) if taps else None

    def extract(pixels: NDArray[np.uint8]) -> Features:
        features: Features = {}
        if run is not None:
            made = iter(run(pixels))
            features.update(
                (entry, tuple(islice(made, len(several)))) for entry, several in starts.items()
            )
        if WHOLE in entries:
            features[WHOLE] = (pixels,)
        return features

    return extract


@dataclass(frozen=True, slots=True, eq=False)
class Augmented:
    """What training sees of a version of each of some images.

    Attributes
    ----------
    features : tuple of ndarray, each of shape (n, …)
        What the trained part receives, an array for each of its inputs.
    labels : ndarray of int64, shape (n,)
        Of the versions: 1 where a lesion was drawn into a tumour-free image.
    places : ndarray of float32, shape (n, height, width), or None
        What each place of the network's map shows; see `tumorscope.training.places.places_of`.
        None where the store was given no grid.
    """

    features: Received
    labels: NDArray[np.int64]
    places: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True, eq=False)
class _Version:
    """One version of one image, as kept."""

    features: Features
    label: int
    places: NDArray[np.float32] | None


class FeatureStore:
    """What the trained part receives, for every image and augmented version, computed once.

    Parameters
    ----------
    extract : callable
        As made by `extractor`.
    images : Images
        The whole cohort, at the size that trains; positions in it identify images.
    recipe : Recipe
        Says how training images are augmented, and how they were prepared.
    grid : tuple of int, optional
        Height and width of the network's map, where training looks at places.
    limit : int
        Bytes to keep; what does not fit is computed again each time.
    """

    def __init__(
        self,
        extract: Callable[[NDArray[np.uint8]], Features],
        images: Images,
        recipe: Recipe,
        *,
        grid: tuple[int, int] | None = None,
        limit: int = CACHE_BYTES,
    ) -> None:
        self._extract = extract
        self._images = images
        self._recipe = recipe
        self._grid = grid
        self._room = limit
        self._kept: dict[tuple[int, int], _Version] = {}
        self._brains: dict[int, NDArray[np.uint8] | None] = {}

    def augmented(
        self, indices: NDArray[np.int64], versions: NDArray[np.int64], *, entry: CutLayer
    ) -> Augmented:
        """Return a version of each image: its features, its label, and what its places show."""
        variants = self._recipe.augmentation.variants
        found = self._get(indices, versions % variants if variants else versions)
        places = [one.places for one in found if one.places is not None]
        return Augmented(
            features=_stacked(found, entry),
            labels=np.array([one.label for one in found], dtype=np.int64),
            places=np.stack(places) if places else None,
        )

    def plain(self, indices: NDArray[np.int64], *, entry: CutLayer) -> Received:
        """Return the features of images as they are."""
        found = self._get(indices, np.full(len(indices), -1))
        return _stacked(found, entry)

    def _get(self, indices: NDArray[np.int64], versions: NDArray[np.int64]) -> list[_Version]:
        keys = list(zip(indices.tolist(), versions.tolist(), strict=True))
        missing = [key for key in dict.fromkeys(keys) if key not in self._kept]
        fresh = self._compute(missing) if missing else {}
        return [fresh[key] if key in fresh else self._kept[key] for key in keys]

    def _compute(self, keys: list[tuple[int, int]]) -> dict[tuple[int, int], _Version]:
        indices, versions = np.array(keys, dtype=np.int64).T
        pixels, labels = self._images.pixels[indices], self._images.labels[indices]
        lesions: list[Mask | None] = [None] * len(keys)
        changes = np.flatnonzero(versions >= 0)
        if len(changes):
            varied = augment(
                pixels[changes],
                labels[changes],
                self._recipe.augmentation,
                how=replace(self._recipe.input.preprocessing, size=pixels.shape[-1]),
                seed=self._recipe.seed,
                indices=indices[changes],
                versions=versions[changes],
                brain=self._brain,
                lesion=self._images.mask if self._grid else None,
            )
            pixels[changes], labels[changes] = varied.pixels, varied.labels
            for position, lesion in zip(changes.tolist(), varied.lesions, strict=True):
                lesions[position] = lesion
        fresh: dict[tuple[int, int], _Version] = {}
        for position, key in enumerate(keys):
            if position % BATCH == 0:
                outputs = self._extract(pixels[position : position + BATCH])
            # Copies, so that one kept image does not hold its whole batch in memory.
            one: Features = {
                entry: tuple(values[position % BATCH].copy() for values in several)
                for entry, several in outputs.items()
            }
            label, lesion = int(labels[position]), lesions[position]
            places = places_of(lesion, label, self._grid) if self._grid else None
            fresh[key] = _Version(one, label, places)
            size = sum(values.nbytes for several in one.values() for values in several)
            # A new version every epoch is never asked for again.
            if size <= self._room and (key[1] < 0 or self._recipe.augmentation.variants):
                self._room -= size
                self._kept[key] = fresh[key]
        return fresh

    def _brain(self, index: int) -> NDArray[np.bool_] | None:
        """Return where the brain of an image is, found once and kept as bits."""
        ranges = self._recipe.augmentation
        if not ranges.strip_skull and not ranges.draw_skull:
            return None
        if index not in self._brains:
            mask = brain_mask(self._images.pixels[index])
            self._brains[index] = None if mask is None else pack_mask(mask)
        bits = self._brains[index]
        return None if bits is None else unpack_mask(bits, self._images.pixels.shape[-1])


def _stacked(found: Sequence[_Version], entry: CutLayer) -> Received:
    inputs = zip(*(one.features[entry] for one in found), strict=True)
    return tuple(np.stack(several) for several in inputs)

"""What the metadata of a model file holds, checked on load. Plain values only, never code."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, JsonValue, model_validator

from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.duplicates import mark_sets, same_pixels, thumbprint, thumbprint_v1
from tumorscope.duplicates.mark_sets import MarkSets
from tumorscope.duplicates.marks import Marks
from tumorscope.imaging import Preprocessing
from tumorscope.model_file.decision import (
    Conformal,
    Estimate,
    OperatingPoint,
    Part,
    Share,
)
from tumorscope.model_file.series_rule import SeriesLevel, SeriesRule

__all__ = [
    "OUTPUTS",
    "SCHEMA_VERSION",
    "Calibration",
    "Conformal",
    "Estimate",
    "InputCheck",
    "Metadata",
    "OperatingPoint",
    "Precision",
    "PreprocessingSpec",
    "SeriesLevel",
    "SeriesRule",
    "Share",
    "TrainingThumbprints",
]

SCHEMA_VERSION = 1
"""Raised whenever a reader of the older schema would misunderstand a file of the newer."""

OUTPUTS = ("probability", "logit", "evidence", "bias", "distance")
"""Outputs of every graph, in order; see `tumorscope.networks.model_graph`."""

Side = Annotated[int, Field(ge=1, le=1024)]

MOST_BYTES = 1 << 28
"""Of thumbprints in one file: those of a million images."""

Precision = Literal["float32", "float16", "int8"]


class PreprocessingSpec(Part):
    """Arguments of `tumorscope.imaging.Preprocessing`."""

    size: Annotated[int, Field(ge=32, le=1024)]
    crop: Literal["none", "head"]
    fit: Literal["stretch", "pad"]
    intensity: Literal["none", "percentile"]

    @property
    def preprocessing(self) -> Preprocessing:
        """The preprocessing that `tumorscope.imaging.prepare` takes."""
        return Preprocessing(size=self.size, crop=self.crop, fit=self.fit, intensity=self.intensity)


class Calibration(Part):
    """``probability = sigmoid(slope · logit + intercept)``, which the graph computes itself.

    The inverse of the slope is the temperature. `n` scores of images that the network was not
    fitted on decided it; the errors are measured on held-out folds of those scores, None where
    there were too few.
    """

    slope: Annotated[float, Field(gt=0.0)] = 1.0
    intercept: float = 0.0
    fitted_on: str = "nothing"
    n: Annotated[int, Field(ge=0)] = 0
    ece_before: Share | None = None
    ece_after: Share | None = None


class InputCheck(Part):
    """What is refused as "not a brain MRI slice".

    Attributes
    ----------
    distance : float or None
        Largest `distance` of the graph that passes; None where the model has no distance.
    refused_brain : Estimate or None
        Share of held-out brain MRI above it.
    refused_other : Estimate or None
        Share of drawn pictures of other things above it; they took part in choosing it.
    edge : int
        Smallest width or height in pixels.
    aspect : float
        Largest ratio of the sides.
    spread : float
        Smallest standard deviation of the grey values, below which an image is blank.
    coloured : float
        Largest share of really coloured pixels.
    """

    distance: Annotated[float, Field(gt=0.0)] | None = None
    refused_brain: Estimate | None = None
    refused_other: Estimate | None = None
    edge: Annotated[int, Field(ge=1)] = 32
    aspect: Annotated[float, Field(ge=1.0)] = 3.0
    spread: Annotated[float, Field(ge=0.0)] = 4.0
    coloured: Share = 0.10

    def too_far(self, distance: ArrayLike) -> NDArray[np.bool_]:
        """Return which distances of a graph are beyond the limit, bool of the same shape.

        A distance that is no number is beyond every limit; without a limit, nothing is.

        Examples
        --------
        >>> InputCheck(distance=2.0).too_far([1.0, 2.0, 3.0, np.nan]).tolist()
        [False, False, True, True]
        >>> InputCheck().too_far([1.0, np.nan]).tolist()
        [False, False]
        """
        values = np.asarray(distance, dtype=np.float64)
        if self.distance is None:
            return np.zeros(values.shape, dtype=np.bool_)
        return np.asarray(~(values <= self.distance))


STEP = 6
"""Thumbprints of version 1 are kept in steps of this size: 155 bytes an image instead of 342."""

LENGTHS = {
    thumbprint_v1.VERSION: thumbprint_v1.EDGE * thumbprint_v1.EDGE,
    thumbprint.VERSION: thumbprint.BYTES,
}
"""Version of thumbprints that are kept one by one → bytes of each."""

PACKINGS = {thumbprint_v1.VERSION: "sixths", thumbprint.VERSION: "bytes", mark_sets.VERSION: "sets"}


class Prints(Part):
    """What is kept of known images, of one version, some that a model file holds.

    Base64 of what `tumorscope.duplicates.mark_sets.MarkSets.pack` returns. Older versions are read:
    of 2, base64 of zlib of (count, 104) bytes; of 1, of int8 (count, 256), each value a sixth of
    the thumbprint's.
    """

    version: int = mark_sets.VERSION
    count: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    packing: Literal["sixths", "bytes", "sets"] = "sets"
    data: str = ""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.version not in PACKINGS:
            *known, last = map(str, PACKINGS)
            raise ValueError(
                f"thumbprints are of version {self.version}; expected {', '.join(known)} or "
                f"{last}. A newer tumorscope reads them"
            )
        if self.count and self.packing != PACKINGS[self.version]:
            raise ValueError(f"thumbprints of version {self.version} are not packed so")
        if self.unpacked > MOST_BYTES:
            raise ValueError(f"thumbprints of {self.count} images are more than are read")
        if self.version == mark_sets.VERSION and self.count:
            self.sets()
        elif len(self._bytes()) != self.count * LENGTHS.get(self.version, 0):
            raise ValueError(f"thumbprints of {self.count} images do not fill their data")
        return self

    @classmethod
    def pack(cls, prints: NDArray[np.uint8] | NDArray[np.int8]) -> Self:
        """Pack thumbprints of an older version: uint8 (n, 104), or int8 (n, 256)."""
        if not len(prints):
            return cls()
        first = prints.dtype == np.int8
        if first:
            prints = np.rint(prints.astype(np.float32) / STEP).astype(np.int8)
        return cls(
            version=thumbprint_v1.VERSION if first else thumbprint.VERSION,
            count=len(prints),
            packing="sixths" if first else "bytes",
            data=base64.b64encode(zlib.compress(prints.tobytes(), 9)).decode("ascii"),
        )

    def unpack(self) -> NDArray[np.uint8] | NDArray[np.int8]:
        """Return thumbprints of an older version: uint8 (n, 104), or int8 (n, 256)."""
        if self.version == thumbprint.VERSION:
            return np.frombuffer(self._bytes(), dtype=np.uint8).reshape(-1, thumbprint.BYTES)
        steps = np.frombuffer(self._bytes(), dtype=np.int8).reshape(-1, LENGTHS[self.version])
        return np.clip(steps.astype(np.int16) * STEP, -127, 127).astype(np.int8)

    @property
    def unpacked(self) -> int:
        """How many bytes they are; marks, which hardly shrink, as they are stored."""
        return self.count * LENGTHS.get(self.version, 0) or len(self.data)

    def sets(self) -> MarkSets:
        """Return the marks of all images, which cannot be told apart."""
        return _unpacked(self.data)

    def _bytes(self) -> bytes:
        if not self.data:
            return b""
        try:
            # No more than asked for, so that a small file cannot fill the memory.
            stream = zlib.decompressobj()
            most = self.count * LENGTHS.get(self.version, 0) + 1
            return stream.decompress(_decoded(self.data, "thumbprints"), most)
        except zlib.error as error:
            raise ValueError(f"thumbprints cannot be unpacked ({error})") from error


@lru_cache(maxsize=2)
def _unpacked(data: str) -> MarkSets:
    """Unpack marks; kept, because a detector asks for what was unpacked to be checked."""
    return MarkSets.unpack(_decoded(data, "thumbprints"))


def _decoded(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{what} cannot be unpacked ({error})") from error


class TrainingThumbprints(Prints):
    """What is kept of the training and tuning images.

    Attributes
    ----------
    inherited : tuple of Prints
        That of the images that the starting weights were trained on.
    prepared : str
        Base64 of 8 bytes for each training and tuning image, or for some: digests of the network's
        input, by which the very picture is known at once.
    withheld : bool
        Whether nothing was kept because the recipe says so: nobody can then tell that an image was
        not seen.

    Examples
    --------
    >>> from tumorscope.duplicates.enrolment import remembered
    >>> from tumorscope.synthetic.phantom_slice import phantom_slice
    >>> known = TrainingThumbprints.of([remembered(phantom_slice(tumour=True, seed=1))])
    >>> known.total, len(known.sets().sets)
    (1, 12)
    """

    inherited: tuple[Prints, ...] = ()
    prepared: str = ""
    withheld: bool = False

    @model_validator(mode="after")
    def _of_known_images(self) -> Self:
        if sum(each.unpacked for each in self.lists) > MOST_BYTES:
            raise ValueError(f"thumbprints of {self.total} images are more than are read")
        size, found = same_pixels.BYTES, len(_decoded(self.prepared, "digests"))
        if found % size or found > self.count * size:
            raise ValueError(f"digests of at most {self.count} images do not fill {found} bytes")
        if self.withheld and self.count:
            raise ValueError(f"thumbprints of {self.count} images are said to be withheld")
        return self

    @classmethod
    def of(cls, remembered: Sequence[Marks], digests: Iterable[bytes] = ()) -> Self:
        """Return what is kept of images.

        Parameters
        ----------
        remembered : sequence of ndarray of uint64, shape (k, 12)
            Of each image, from `tumorscope.duplicates.enrolment.remembered`.
        digests : iterable of bytes
            Of what the network is given of each, in their order, or none; see
            `tumorscope.duplicates.same_pixels.digest_of`. Those of images without structure, which
            resemble nothing, are left out.
        """
        if not remembered:
            return cls()
        shown = zip(digests, remembered, strict=False)
        kept = {digest for digest, marks in shown if marks.any()}
        packed = MarkSets.of(np.concatenate(remembered)).pack()
        return cls(
            count=len(remembered),
            data=base64.b64encode(packed).decode("ascii"),
            prepared=base64.b64encode(b"".join(sorted(kept))).decode("ascii"),
        )

    @property
    def digests(self) -> frozenset[bytes]:
        """Digests of what a network was given of known images; none in older files."""
        data, size = _decoded(self.prepared, "digests"), same_pixels.BYTES
        return frozenset(data[at : at + size] for at in range(0, len(data), size))

    @property
    def lists(self) -> tuple[Prints, ...]:
        """Everything that is kept, version by version."""
        return tuple(each for each in (self, *self.inherited) if each.count)

    @property
    def total(self) -> int:
        """How many images are known."""
        return sum(each.count for each in self.lists)


class Metadata(Part):
    """Everything that a model file says about itself.

    Attributes
    ----------
    schema_version : int
        Of this class.
    name : str
        Of the model; with the hash of the graph it makes the model's id.
    precision : {"float32", "float16", "int8"}
        Of the stored weights.
    graph_sha256 : str
        Of the file without its metadata; 64 hexadecimal digits.
    grid : tuple of int
        Height and width of the evidence map.
    series : SeriesRule or None
        How slices become the answer for a series; None where the model answers slice by slice.
    recipe : dict
        The whole recipe.
    data : dict
        Hash of the training data, counts of images and groups, split, starting weights.
    versions : dict
        Of the libraries that the model was made with.
    card : str
        The model card, Markdown.
    """

    schema_version: Literal[1] = 1
    notice: Literal["Research use only. Not a medical device. Not for diagnosis."] = (
        "Research use only. Not a medical device. Not for diagnosis."
    )
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]+$", max_length=100)]
    created: str
    classes: tuple[Literal["no tumour"], Literal["tumour"]] = ("no tumour", "tumour")
    precision: Precision = "float32"
    graph_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    preprocessing: PreprocessingSpec
    grid: tuple[Side, Side]
    calibration: Calibration = Calibration()
    operating_points: Annotated[dict[str, OperatingPoint], Field(min_length=1)]
    conformal: Conformal = Conformal()
    input_check: InputCheck = InputCheck()
    series: SeriesRule | None = None
    seen: TrainingThumbprints = TrainingThumbprints()
    recipe: dict[str, JsonValue]
    data: dict[str, JsonValue]
    versions: Annotated[dict[str, str], Field(default_factory=dict)]
    card: str = ""

    @model_validator(mode="after")
    def _balanced(self) -> Metadata:
        if "balanced" not in self.operating_points:
            raise ValueError("operating_points lacks “balanced”")
        return self

    @property
    def id(self) -> str:
        """Name and the first 12 digits of the graph's hash."""
        return f"{self.name}@{self.graph_sha256[:12]}"


assert Metadata.model_fields["notice"].default == RESEARCH_USE_ONLY

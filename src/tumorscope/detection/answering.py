"""What a series needs of a detector."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from tumorscope.detection.finding import Finding
from tumorscope.imaging.inputs import Image
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.schema import Metadata


class Answering(Protocol):
    """What is needed of a `tumorscope.Detector`, which itself stands on this module."""

    operating_point: str
    threads: int

    @property
    def metadata(self) -> Metadata:
        """What the model file says about itself."""
        ...

    @property
    def model_id(self) -> str:
        """Name of the model, and hash of its graph."""
        ...

    def unlooking(self) -> Answering:
        """Return the same without the look whether images are known."""
        ...

    def knows(self, scan: Slice) -> bool | None:
        """Return whether the model was trained on a slice."""
        ...

    def detect_many(
        self, images: Iterable[Image], *, batch: int | None = None
    ) -> Iterator[Finding]:
        """Yield the findings for many images in their order."""
        ...

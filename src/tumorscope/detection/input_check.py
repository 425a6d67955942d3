"""A model's input check alone, for whoever wants to know what it would refuse."""

from __future__ import annotations

from dataclasses import dataclass

from tumorscope.detection import rules
from tumorscope.detection.engines import Engine, open_engine
from tumorscope.imaging.preprocess import prepare
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.onnx_file import ModelFile
from tumorscope.model_file.schema import Metadata


@dataclass(frozen=True, slots=True)
class ModelInputCheck:
    """The input check of a model file; threads may share it.

    Attributes
    ----------
    metadata : Metadata
        Of the model.
    engine : Engine
        That computes distances, one core for each call.
    """

    metadata: Metadata
    engine: Engine

    @classmethod
    def of(cls, model: ModelFile) -> ModelInputCheck:
        """Open a model file for its input check."""
        return cls(model.metadata, open_engine(model, threads=1))

    @property
    def model(self) -> str:
        """Name of the model."""
        return self.metadata.id

    @property
    def limit(self) -> float | None:
        """Distance beyond which an image is refused."""
        return self.metadata.input_check.distance

    def check(self, scan: Slice, coloured: float) -> tuple[tuple[str, ...], float | None]:
        """Return why an image is refused, and its distance where that was needed.

        Parameters
        ----------
        scan : Slice
            The decoded image.
        coloured : float
            Share of its pixels that are really coloured, 0 to 1.
        """
        reasons = rules.input_reasons(scan, self.metadata.input_check, coloured=coloured)
        if reasons:
            return reasons, None
        pixels = prepare(scan, self.metadata.preprocessing.preprocessing)
        distance = float(self.engine.run(pixels[None]).distance[0])
        far = self.metadata.input_check.too_far(distance)
        return ("not-brain-mri",) if far else (), distance

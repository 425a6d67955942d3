"""Which images of a cohort are perhaps not brain MRI, as a model's input check sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from tumorscope.detection.detector import PACKAGED
from tumorscope.detection.input_check import ModelInputCheck
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.other_formats import read_any

UNUSUAL = 3.5
"""Modified z-score of log(distance) beyond which it is unusual (Iglewicz and Hoaglin 1993)."""

FEWEST = 20
"""Fewer images do not show what is usual."""

SHOWN = 12
"""Images that are shown as the furthest."""


class Checked(NamedTuple):
    """What an input check says of one image.

    Attributes
    ----------
    reasons : tuple of str
        Why it is refused, such as "not-brain-mri"; empty where it is not.
    distance : float or None
        From the images that the model was trained on; None where that was not asked.
    """

    reasons: tuple[str, ...]
    distance: float | None


class InputCheck(Protocol):
    """What an audit asks of each image; see `packaged_check`."""

    @property
    def model(self) -> str:
        """Name of the model."""

    @property
    def limit(self) -> float | None:
        """Distance beyond which an image is refused."""

    def check(self, scan: Slice, coloured: float) -> tuple[tuple[str, ...], float | None]:
        """Return what `Checked` holds; `coloured` is the share of pixels that are."""


def packaged_check() -> InputCheck | None:
    """Return the input check of the packaged model; None where this installation holds none."""
    return ModelInputCheck.of(read_any(PACKAGED)) if PACKAGED.is_file() else None


@dataclass(frozen=True, slots=True)
class InputChecks:
    """What an input check says of a cohort, by path.

    Attributes
    ----------
    model : str
        Whose check it is.
    limit : float or None
        Distance beyond which an image is refused.
    refused : dict of str to tuple of str
        Path → reasons.
    unusual : tuple of str
        Images that lie much further from what the model knows than the rest of the cohort does,
        although the model would answer them.
    distances : dict of str to float
        Path → distance, the furthest first.
    """

    model: str
    limit: float | None
    refused: dict[str, tuple[str, ...]]
    unusual: tuple[str, ...]
    distances: dict[str, float]

    @classmethod
    def of(cls, check: InputCheck, checked: Mapping[str, Checked]) -> InputChecks:
        """Gather what was said of each image, path → answer."""
        far = {path: one.distance for path, one in checked.items() if one.distance is not None}
        refused = {path: one.reasons for path, one in checked.items() if one.reasons}
        beyond = _usual_at_most(list(far.values()))
        return cls(
            model=check.model,
            limit=check.limit,
            refused=refused,
            unusual=tuple(
                path for path, value in far.items() if value > beyond and path not in refused
            ),
            distances=dict(sorted(far.items(), key=lambda item: (-item[1], item[0]))),
        )

    @property
    def furthest(self) -> tuple[str, ...]:
        """The images to look at first: those refused without a distance, then by distance."""
        without = [path for path in self.refused if path not in self.distances]
        return (*without, *self.distances)[:SHOWN]

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "model": self.model,
            "limit": self.limit,
            "refused": {path: list(reasons) for path, reasons in self.refused.items()},
            "unusual": list(self.unusual),
            "distances": {path: round(value, 4) for path, value in self.distances.items()},
        }


def _usual_at_most(distances: list[float]) -> float:
    """Return the distance beyond which one is unusual among these.

    Distances are positive and skewed to the right, so their logarithms are compared: among the
    distances themselves the tail of an ordinary cohort would count as unusual.
    """
    if len(distances) < FEWEST:
        return float("inf")
    logs = np.log(np.maximum(distances, np.finfo(np.float64).tiny))
    middle = float(np.median(logs))
    spread = 1.4826 * float(np.median(np.abs(logs - middle)))
    return float(np.exp(middle + UNUSUAL * spread)) if spread > 0 else float("inf")

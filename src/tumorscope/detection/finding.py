"""The answer for one image: what was decided, why, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Decision = Literal["tumour", "no tumour", "abstain", "refused", "unreadable"]

REASONS = (
    *("damaged", "not-brain-mri", "blank", "too-small"),
    *("uncertain", "unlike-training", "seen"),
)
"""Codes of reasons in the order in which a finding lists them; the eighth is "unreadable: …"."""

_WORDS = {
    "damaged": "Its file is damaged: the data of the JPEG do not end where the picture does.",
    "not-brain-mri": "It does not look like a slice of a brain MRI.",
    "blank": "It is blank: its grey values hardly differ.",
    "too-small": "It is too small to show anatomy.",
    "uncertain": "Both answers are plausible at the model's stated error rate and this operating "
    "point.",
    "unlike-training": "Neither answer is plausible: it is unlike what the model was trained on.",
    "seen": "The model was trained on this image or a copy of it, so this answer says nothing "
    "about how well the model works.",
}


@dataclass(frozen=True, slots=True, eq=False)
class Finding:
    """What a model says about one image.

    Attributes
    ----------
    source : str
        Where the image came from.
    decision : {"tumour", "no tumour", "abstain", "refused", "unreadable"}
        "abstain": the model cannot tell; "refused": the input check says that it should not try.
    probability : float or None
        Calibrated probability of a tumour, 0 to 1; None where refused or unreadable.
    prediction_set : tuple of str
        One label for an answer, both or none to abstain; see
        `tumorscope.model_file.decision.DecisionRule`.
    reasons : tuple of str
        Codes, see `REASONS`, or one that starts with "unreadable: ".
    seen : bool or None
        Whether the model's thumbprints say that it was trained on this image or a copy; None where
        nobody can tell: the model file holds no thumbprints, the image cannot be read, or nobody
        looked.
    model : str
        Id of the model: its name and the first 12 digits of the hash of its graph.
    operating_point : str
        Name of the operating point that decided.
    threshold : float or None
        Probability at and above which that operating point calls "tumour".
    zone : tuple of float or None
        Between which probabilities the model abstains there; the threshold lies in it.
    distance : float or None
        From the training images, in the units of the model; None where it was not computed.
    logit, bias : float or None
        Before calibration; ``evidence.sum() + bias == logit`` up to rounding.
    evidence : ndarray of float32, shape (h, w), or None
        Share of each place in the logit, positive towards tumour.
    ms : float
        Milliseconds from file to finding; of images that ran together, their mean.
    unreadable : str
        What is wrong with the file, where it cannot be read.
    final : bool
        Whether asking again would say the same; not where memory did not suffice.
    """

    source: str
    decision: Decision
    probability: float | None
    prediction_set: tuple[str, ...]
    reasons: tuple[str, ...]
    seen: bool | None
    model: str
    operating_point: str
    threshold: float | None
    distance: float | None
    logit: float | None
    bias: float | None
    evidence: NDArray[np.float32] | None
    ms: float
    zone: tuple[float, float] | None = None
    unreadable: str = ""
    final: bool = True

    @property
    def words(self) -> str:
        """The finding in sentences for people, without the research-use notice.

        Examples
        --------
        >>> from tumorscope.detection.detector import Detector
        >>> Detector.load().detect(np.zeros((64, 64), np.uint8)).words[-43:]
        'It is blank: its grey values hardly differ.'
        """
        why = [_WORDS[code] for code in self.reasons if code in _WORDS]
        if self.decision == "unreadable":
            said = self.unreadable
            return f"The file cannot be read: {said}" if said else "The file cannot be read."
        if self.decision == "refused":
            return " ".join(["No answer: the model should not be asked about this image.", *why])
        if self.probability is None or self.threshold is None:  # never so for what follows
            return " ".join(why)
        return " ".join([*self._answer(self.probability, self.threshold), *why])

    def _answer(self, probability: float, threshold: float) -> list[str]:
        """Return the answer with its reason: where the probability lies at the operating point."""
        low, high = self.zone or (threshold, threshold)
        given, point = f"Its calibrated probability is {probability:.3f}", self.operating_point
        if self.decision == "abstain":
            return [
                "No answer: the model cannot tell.",
                f"{given}, and at the operating point “{point}” there is no answer between "
                f"{low:.3f} and {high:.3f}.",
            ]
        if self.decision == "tumour":
            return [
                "The model finds signs of a tumour.",
                f"{given}; the operating point “{point}” says “tumour” at {high:.3f} and above.",
            ]
        return [
            "The model finds no signs of a tumour.",
            f"{given}; the operating point “{point}” says “no tumour” below {low:.3f}.",
            "A no-tumour result is not a clean bill of health.",
        ]

    def to_dict(self, *, evidence: bool = True) -> dict[str, object]:
        """Return the finding as plain values that `json.dumps` takes.

        Parameters
        ----------
        evidence : bool
            Whether to include the evidence map, as a list of rows.
        """
        document: dict[str, object] = {
            "source": self.source,
            "decision": self.decision,
            "probability": self.probability,
            "prediction_set": list(self.prediction_set),
            "reasons": list(self.reasons),
            "words": self.words,
            "seen": self.seen,
            "model": self.model,
            "operating_point": self.operating_point,
            "threshold": self.threshold,
            "zone": None if self.zone is None else list(self.zone),
            "distance": self.distance,
            "logit": self.logit,
            "bias": self.bias,
            "ms": round(self.ms, 3),
        }
        if evidence:
            document["evidence"] = None if self.evidence is None else self.evidence.tolist()
        return document

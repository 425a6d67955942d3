"""From a probability to an answer, or none: the one rule that everything here decides by.

Its numbers are those of a model file. They stand apart from the rest of the schema so that not only
who applies them (`tumorscope.detection`) may import them, but also who measures them
(`tumorscope.statistics`), which knows no images.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from tumorscope.common.classes import CLASSES

Answer = Literal["tumour", "no tumour", "abstain"]

ABSTAINED = -1
"""What `DecisionRule.answers` holds where there is none."""

Values = NDArray[np.float64]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Part(BaseModel):
    """A part of what a model file says: never changed, and nothing unknown in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Estimate(Part):
    """A share with its 95 % interval (Wilson)."""

    value: Share
    low: Share
    high: Share


class OperatingPoint(Part):
    """The probability at and above which an image is called tumour, why, and what that reached.

    All estimates are those of the same policy on held-out folds. They are None where there were too
    few scores to choose a threshold, which is then 0.5, and where there was no image to measure on.
    Files that tumorscope 0.1 wrote have the first two estimates only.

    Attributes
    ----------
    threshold : float
    policy : str
        How it was chosen.
    sensitivity, specificity, error : Estimate or None
        Of calling every image by the threshold, also those that the rule abstains on.
    abstained : Estimate or None
        Share of images without an answer; see `tumorscope.model_file.decision.DecisionRule`.
    sensitivity_answered, specificity_answered, error_answered : Estimate or None
        Among the images that were answered.
    coverage : tuple of Estimate or None
        Share of the images of each class ("no tumour", "tumour") whose prediction set holds their
        label.
    """

    threshold: Share
    policy: str
    sensitivity: Estimate | None = None
    specificity: Estimate | None = None
    error: Estimate | None = None
    abstained: Estimate | None = None
    sensitivity_answered: Estimate | None = None
    specificity_answered: Estimate | None = None
    error_answered: Estimate | None = None
    coverage: tuple[Estimate, Estimate] | None = None


class Conformal(Part):
    """Class-conditional conformal prediction: label y is kept where 1 − p(y) ≤ quantile(y).

    A quantile of 1 always keeps its label, which is right where a class had too few scores for the
    miscoverage.
    """

    miscoverage: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.10
    no_tumour: Share = 1.0
    tumour: Share = 1.0
    n: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionRule:
    """A threshold and two quantiles: answered where both agree, abstained where they do not.

    The threshold calls an image: "tumour" at the threshold and above. Conformal prediction keeps a
    label that is no less likely than its quantile permits. The call is the answer where it is the
    only label kept. So the answer follows the probability in one direction at every threshold and
    never contradicts its own prediction set, and the abstentions are one interval, `zone`.

    Attributes
    ----------
    threshold : float
        A probability at or above it is called a tumour.
    no_tumour, tumour : float
        Quantiles: "no tumour" is kept where p ≤ `no_tumour`, "tumour" where 1 − p ≤ `tumour`; at
        the border a label is kept. 1 keeps it always, so the other is never answered.

    Examples
    --------
    >>> rule = DecisionRule(threshold=0.5, no_tumour=0.7, tumour=0.7)
    >>> [rule.decide(each) for each in (0.1, 0.4, 0.9)]
    [('no tumour', ('no tumour',)), ('abstain', ('no tumour', 'tumour')), ('tumour', ('tumour',))]
    """

    threshold: float
    no_tumour: float
    tumour: float

    @classmethod
    def of(cls, point: OperatingPoint, conformal: Conformal) -> DecisionRule:
        """Return the rule that the numbers in a model file make."""
        return cls(
            threshold=point.threshold, no_tumour=conformal.no_tumour, tumour=conformal.tumour
        )

    @property
    def zone(self) -> tuple[float, float]:
        """Between which probabilities it abstains: "no tumour" lies below, "tumour" above.

        At an end itself it answers where the threshold and the kept labels there still agree.
        """
        ends = (1.0 - self.tumour, self.no_tumour, self.threshold)
        return min(ends), max(ends)

    def calls(self, probabilities: Values) -> NDArray[np.bool_]:
        """Return what the threshold alone says, true for "tumour"; it never abstains."""
        return probabilities >= self.threshold

    def kept(self, probabilities: Values) -> NDArray[np.bool_]:
        """Return the labels that the quantiles keep, bool (…, 2): "no tumour", "tumour"."""
        return np.stack(
            [probabilities <= self.no_tumour, 1.0 - probabilities <= self.tumour], axis=-1
        )

    def answers(self, probabilities: Values) -> NDArray[np.int8]:
        """Return 1 for "tumour", 0 for "no tumour", `ABSTAINED` for neither."""
        kept, calls = self.kept(probabilities), self.calls(probabilities)
        agreed = np.where(calls, kept[..., 1] & ~kept[..., 0], kept[..., 0] & ~kept[..., 1])
        return np.where(agreed, calls, ABSTAINED).astype(np.int8)

    def sets(self, probabilities: Values) -> NDArray[np.bool_]:
        """Return which labels the prediction sets hold, bool (…, 2): "no tumour", "tumour".

        One where it answers. Where it abstains both, or none where the quantiles keep neither.
        These hold the labels that the quantiles keep, so they cover each class no less often.
        """
        kept = self.kept(probabilities)
        open_still = (self.answers(probabilities) == ABSTAINED) & kept.any(axis=-1)
        sets: NDArray[np.bool_] = kept | open_still[..., None]
        return sets

    def decide(self, probability: float) -> tuple[Answer, tuple[str, ...]]:
        """Return the answer for one image, and the labels in its prediction set."""
        # What `answers` and `sets` say, without arrays of one value.
        kept = (probability <= self.no_tumour, 1.0 - probability <= self.tumour)
        called = probability >= self.threshold
        if kept == (not called, called):
            return ("tumour", CLASSES[1:]) if called else ("no tumour", CLASSES[:1])
        return "abstain", CLASSES if any(kept) else ()

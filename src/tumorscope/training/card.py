"""The model card that travels in a model file: measured values only, each with n and interval.

Its text is in ``templates``; here are the numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest

from tumorscope.cohort.row import SPLITS
from tumorscope.model_file.decision import DecisionRule
from tumorscope.model_file.schema import Estimate, Metadata, OperatingPoint
from tumorscope.reports.page import render
from tumorscope.statistics import Interval
from tumorscope.statistics.calibration_error import ReliabilityBin
from tumorscope.statistics.decisions import MeasuredRules
from tumorscope.statistics.pointing_game import Pointing
from tumorscope.statistics.prevalence import PREVALENCES, predictive_values

SOURCES_OF = "training and tuning"
"""What a model file says of its sources, where they are those of no other images."""

HEADING = "\n\n## "

REDONE, KEPT = "Training data", "Input check"
"""Headings of the first section that `with_decisions` writes anew, and of the next that stays."""


def model_card(
    metadata: Metadata,
    decisions: MeasuredRules | None,
    origin: str,
    pointing: Pointing | None = None,
) -> str:
    """Write the card of a model file.

    Parameters
    ----------
    metadata : Metadata
        Of the model, still without card.
    decisions : MeasuredRules or None
        What the decisions reached on held-out folds; None where there were too few scores.
    origin : str
        Where those scores come from.
    pointing : Pointing or None
        Whether evidence lies on outlined lesions; None where it was not measured.

    Returns
    -------
    str
        Markdown.
    """
    return _written(
        "card.md",
        metadata,
        decisions,
        origin,
        check=metadata.input_check,
        pointing=pointing,
    )


def with_decisions(
    card: str, metadata: Metadata, decisions: MeasuredRules | None, origin: str
) -> str:
    """Return a card whose decisions were measured anew, from its training data to its input check.

    Parameters
    ----------
    card : str
        Of the model.
    metadata, decisions, origin
        As for `model_card`.
    """
    before, _, rest = card.partition(HEADING + REDONE)
    _, _, after = rest.partition(HEADING + KEPT)
    anew = _written("card_decisions.md", metadata, decisions, origin)
    return f"{before}\n\n{anew.rstrip()}{HEADING}{KEPT}{after}"


def _written(
    template: str, metadata: Metadata, found: MeasuredRules | None, origin: str, **more: object
) -> str:
    points = metadata.operating_points
    card = render(
        f"training/{template}",
        metadata=metadata,
        found=found,
        origin=origin,
        counts=_counts(metadata.data["images"]),
        sources=_sources(metadata.data),
        zones={
            name: DecisionRule.of(each, metadata.conformal).zone for name, each in points.items()
        },
        prevalences=[f"{each:.1%}" for each in PREVALENCES],
        predictive={name: _predictive(each) for name, each in points.items()},
        reliability=[]
        if found is None
        else list(zip_longest(found.reliability_before, found.reliability_after)),
        share=_share,
        bin=_bin,
        **more,
    )
    return card + "\n"


def _counts(images: object) -> str:
    """Return the images of each split; the model knows those of its training and tuning."""
    assert isinstance(images, dict)
    used = {name: images[name] for name in SPLITS if images.get(name)}
    if not used:
        return f"{sum(images.values())} images"
    parts = ", ".join(f"{name} {n}" for name, n in used.items())
    return f"Images: {parts}; {sum(used.values())} in all"


def _sources(data: Mapping[str, object]) -> str:
    """Return which images the sources are of; earlier versions listed those of all images."""
    images = data["images"]
    if data.get("sources_of") == SOURCES_OF:
        return "Sources of the training and tuning images"
    tested = isinstance(images, dict) and images.get("testing")
    return "Sources of all images, testing included" if tested else "Sources"


def _predictive(point: OperatingPoint) -> list[str]:
    if point.sensitivity is None or point.specificity is None:
        return ["–"] * len(PREVALENCES)
    pairs = [
        predictive_values(point.sensitivity.value, point.specificity.value, prevalence)
        for prevalence in PREVALENCES
    ]
    return [" / ".join("–" if each is None else f"{each:.3f}" for each in pair) for pair in pairs]


def _bin(found: ReliabilityBin | None) -> str:
    return "| | " if found is None else f"| {found.predicted:.3f} | {_share(found.observed)} "


def _share(found: Estimate | Interval | None) -> str:
    return "–" if found is None else f"{found.value:.3f} ({found.low:.3f}–{found.high:.3f})"

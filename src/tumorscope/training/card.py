"""The model card that travels in a model file: measured values only, each with n and interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tumorscope.assessment.lesion_masks import Pointing
from tumorscope.cohort.row import SPLITS
from tumorscope.model_file.decision import DecisionRule
from tumorscope.model_file.schema import Estimate, Metadata, OperatingPoint
from tumorscope.statistics import Interval
from tumorscope.statistics.calibration_error import (
    PREVALENCES,
    ReliabilityBin,
    predictive_values,
)
from tumorscope.statistics.decisions import Decisions

NOT_TESTED = (
    "Not tested on: tumours in children, images after surgery or radiotherapy, other diseases that "
    "look like tumours, scanners and sites other than the sources above, whole volumes. A "
    "no-tumour result is not a clean bill of health."
)

ELSEWHERE = (
    "These figures are of the sources whose scores also chose the values: expect less of a source "
    "that is not among them."
)


SOURCES_OF = "training and tuning"
"""What a model file says of its sources, where they are those of no other images."""

HEADING = "\n\n## "


REDONE = ("Training data", "Calibration", "Decisions")
"""Headings of which the first begins what `with_decisions` writes anew."""


def model_card(
    metadata: Metadata,
    decisions: Decisions | None,
    origin: str,
    pointing: Pointing | None = None,
) -> str:
    """Write the card of a model file.

    Parameters
    ----------
    metadata : Metadata
        Of the model, still without card.
    decisions : Decisions or None
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
    sections = [
        f"# Model card: {metadata.name}",
        f"**{metadata.notice}**",
        "## Intended use",
        "Research on telling 2-D brain MRI slices with a tumour from slices without. Out of scope: "
        "diagnosis, triage, any use on patients.",
        *_data_section(metadata),
        *_decision_sections(metadata, decisions, origin),
        *_input_check(metadata),
        *_evidence(pointing),
        "## What is not known",
        NOT_TESTED,
    ]
    return "\n\n".join(sections) + "\n"


def with_decisions(card: str, metadata: Metadata, decisions: Decisions | None, origin: str) -> str:
    """Return a card whose decisions were measured anew, from its training data to its input check.

    Parameters
    ----------
    card : str
        Of the model.
    metadata, decisions, origin
        As for `model_card`.
    """
    sections = card.split(HEADING)
    told = [section.partition("\n")[0] for section in sections]
    first = next(index for index, name in enumerate(told) if name in REDONE)
    rest = next(index for index, name in enumerate(told) if name == "Input check")
    written = _decision_sections(metadata, decisions, origin)
    if told[first] == REDONE[0]:
        written = (*_data_section(metadata), *written)
    new = "\n\n".join(written).removeprefix("## ")
    return HEADING.join([*sections[:first], new, *sections[rest:]])


def _data_section(metadata: Metadata) -> Sequence[str]:
    data = metadata.data
    images, sources = data["images"], data["sources"]
    assert isinstance(images, dict)
    assert isinstance(sources, list)
    return (
        "## Training data",
        f"{_counts({name: int(str(count)) for name, count in images.items()})}, "
        f"{data['tumour']} with a tumour, in {data['groups']} groups of near-duplicates or "
        f"patients. {_sources(data)}: {', '.join(map(str, sources))}. "
        f"Hash of the data: `{data['sha256']}`. Starting weights: {data['weights']}. "
        "Licences: as the data's owners state them; the model file holds no image.",
        _leakage(str(data["split"]), sought=data.get("copies_sought") is not False),
    )


def _counts(images: Mapping[str, int]) -> str:
    """Return the images of each split; the model knows those of its training and tuning."""
    used = {name: images[name] for name in SPLITS if images.get(name)}
    if not used:
        return f"{sum(images.values())} images"
    parts = ", ".join(f"{name} {n}" for name, n in used.items())
    return f"Images: {parts}; {sum(used.values())} in all"


def _sources(data: Mapping[str, object]) -> str:
    """Return of which images the sources are, which former versions did not part."""
    images = data["images"]
    if data.get("sources_of") == SOURCES_OF:
        return "Sources of the training and tuning images"
    tested = isinstance(images, dict) and images.get("testing")
    return "Sources of all images, testing included" if tested else "Sources"


def _leakage(split: str, *, sought: bool) -> str:
    if split == "random":
        return (
            "**The split ignored groups**, so copies of one picture lie on both sides, and every "
            "figure is too good."
        )
    if not sought:
        return (
            "Images of one group were never parted by a split, nor were files with the same bytes. "
            "Other copies were not looked for, because no audit wrote the manifest: they may leak."
        )
    return (
        "Images of one group were never parted by a split. What the duplicate search misses "
        "(heavy crops, other slices of one patient without a subject id) may still leak."
    )


def _decision_sections(
    metadata: Metadata, decisions: Decisions | None, origin: str
) -> Sequence[str]:
    if decisions is None:
        return (
            "## Decisions",
            "Too few held-out scores to fit a calibration or to choose operating points: "
            "probabilities are the network's own, every threshold is 0.5, and the model abstains.",
        )
    found = decisions
    points = metadata.operating_points
    zones = {
        name: DecisionRule.of(point, metadata.conformal).zone for name, point in points.items()
    }
    return (
        "## Calibration",
        f"Fitted on {origin}: {found.n} images, {found.n_positive} with a tumour. Probability = "
        f"sigmoid({found.fit.slope:.3f} · logit {found.fit.intercept:+.3f}). Calibration error "
        f"(ECE) on held-out folds: {found.ece_before:.3f} before, {found.ece_after:.3f} after.",
        ELSEWHERE,
        "Reliability on held-out folds: the mean probability of a fifth of the images, and which "
        "share of them has a tumour.",
        _reliability(found),
        "## Operating points",
        "From its threshold on an operating point calls an image a tumour. It abstains in a range "
        "around the threshold: below that the answer is “no tumour”, above “tumour”.",
        _table(
            ("name", "policy", "threshold", "abstains", "share abstained"),
            [
                (
                    name,
                    point.policy,
                    f"{point.threshold:.3f}",
                    "{:.3f}–{:.3f}".format(*zones[name]),
                    _in_words(point.abstained),
                )
                for name, point in points.items()
            ],
        ),
        "What the same policies reached on held-out folds, with Wilson's 95 % interval. First "
        f"among the images that were answered, which is what a user sees. {ELSEWHERE}",
        _table(
            ("name", "sensitivity, answered", "specificity, answered", "error, answered"),
            [
                (
                    name,
                    _in_words(point.sensitivity_answered),
                    _in_words(point.specificity_answered),
                    _in_words(point.error_answered),
                )
                for name, point in points.items()
            ],
        ),
        "Then among all images, those without an answer called by the threshold:",
        _table(
            ("name", "sensitivity", "specificity", "error"),
            [
                (
                    name,
                    _in_words(point.sensitivity),
                    _in_words(point.specificity),
                    _in_words(point.error),
                )
                for name, point in points.items()
            ],
        ),
        "Positive / negative predictive value where so many of the scanned have a tumour, by the "
        "sensitivity and specificity among all images:",
        _table(
            ("name", *(f"{prevalence:.1%}" for prevalence in PREVALENCES)),
            [(name, *_predictive(point)) for name, point in points.items()],
        ),
        "## Abstention",
        f"Class-conditional conformal prediction at a miscoverage of {found.miscoverage:.2f} keeps "
        "the labels that are plausible. The call of the threshold is the answer where it is the "
        "only label kept; elsewhere the model abstains, and the prediction set holds both labels, "
        "or none where neither is plausible. How often on held-out folds the set held the label:",
        _table(
            ("name", "of images without tumour", "of images with"),
            [
                (name, *map(_in_words, point.coverage or (None, None)))
                for name, point in points.items()
            ],
        ),
        *_what_abstaining_buys(points),
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _predictive(point: OperatingPoint) -> list[str]:
    if point.sensitivity is None or point.specificity is None:
        return ["–"] * len(PREVALENCES)
    pairs = [
        predictive_values(point.sensitivity.value, point.specificity.value, prevalence)
        for prevalence in PREVALENCES
    ]
    return [" / ".join("–" if each is None else f"{each:.3f}" for each in pair) for pair in pairs]


def _what_abstaining_buys(points: Mapping[str, OperatingPoint]) -> Sequence[str]:
    point = points["balanced"]
    if point.error is None or point.error_answered is None:
        return ("At “balanced” no image was answered, so nothing tells what abstaining is worth.",)
    said = (
        f"At “balanced” the error rate was {_in_words(point.error_answered)} among the answered "
        f"and {_in_words(point.error)} among all. "
    )
    if point.error_answered.value >= point.error.value:
        return (said + "Abstaining does not lower the error rate here.",)
    if point.error_answered.high >= point.error.low:
        return (said + "The intervals overlap: abstaining helps a little, if at all.",)
    return (said + "Abstaining lowers the error rate.",)


def _reliability(found: Decisions) -> str:
    def cell(bins: Sequence[ReliabilityBin], index: int) -> str:
        if index >= len(bins):  # equal probabilities share a bin, so there may be fewer
            return "| | "
        each = bins[index]
        return f"| {each.predicted:.3f} | {_in_words(each.observed)} "

    both = (found.reliability_before, found.reliability_after)
    rows = [
        "".join(cell(bins, index) for bins in both) + "|" for index in range(max(map(len, both)))
    ]
    head = "| before | with a tumour | after | with a tumour |\n|---|---|---|---|\n"
    return head + "\n".join(rows)


def _input_check(metadata: Metadata) -> Sequence[str]:
    check = metadata.input_check
    if check.distance is None:
        return ("## Input check", "Plain rules only: too few images to fit a feature space.")
    measured = ""
    if check.refused_brain is not None:
        measured += f" Of held-out brain MRI, {_in_words(check.refused_brain)} were refused."
    if check.refused_other is not None:
        measured += (
            f" Of drawn pictures of other things (noise, blotches, gratings, ellipses), "
            f"{_in_words(check.refused_other)} were; the limit was chosen with them."
        )
    return (
        "## Input check",
        f"Images whose features lie further than {check.distance:.2f} from those of the training "
        f"images are refused as not a brain MRI slice.{measured} Brain MRI from other scanners "
        "lies further off than held-out images from the same sources do.",
    )


def _evidence(pointing: Pointing | None) -> Sequence[str]:
    if pointing is None:
        return (
            "## Evidence",
            "Not measured against outlines: where the evidence lies is no sign of where a tumour "
            "lies.",
        )
    rows = "\n".join(
        f"| {name} | {_in_words(found.hits)} | {_in_words(found.mass)} |"
        for name, found in (("evidence", pointing.evidence), ("chance", pointing.chance))
    )
    return (
        "## Evidence",
        f"On {pointing.evidence.n} images with outlined lesions ({pointing.seen} of them known "
        "from training): how often its strongest spot lies inside the outline, and which share of "
        "the evidence for a tumour does. Grad-CAM of a pooled head is the positive part of the "
        "same map. Intervals treat images as independent.",
        "| map | strongest spot inside | share inside |\n|---|---|---|\n" + rows,
    )


def _in_words(found: Estimate | Interval | None) -> str:
    return "–" if found is None else f"{found.value:.3f} ({found.low:.3f}–{found.high:.3f})"

"""What a report says in codes and numbers, by TID 1501: of the series, and of each key slice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    FindingSite,
    Measurement,
    MeasurementsAndQualitativeEvaluations,
    QualitativeEvaluation,
    SourceImageForMeasurementGroup,
    TrackingIdentifier,
)

from tumorscope.serving import codes as ours
from tumorscope.serving.identity import rounded, uid_of

if TYPE_CHECKING:
    from tumorscope.detection.series_finding import SeriesFinding, SliceFinding
    from tumorscope.serving.source_objects import Sources

ANSWERS = ("tumour", "no tumour")
"""Only these come with numbers: where there is no answer, a probability would pretend one."""


def group_of_series(
    found: SeriesFinding, identity: str, algorithm: AlgorithmIdentification
) -> MeasurementsAndQualitativeEvaluations:
    """Return what is said of the series as a whole."""
    numbers = [
        _number(ours.LOOKED_AT, len(found.slices), ours.IMAGES),
        _number(ours.RECEIVED, len(found.origins), ours.IMAGES),
    ]
    if found.decision in ANSWERS and found.score is not None and found.level is not None:
        numbers += [
            _number(ours.SCORE, found.score),
            _number(ours.NO_TUMOUR_BELOW, found.level.no_tumour),
            _number(ours.TUMOUR_FROM, found.level.tumour),
        ]
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid_of(identity, "series"), "Series"),
        finding_type=ours.NEOPLASM,
        finding_sites=[FindingSite(ours.BRAIN)],
        algorithm_id=algorithm,
        measurements=numbers,
        qualitative_evaluations=_evaluations(found.decision, found.reasons),
    )


def group_of_slice(
    each: SliceFinding, sources: Sources, uid: str, algorithm: AlgorithmIdentification
) -> MeasurementsAndQualitativeEvaluations:
    """Return what is said of one key slice, with a reference to its image."""
    finding = each.finding
    numbers = [_number(ours.POSITION, each.position, ours.MILLIMETRE)]
    if finding.decision in ANSWERS and finding.probability is not None:
        numbers.append(_number(ours.PROBABILITY, finding.probability))
        if finding.threshold is not None:
            numbers.append(_number(ours.THRESHOLD, finding.threshold))
        for name, value in zip(ours.ZONE, finding.zone or (), strict=False):
            numbers.append(_number(name, value))
    # A slice across the acquired ones shows parts of all images, and so refers to none.
    shown = [
        SourceImageForMeasurementGroup(image.SOPClassUID, image.SOPInstanceUID, _frames(each))
        for image in sources.images
        if image.SOPInstanceUID == each.sop_instance_uid
    ]
    return MeasurementsAndQualitativeEvaluations(
        tracking_identifier=TrackingIdentifier(uid, f"Slice {each.index + 1}"),
        finding_type=ours.NEOPLASM,
        finding_sites=[FindingSite(ours.BRAIN)],
        algorithm_id=algorithm,
        measurements=numbers,
        qualitative_evaluations=_evaluations(finding.decision, finding.reasons),
        source_images=shown,
    )


def _frames(each: SliceFinding) -> list[int] | None:
    return None if each.frame is None else [each.frame]


def _evaluations(decision: str, reasons: tuple[str, ...]) -> list[QualitativeEvaluation]:
    result, exactly = ours.DECIDED[decision]
    return [
        QualitativeEvaluation(ours.NEOPLASM, result),
        QualitativeEvaluation(ours.DECISION, exactly),
        *(QualitativeEvaluation(ours.REASON, ours.reason_of(code)) for code in reasons),
    ]


def _number(name: CodedConcept, value: float, unit: CodedConcept = ours.NO_UNITS) -> Measurement:
    made = Measurement(name=name, value=rounded(value), unit=unit)
    ours.plainly(made[0], value)
    return made

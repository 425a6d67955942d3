"""A finding → a Comprehensive 3D SR by TID 1500: what was answered, by whom, of which images."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from copy import copy
from typing import TYPE_CHECKING

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from highdicom.sr import (
    AlgorithmIdentification,
    CodedConcept,
    Comprehensive3DSR,
    ContainerContentItem,
    ContentSequence,
    DeviceObserverIdentifyingAttributes,
    LanguageOfContentItemAndDescendants,
    MeasurementReport,
    ObservationContext,
    ObserverContext,
    RelationshipTypeValues,
    TextContentItem,
)
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage

from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.versions import own_version
from tumorscope.scans.dicom_file import silent
from tumorscope.serving import codes as ours
from tumorscope.serving.identity import MAKER, identity_of, series_identity_of, uid_of
from tumorscope.serving.image_library import image_library
from tumorscope.serving.measurement_groups import group_of_series, group_of_slice

if TYPE_CHECKING:
    from pydicom import Dataset

    from tumorscope.detection.series_finding import SeriesFinding
    from tumorscope.serving.source_objects import Sources

DESCRIPTION = "AI result (research use only)"

SERIES_NUMBERS = 70_000
"""Added to the number of the source series, so that results are listed behind all scans."""


def structured_report(found: SeriesFinding, sources: Sources) -> Dataset:
    """Return the report of a finding, preliminary and unverified.

    Its date is that of the images, because the same result shall be the same object at any time.

    Parameters
    ----------
    found : SeriesFinding
        Of a DICOM series.
    sources : Sources
        Of its instances.
    """
    identity = identity_of(found)
    with _calm():
        made = Comprehensive3DSR(
            evidence=[_known_kind(sources.first), *sources.images],
            content=_report(found, sources, identity)[0],
            series_instance_uid=uid_of(series_identity_of(found), "SR series"),
            series_number=SERIES_NUMBERS + sources.number % 10_000,
            sop_instance_uid=uid_of(identity, "SR"),
            instance_number=found.part[0],
            manufacturer=MAKER,
            manufacturer_model_name=MAKER,
            software_versions=own_version(),
            series_description=DESCRIPTION,
            content_date=sources.moment[0],
            content_time=sources.moment[1],
            specific_character_set="ISO_IR 192",
            transfer_syntax_uid=ExplicitVRLittleEndian,
            coding_schemes=[
                CodingSchemeIdentificationItem(ours.OWN, name="Codes of tumorscope"),
            ],
        )
    _name_kinds(made, sources)
    for name in ("InstanceCreationDate", "InstanceCreationTime"):
        del made[name]
    for equipment in made.ContributingEquipmentSequence:
        equipment.pop("ContributionDateTime", None)
    return made


def _known_kind(first: Dataset) -> Dataset:
    """Return the first instance as one of a kind from which highdicom copies patient and study."""
    stand_in = copy(first)
    stand_in.SOPClassUID = MRImageStorage
    return stand_in


def _name_kinds(made: Dataset, sources: Sources) -> None:
    """Name the kind of each instance in the evidence, which may also be a vendor's own."""
    kinds = {image.SOPInstanceUID: image.SOPClassUID for image in sources.images}
    for study in made.CurrentRequestedProcedureEvidenceSequence:
        for series in study.ReferencedSeriesSequence:
            for instance in series.ReferencedSOPSequence:
                instance.ReferencedSOPClassUID = kinds[instance.ReferencedSOPInstanceUID]


@contextlib.contextmanager
def _calm() -> Iterator[None]:
    """Keep highdicom from logging names that lack a caret, as those of many archives do."""
    log = logging.getLogger("highdicom")
    level = log.level
    log.setLevel(logging.CRITICAL)
    try:
        with silent():
            yield
    finally:
        log.setLevel(level)


def _report(found: SeriesFinding, sources: Sources, identity: str) -> MeasurementReport:
    algorithm = AlgorithmIdentification(
        name=MAKER,
        version=own_version(),
        parameters=[
            f"model: {found.model}",
            f"operating point: {found.operating_point}",
            f"plane: {found.plane}",
            f"window: {found.window}",
        ],
        family=ours.INTELLIGENCE,
    )
    device = DeviceObserverIdentifyingAttributes(
        uid=uid_of("device", own_version(), found.model),
        name=MAKER,
        manufacturer_name=MAKER,
        model_name=found.model[:64],
    )
    observer = ObserverContext(codes.DCM.Device, device)
    groups = [group_of_series(found, identity, algorithm)]
    groups += [
        group_of_slice(each, sources, uid_of(identity, f"slice {each.index}"), algorithm)
        for each in found.key_slices
    ]
    report = MeasurementReport(
        observation_context=ObservationContext(observer_device_context=observer),
        procedure_reported=ours.MR,
        imaging_measurements=groups,
        language_of_content_item_and_descendants=LanguageOfContentItemAndDescendants(
            CodedConcept("en-GB", "RFC5646", "English (United Kingdom)")
        ),
    )
    content = report[0].ContentSequence
    content.insert(len(content) - 1, image_library(_looked_at(found, sources)))
    content.append(_in_words(found))
    return report


def _looked_at(found: SeriesFinding, sources: Sources) -> list[Dataset]:
    """Return the images that slices were looked at in; those between stand in the evidence."""
    shown = {each.sop_instance_uid for each in found.slices}
    if shown == {""}:  # across the acquired slices all take part
        return list(sources.images)
    return [image for image in sources.images if image.SOPInstanceUID in shown]


def _in_words(found: SeriesFinding) -> ContainerContentItem:
    texts = [(ours.INTENDED_USE, RESEARCH_USE_ONLY), (ours.COMMENT, found.words)]
    texts += [(ours.COMMENT, each.sentence()) for each in found.remarks]
    lost = sum(each.images for each in found.passed_over)
    if lost:
        texts.append((ours.COMMENT, f"Images of this series that could not be read: {lost}."))
    words = ContainerContentItem(
        name=ours.EVALUATIONS, relationship_type=RelationshipTypeValues.CONTAINS
    )
    words.ContentSequence = ContentSequence(
        [
            TextContentItem(name=name, value=said, relationship_type="CONTAINS")
            for name, said in texts
        ]
    )
    return words

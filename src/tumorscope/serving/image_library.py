"""The images that a report is about, as TID 1600 lists them: classic and enhanced ones.

highdicom's own library wants spacing, position and thickness at the top of each data set, which
enhanced images have in functional groups, and others not at all; and it repeats for each image
what all of a series share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from highdicom.sr import (
    CodeContentItem,
    CodedConcept,
    ContainerContentItem,
    ContentSequence,
    ImageContentItem,
    NumContentItem,
    RelationshipTypeValues,
    UIDRefContentItem,
)
from pydicom.sr.codedict import codes

from tumorscope.scans.values import item, numbers, text
from tumorscope.serving.codes import COSINE, MILLIMETRE, PIXELS, SOURCE, plainly

if TYPE_CHECKING:
    from highdicom.sr import ContentItem
    from pydicom import Dataset

CONTAINS = RelationshipTypeValues.CONTAINS
CONTEXT = RelationshipTypeValues.HAS_ACQ_CONTEXT

_ORIENTATION = (
    codes.DCM.ImageOrientationPatientRowX,
    codes.DCM.ImageOrientationPatientRowY,
    codes.DCM.ImageOrientationPatientRowZ,
    codes.DCM.ImageOrientationPatientColumnX,
    codes.DCM.ImageOrientationPatientColumnY,
    codes.DCM.ImageOrientationPatientColumnZ,
)
_POSITION = (
    codes.DCM.ImagePositionPatientX,
    codes.DCM.ImagePositionPatientY,
    codes.DCM.ImagePositionPatientZ,
)

Shared = tuple[str, tuple[float, ...], tuple[float, ...], tuple[float, ...], tuple[float, ...]]
"""Frame of reference, rows and columns, spacing, thickness, orientation."""


def image_library(images: Sequence[Dataset]) -> ContainerContentItem:
    """Return the library of images; what they share stands once, at their group.

    Parameters
    ----------
    images : sequence of Dataset
        Of `Sources`.
    """
    library = ContainerContentItem(name=codes.DCM.ImageLibrary, relationship_type=CONTAINS)
    library.ContentSequence = ContentSequence()
    for shared, group in groupby(images, key=_shared):
        container = ContainerContentItem(
            name=codes.DCM.ImageLibraryGroup, relationship_type=CONTAINS
        )
        entries = [_entry(image) for image in group]
        container.ContentSequence = ContentSequence([*_descriptors(shared), *entries])
        library.ContentSequence.append(container)
    return library


def _entry(image: Dataset) -> ImageContentItem:
    entry = ImageContentItem(
        name=SOURCE,
        referenced_sop_class_uid=image.SOPClassUID,
        referenced_sop_instance_uid=image.SOPInstanceUID,
        relationship_type=CONTAINS,
    )
    position = numbers(image, "ImagePositionPatient")
    if len(position) == 3:
        pairs = zip(_POSITION, position, strict=True)
        entry.ContentSequence = ContentSequence([_number(*pair, MILLIMETRE) for pair in pairs])
    return entry


def _shared(image: Dataset) -> Shared:
    """Return what images of one stack share; of enhanced ones what all of their frames do."""
    groups = item(image, "SharedFunctionalGroupsSequence")
    measures, plane = image, image
    if groups is not None:
        measures = item(groups, "PixelMeasuresSequence") or groups
        plane = item(groups, "PlaneOrientationSequence") or groups
    return (
        text(image, "FrameOfReferenceUID"),
        numbers(image, "Rows") + numbers(image, "Columns"),
        numbers(measures, "PixelSpacing"),
        numbers(measures, "SliceThickness"),
        numbers(plane, "ImageOrientationPatient"),
    )


def _descriptors(shared: Shared) -> Iterator[ContentItem]:
    frame, size, spacing, thickness, orientation = shared
    yield CodeContentItem(
        name=codes.DCM.Modality,
        value=codes.cid29.MagneticResonance,
        relationship_type=CONTEXT,
    )
    if frame:
        yield UIDRefContentItem(
            name=codes.DCM.FrameOfReferenceUID, value=frame, relationship_type=CONTEXT
        )
    names = codes.DCM.PixelDataRows, codes.DCM.PixelDataColumns
    for name, value in zip(names, size, strict=False):
        yield _number(name, int(value), PIXELS)
    # Spacing is that of rows, then of columns: vertical, then horizontal.
    names = codes.DCM.VerticalPixelSpacing, codes.DCM.HorizontalPixelSpacing
    for name, value in zip(names, spacing, strict=False):
        yield _number(name, value, MILLIMETRE)
    for value in thickness[:1]:
        yield _number(codes.DCM.SliceThickness, value, MILLIMETRE)
    if len(orientation) == 6:
        for name, value in zip(_ORIENTATION, orientation, strict=True):
            yield _number(name, value, COSINE)


def _number(name: CodedConcept, value: float, unit: CodedConcept) -> NumContentItem:
    made = NumContentItem(name=name, value=value, unit=unit, relationship_type=CONTEXT)
    return plainly(made, value)

"""The DICOM objects that a finding is about: whose they are, and what results may say of them.

Files are only read. What goes into a result is copied into new data sets, value by value, where
attributes that the standard wants and the source lacks are empty: nothing is made up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tumorscope.common.errors import InputError
from tumorscope.common.names import printable
from tumorscope.detection.series_finding import SeriesFinding
from tumorscope.scans.dicom_file import Opened, open_header, silent
from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.recognise import class_of
from tumorscope.scans.values import text, whole
from tumorscope.serving.header_values import add_patient_and_study, moment_of, value_of
from tumorscope.serving.lossy import loss_of

if TYPE_CHECKING:
    from pydicom import Dataset

IDENTITY = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")

GEOMETRY = (
    *IDENTITY,
    *("InstanceNumber", "FrameOfReferenceUID", "Rows", "Columns", "PixelSpacing", "SliceThickness"),
    *("ImagePositionPatient", "ImageOrientationPatient", "SpacingBetweenSlices"),
    *("NumberOfFrames", "SharedFunctionalGroupsSequence", "LossyImageCompression"),
    *("LossyImageCompressionRatio", "LossyImageCompressionMethod"),
)


@dataclass(frozen=True, slots=True)
class Sources:
    """What a result takes of its source objects.

    Attributes
    ----------
    first : Dataset
        Identity of the first instance, and what is known of patient and study.
    images : tuple of Dataset
        Identity and geometry of each instance, the first one too.
    frame_of_reference : str
        Empty where the source names none.
    moment : tuple of str
        Date and time of the acquisition, or of what is nearest to it.
    number : int
        Of the source series; 0 where it has none.
    lossy : tuple of str, optional
        Ratio and method, where an instance was compressed with a loss; either may be empty.
    """

    first: Dataset
    images: tuple[Dataset, ...]
    frame_of_reference: str
    moment: tuple[str, str]
    number: int
    lossy: tuple[str, str] | None

    def names(self) -> dict[str, str]:
        """Return what viewers call each instance, by SOP Instance UID: its number."""
        numbers = ((image.SOPInstanceUID, whole(image, "InstanceNumber")) for image in self.images)
        return {uid: f"image {number}" for uid, number in numbers if number is not None}


def sources_of(found: SeriesFinding) -> Sources:
    """Read the headers of the instances that a finding is about.

    Raises
    ------
    InputError
        If it is not about DICOM, an instance has no UIDs to refer to, or a file is gone.
    """
    paths = list(dict.fromkeys(each.path for each in found.origins))
    if not (found.study_uid and found.series_uid and paths):
        raise InputError(
            f"Received a finding of {printable(found.path)} to make DICOM results of; expected one "
            "of a DICOM series, whose study and instances results refer to by their UIDs. Give the "
            "series as it comes from the scanner or archive, not NIfTI or files without UIDs."
        )
    try:
        with silent():
            whole_header = open_header(paths[0])
            opened = [open_header(path, GEOMETRY) for path in paths]
            header, first = whole_header.dataset, _identity(whole_header, paths[0])
            add_patient_and_study(first, header)
            return Sources(
                first=first,
                images=tuple(
                    _geometry(each, path) for each, path in zip(opened, paths, strict=True)
                ),
                frame_of_reference=str(value_of(header, "FrameOfReferenceUID")),
                moment=moment_of(header),
                number=whole(header, "SeriesNumber") or 0,
                lossy=next(
                    filter(None, (loss_of(each.dataset, each.syntax) for each in opened)), None
                ),
            )
    except NotReadError as error:
        why = f" ({error.detail})" if error.detail else ""
        raise InputError(
            f"Received a finding of {printable(paths[0])} to make DICOM results of, but one of its "
            f"files cannot be read any more{why}. Expected all of them where they were when the "
            "finding was made. Keep them there until its results are written."
        ) from error


def _identity(opened: Opened, path: str) -> Dataset:
    from pydicom import Dataset as New

    made = New()
    for name in IDENTITY:
        value = class_of(opened) if name == "SOPClassUID" else text(opened.dataset, name)
        if not value:
            raise NotReadError("damaged", f"{printable(path)} has no {name}")
        setattr(made, name, value)
    return made


def _geometry(opened: Opened, path: str) -> Dataset:
    made = _identity(opened, path)
    for name in GEOMETRY[len(IDENTITY) :]:
        if (value := value_of(opened.dataset, name)) != "":
            setattr(made, name, value)
    return made

"""A finding → a Secondary Capture of its key slices, for viewers that show no reports.

One key slice is a Secondary Capture image, several are a Multi-frame True Color one. Only that
one may say where in the patient each frame lies.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset, validate_file_meta
from pydicom.uid import (
    ExplicitVRLittleEndian,
    MultiFrameTrueColorSecondaryCaptureImageStorage,
    SecondaryCaptureImageStorage,
)

from tumorscope.common.versions import own_version
from tumorscope.scans.dicom_file import silent
from tumorscope.serving.capture_frames import Drawn, draw_frames
from tumorscope.serving.capture_places import add_places, orientation_of
from tumorscope.serving.identity import MAKER, identity_of, series_identity_of, uid_of
from tumorscope.serving.source_objects import IDENTITY, Sources
from tumorscope.serving.structured_report import DESCRIPTION

if TYPE_CHECKING:
    from tumorscope.detection.series_finding import SeriesFinding, SliceFinding
    from tumorscope.model_file.schema import Metadata

SERIES_NUMBERS = 80_000
"""Added to the number of the source series; see `structured_report`."""


def secondary_capture(found: SeriesFinding, sources: Sources, metadata: Metadata) -> Dataset:
    """Return the capture of a finding: its key slices under their evidence, words burned in.

    Parameters
    ----------
    found : SeriesFinding
        Of a DICOM series.
    sources : Sources
        Of its instances.
    metadata : Metadata
        Of the model that answered.
    """
    drawn = draw_frames(found, metadata, names=sources.names())
    with silent():
        made = Dataset()
        for element in sources.first:
            if element.keyword not in IDENTITY:
                made.add(element)
        _add_identity(made, found, sources, several=len(drawn.frames) > 1)
        _add_pixels(made, drawn, sources)
        _add_origin(made, found, sources, drawn)
        made.PatientOrientation = orientation_of(found, drawn)
        if len(drawn.frames) > 1:
            _add_frames(made, drawn)
            add_places(made, found, sources, drawn)
    return made


def _add_identity(made: Dataset, found: SeriesFinding, sources: Sources, *, several: bool) -> None:
    identity = identity_of(found)
    kind = (
        MultiFrameTrueColorSecondaryCaptureImageStorage if several else SecondaryCaptureImageStorage
    )
    made.SOPClassUID = kind
    made.SOPInstanceUID = uid_of(identity, "SC")
    made.StudyInstanceUID = sources.first.StudyInstanceUID
    made.SeriesInstanceUID = uid_of(series_identity_of(found), "SC series")
    made.SeriesNumber = SERIES_NUMBERS + sources.number % 10_000
    made.InstanceNumber = found.part[0]
    made.Modality = "OT"
    made.BodyPartExamined = "BRAIN"  # of which there is one, so that no side has to be named
    made.SeriesDescription = DESCRIPTION
    made.Manufacturer = MAKER
    made.ManufacturerModelName = MAKER
    made.SoftwareVersions = own_version()
    made.ConversionType = "WSD"
    made.SecondaryCaptureDeviceManufacturer = MAKER
    made.SecondaryCaptureDeviceManufacturerModelName = MAKER
    made.SecondaryCaptureDeviceSoftwareVersions = own_version()
    # Those of the images, as of the report.
    made.ContentDate, made.ContentTime = sources.moment
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = kind
    meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    validate_file_meta(meta)
    meta.FileMetaInformationGroupLength = 0  # counted where it is written
    made.file_meta = meta
    made.preamble = b"\0" * 128  # without it, some senders write no file that others read


def _add_pixels(made: Dataset, drawn: Drawn, sources: Sources) -> None:
    made.Rows, made.Columns = drawn.frames.shape[1:3]
    made.SamplesPerPixel = 3
    made.PhotometricInterpretation = "RGB"
    made.PlanarConfiguration = 0
    made.BitsAllocated = made.BitsStored = 8
    made.HighBit = 7
    made.PixelRepresentation = 0
    data = drawn.frames.tobytes()
    made.PixelData = data + b"\0" * (len(data) % 2)
    made["PixelData"].VR = "OB"
    made.BurnedInAnnotation = "YES"
    made.LossyImageCompression = "00" if sources.lossy is None else "01"
    if sources.lossy is not None:
        ratio, method = sources.lossy
        if ratio:
            made.LossyImageCompressionRatio = ratio
        if method:
            made.LossyImageCompressionMethod = method


def _add_origin(made: Dataset, found: SeriesFinding, sources: Sources, drawn: Drawn) -> None:
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.DerivationDescription = (
        f"Key slices with the evidence of {found.model}, drawn by tumorscope {own_version()}"
    )
    shown = [_source(each, sources) for each in drawn.slices]
    every = [item for item in shown if item is not None]
    # Of slices across the acquired ones, and of words alone, all images are the source.
    made.SourceImageSequence = every or [_reference(image, None) for image in sources.images]


def _source(each: SliceFinding, sources: Sources) -> Dataset | None:
    for image in sources.images:
        if image.SOPInstanceUID == each.sop_instance_uid:
            return _reference(image, each.frame)
    return None


def _reference(image: Dataset, frame: int | None) -> Dataset:
    item, purpose = Dataset(), Dataset()
    item.ReferencedSOPClassUID = image.SOPClassUID
    item.ReferencedSOPInstanceUID = image.SOPInstanceUID
    if frame is not None:
        item.ReferencedFrameNumber = frame
    purpose.CodeValue, purpose.CodingSchemeDesignator = "121322", "DCM"
    purpose.CodeMeaning = "Source image for image processing operation"
    item.PurposeOfReferenceCodeSequence = [purpose]
    return item


def _add_frames(made: Dataset, drawn: Drawn) -> None:
    from pydicom.tag import Tag

    made.NumberOfFrames = len(drawn.frames)
    made.FrameIncrementPointer = Tag("SliceLocationVector")
    made.SliceLocationVector = [round(each.position, 2) for each in drawn.slices]

"""The header of a file with one image → a `Frame`."""

from __future__ import annotations

from collections.abc import Callable

from tumorscope.scans import facts
from tumorscope.scans.dicom_file import Opened
from tumorscope.scans.frame import Frame, Layout, Marks
from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.pixels import is_native
from tumorscope.scans.recognise import GE_COMPONENT, SIEMENS_TILES, check_image_type
from tumorscope.scans.values import has, number, text, whole, words

TAGS: tuple[str | int, ...] = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber"),
    *("SeriesDescription", "Modality", "ImageType", "Rows", "Columns", "NumberOfFrames"),
    *("SamplesPerPixel", "PhotometricInterpretation", "PresentationLUTShape", "BitsAllocated"),
    *("BitsStored", "HighBit", "PixelRepresentation", "PixelSpacing", "ImagePositionPatient"),
    *("ImageOrientationPatient", "SpacingBetweenSlices", "InstanceNumber", "AcquisitionNumber"),
    *("AcquisitionTime", "TriggerTime", "TemporalPositionIdentifier", "EchoTime"),
    *("InversionTime", "RepetitionTime", "ScanningSequence", "ContrastBolusAgent"),
    *("DiffusionBValue", "ComplexImageComponent", "AcquisitionContrast", "RescaleSlope"),
    *("RescaleIntercept", "ModalityLUTSequence", "WindowCenter", "WindowWidth", "VOILUTFunction"),
    *("PixelPaddingValue", "PixelPaddingRangeLimit"),
    *("EncryptedAttributesSequence", "VolumeBasedCalculationTechnique"),
    *(SIEMENS_TILES, GE_COMPONENT, facts.SIEMENS_B_VALUE, facts.GE_B_VALUE),
)
"""All that is read of a header; the rest, such as names, is skipped unseen."""


def frame_of(path: str, opened: Opened, shared: Callable[[Layout], Layout]) -> Frame:
    """Return the image of a file.

    Parameters
    ----------
    path : str
        The file.
    opened : Opened
        Its header.
    shared : callable
        Returns the one object for equal layouts, so that a large study has few.

    Raises
    ------
    NotReadError
        If the header does not say where it lies, or promises more than the file holds.
    """
    dataset = opened.dataset
    check_image_type(dataset, words(dataset, "ImageType"))
    layout = shared(_layout(opened))
    slope, intercept = facts.rescale_of(dataset)
    return Frame(
        path=path,
        uid=text(dataset, "SOPInstanceUID"),
        number=None,
        layout=layout,
        position=facts.position_of(dataset),
        instance=whole(dataset, "InstanceNumber"),
        marks=Marks(
            image_type=layout.image_type,
            echo=layout.acquisition.echo_time,
            b_value=layout.acquisition.b_value,
            inversion=layout.acquisition.inversion_time,
            temporal=whole(dataset, "TemporalPositionIdentifier"),
            acquisition=whole(dataset, "AcquisitionNumber"),
            trigger=number(dataset, "TriggerTime"),
            time=text(dataset, "AcquisitionTime"),
        ),
        slope=slope,
        intercept=intercept,
        table=has(dataset, "ModalityLUTSequence"),
        window=facts.window_of(dataset),
        offset=opened.offset if is_native(layout.stored) else None,
    )


def _layout(opened: Opened) -> Layout:
    dataset = opened.dataset
    rows, columns = facts.size_of(dataset)
    stored = facts.stored_of(dataset, opened.syntax)
    promised = rows * columns * stored.allocated // 8
    if opened.offset is not None and promised > opened.length:
        lacking = f"{opened.length:,} bytes of pixels where {rows} × {columns} need {promised:,}"
        raise NotReadError("damaged", lacking)
    along_row, along_column = facts.orientation_of(dataset)
    return Layout(
        rows=rows,
        columns=columns,
        spacing=facts.spacing_of(dataset),
        along_row=along_row,
        along_column=along_column,
        inverse=facts.inverse_of(dataset),
        stored=stored,
        image_type=words(dataset, "ImageType"),
        acquisition=facts.acquisition_of(dataset),
        between=abs(number(dataset, "SpacingBetweenSlices") or 0.0),
        padding=facts.padding_of(dataset, stored),
    )

"""The header of a file with one image → a `Frame`."""

from __future__ import annotations

from tumorscope.scans import facts
from tumorscope.scans.dicom_file import Opened, numbers_of
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
    *("ImagesInAcquisition", "NumberOfSeriesRelatedInstances", "ConcatenationUID"),
    "InConcatenationTotalNumber",
    *("EncryptedAttributesSequence", "VolumeBasedCalculationTechnique"),
    *(SIEMENS_TILES, GE_COMPONENT, facts.SIEMENS_B_VALUE, facts.GE_B_VALUE),
)
"""All that is read of a header; the rest, such as names, is skipped unseen."""


OWN = (
    *("SOPInstanceUID", "ImagePositionPatient", "InstanceNumber", "AcquisitionNumber"),
    *("AcquisitionTime", "TriggerTime", "TemporalPositionIdentifier", "RescaleSlope"),
    *("RescaleIntercept", "WindowCenter", "WindowWidth"),
)
"""Elements that may differ from slice to slice and say nothing of the layout."""


class Layouts:
    """The layouts of a study: one object for equal ones, so that a large study has few.

    Headers that agree in all but `OWN` have the same, which is not worked out again.
    """

    def __init__(self) -> None:
        self._equal: dict[Layout, Layout] = {}
        self._known: dict[tuple[object, ...], Layout] = {}

    def of(self, opened: Opened) -> Layout:
        """Return the layout of an image.

        Raises
        ------
        NotReadError
            If the header contradicts itself, or promises more than the file holds.
        """
        key = _shared_values(opened)
        layout = None if key is None else self._known.get(key)
        if layout is None:
            made = _layout(opened)
            layout = self._equal.setdefault(made, made)
            if key is not None and len(self._known) < MOST_KNOWN:
                self._known[key] = layout
        return layout


MOST_KNOWN = 1000
"""Kinds of headers that are remembered: studies have tens, but where each slice has its own."""


def _shared_values(opened: Opened) -> tuple[object, ...] | None:
    """Return what decides the layout, as it stands in the file; None where it is not so simple."""
    found: list[object] = [opened.syntax, opened.length, opened.offset is None]
    own = numbers_of(OWN)
    for tag, element in opened.dataset.items():
        if tag not in own:
            if not element.is_raw or not isinstance(element.value, bytes | None):
                return None
            found += (tag, element.VR, element.value)
    return tuple(found)


def frame_of(path: str, opened: Opened, layouts: Layouts) -> Frame:
    """Return the image of a file.

    Parameters
    ----------
    path : str
        The file.
    opened : Opened
        Its header.
    layouts : Layouts
        Of the study.

    Raises
    ------
    NotReadError
        If the header does not say where it lies, or promises more than the file holds.
    """
    dataset = opened.dataset
    check_image_type(dataset, words(dataset, "ImageType"))
    layout = layouts.of(opened)
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
        between=facts.between_of(dataset),
        padding=facts.padding_of(dataset, stored),
        acquired=whole(dataset, "ImagesInAcquisition") or 0,
        listed=whole(dataset, "NumberOfSeriesRelatedInstances") or 0,
    )

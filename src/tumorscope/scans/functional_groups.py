"""The header of an enhanced multi-frame file → its `Frame`s, in whatever order they are stored.

What all frames share stands in the shared functional groups, the rest in those of each frame; a
frame's own word counts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tumorscope.scans import facts
from tumorscope.scans.dicom_file import Opened, open_header
from tumorscope.scans.frame import Acquisition, Frame, Layout, Marks, Stored
from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.pixels import is_native
from tumorscope.scans.recognise import check_image_type
from tumorscope.scans.values import has, item, items, number, text, whole, words

if TYPE_CHECKING:
    from pydicom import Dataset

MAX_FRAMES = 20_000

Group = Callable[[str], "Dataset"]
"""Returns the functional group of a name for one frame; an empty data set where there is none."""


def frames_of(path: str) -> list[Frame | NotReadError]:
    """Return the frames of an enhanced file, and in the place of some why they are not read.

    Raises
    ------
    NotReadError
        If none can be read.
    """
    opened = open_header(path)
    dataset = opened.dataset
    count = whole(dataset, "NumberOfFrames") or 1
    own = items(dataset, "PerFrameFunctionalGroupsSequence")
    shared = item(dataset, "SharedFunctionalGroupsSequence")
    if not own and shared is None:
        raise NotReadError("geometry", f"{count} frames, and no word where each of them lies")
    if count > MAX_FRAMES:
        raise NotReadError("too-large", f"{count:,} frames")
    if own and len(own) != count:
        raise NotReadError("damaged", f"{count} frames, and functional groups of {len(own)}")
    rows, columns = facts.size_of(dataset)
    stored = facts.stored_of(dataset, opened.syntax)
    step = rows * columns * stored.allocated // 8
    if opened.offset is not None and step * count > opened.length:
        lacking = f"{opened.length:,} bytes of pixels where {count} frames need {step * count:,}"
        raise NotReadError("damaged", lacking)
    layouts: dict[Layout, Layout] = {}
    found: list[Frame | NotReadError] = []
    for index in range(count):
        group = group_of(own[index] if own else None, shared)
        place = None
        if opened.offset is not None and is_native(stored):
            place = opened.offset + index * step
        try:
            frame = _frame(path, dataset, group, index, (rows, columns), stored, layouts, place)
        except NotReadError as error:
            found.append(error)
        else:
            found.append(frame)
    return found


def group_of(own: Dataset | None, shared: Dataset | None) -> Group:
    """Return how the functional groups of a frame are asked for: its own, else the shared ones."""
    from pydicom import Dataset

    def group(name: str) -> Dataset:
        found = item(own, name) or item(shared, name)
        return Dataset() if found is None else found

    return group


def _frame(
    path: str,
    dataset: Dataset,
    group: Group,
    index: int,
    size: tuple[int, int],
    stored: Stored,
    layouts: dict[Layout, Layout],
    place: int | None,
) -> Frame:
    kind = group("MRImageFrameTypeSequence")
    image_type = words(kind, "FrameType") or words(dataset, "ImageType")
    check_image_type(kind, image_type)
    check_image_type(dataset, image_type)
    along_row, along_column = facts.orientation_of(group("PlaneOrientationSequence"))
    measures, content = group("PixelMeasuresSequence"), group("FrameContentSequence")
    acquisition = _acquisition(dataset, group)
    layout = Layout(
        rows=size[0],
        columns=size[1],
        spacing=facts.spacing_of(measures),
        along_row=along_row,
        along_column=along_column,
        inverse=facts.inverse_of(dataset),
        stored=stored,
        image_type=image_type,
        acquisition=acquisition,
        between=facts.between_of(measures),
        padding=facts.padding_of(dataset, stored),
    )
    layout = layouts.setdefault(layout, layout)
    transformation = group("PixelValueTransformationSequence")
    slope, intercept = facts.rescale_of(transformation if len(transformation) else dataset)
    return Frame(
        path=path,
        uid=text(dataset, "SOPInstanceUID"),
        number=index + 1,
        layout=layout,
        position=facts.position_of(group("PlanePositionSequence")),
        # Files of one series are in the order of their instance numbers, too.
        instance=(whole(dataset, "InstanceNumber") or 0) * MAX_FRAMES + index + 1,
        marks=Marks(
            stack=text(content, "StackID"),
            image_type=image_type,
            echo=acquisition.echo_time,
            b_value=acquisition.b_value,
            inversion=acquisition.inversion_time,
            temporal=whole(content, "TemporalPositionIndex"),
            acquisition=whole(content, "FrameAcquisitionNumber"),
            time=text(content, "FrameAcquisitionDateTime"),
        ),
        slope=slope,
        intercept=intercept,
        table=has(dataset, "ModalityLUTSequence"),
        window=facts.window_of(group("FrameVOILUTSequence")),
        offset=place,
    )


def _acquisition(dataset: Dataset, group: Group) -> Acquisition:
    timing = group("MRTimingAndRelatedParametersSequence")
    modifier, echo = group("MRModifierSequence"), group("MREchoSequence")
    diffusion = group("MRDiffusionSequence")
    return Acquisition(
        scanning="".join(words(dataset, "PulseSequenceName")),
        contrast="".join(
            words(group("MRImageFrameTypeSequence"), "AcquisitionContrast")
            or words(dataset, "AcquisitionContrast")
        ),
        repetition_time=number(timing, "RepetitionTime"),
        echo_time=number(echo, "EffectiveEchoTime"),
        inversion_time=number(modifier, "InversionTimes"),
        b_value=facts.b_value_of(diffusion),
        agent=item(dataset, "ContrastBolusAgentSequence") is not None,
    )


def is_enhanced(opened: Opened) -> bool:
    """Return whether a file keeps the facts of its images in functional groups."""
    return has(opened.dataset, "NumberOfFrames") and (
        (whole(opened.dataset, "NumberOfFrames") or 1) > 1
        or text(opened.dataset, "SOPClassUID")
        in (
            "1.2.840.10008.5.1.4.1.1.4.1",
            "1.2.840.10008.5.1.4.1.1.4.4",
            "1.2.840.10008.5.1.4.1.1.2.1",
            "1.2.840.10008.5.1.4.1.1.2.2",
        )
    )

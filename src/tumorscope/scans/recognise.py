"""What an image is by its attributes, where it is none that may be shown to a detector."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from tumorscope.scans.dicom_file import Opened
from tumorscope.scans.not_read import NotReadError
from tumorscope.scans.values import has, number, text, words

if TYPE_CHECKING:
    from pydicom import Dataset

DIRECTORY = "1.2.840.10008.1.3.10"
SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"
LABEL_MAP = "1.2.840.10008.5.1.4.1.1.66.7"
SEGMENTATIONS = frozenset(
    {SEGMENTATION, LABEL_MAP, "1.2.840.10008.5.1.4.1.1.66.5", "1.2.840.10008.5.1.4.1.1.66.8"}
)
"""Segmentation, label map segmentation, surface segmentation, height map."""
PARAMETRIC_MAP = "1.2.840.10008.5.1.4.1.1.30"

IMAGES = frozenset(
    f"1.2.840.10008.5.1.4.1.1.{number}" for number in ("2", "2.1", "2.2", "4", "4.1", "4.3", "4.4")
)
"""CT and MR images, classic and enhanced."""

SIEMENS_TILES = 0x0019100A
GE_COMPONENT = 0x0043102F

LOCALIZERS = frozenset({"LOCALIZER", "SCOUT", "SURVEY"})
SCREENS = frozenset({"SCREEN SAVE", "SCREENSAVE"})
PHASES = frozenset({"P", "PHASE", "PHASE MAP", "PHASE_MAP", "I", "IMAGINARY", "R", "REAL"})
MAPS = frozenset(
    {"ADC", "EADC", "ADC_UNSPECIFIED", "FA", "COLFA", "TENSOR", "TENSOR_B0", "LOWB"}
    | {"SUB", "SUBTRACT", "SUBTRACTION", "RATIO", "DIVISION", "ADDITION"}
    | {
        "MIP",
        "CSA MIP",
        "MAX_IP",
        "MIN_IP",
        "MAXIMUM",
        "MINIMUM",
        "MINIP",
        "MNIP",
        "MIN IP",
        "PROJECTION IMAGE",
    }
    | {"PJN", "VOLUME RENDERING", "VOLREN", "SURFACE", "CURVED", "POSDISP"}
    | {"CBF", "CBV", "RCBF", "RCBV", "RELCBF", "RELCBV", "MTT", "TTP", "PBP", "TMAX", "GBP"}
    | {"PERFUSION", "PERF_MAP", "K_TRANS", "RCBV_CORRECTED", "ASL_CBF", "RELMTT"}
    | {"T1 MAP", "T2 MAP", "T2_STAR MAP", "R2 MAP", "R2STAR MAP", "B0 MAP", "B0_MAP", "B1"}
    | {
        "T1_MAP",
        "T2_MAP",
        "PD MAP",
        "FIELD_MAP",
        "QSM",
        "MEAN",
        "STDDEV",
        "T_TEST",
    }
    | {"METABOLITE", "METABOLITE_MAP", "SPECTROSCOPY", "VELOCITY", "PROTON_DENSITY_MAP"}
    | {"ERROR MAP", "CONFIDENCE MAP", "DIFFUSION_FIT"}
)
"""What the third and further values of the image type call maps and projections."""


PROJECTIONS = frozenset({"MAX_IP", "MIN_IP", "VOLUME_RENDER", "SURFACE_RENDER", "CURVED_MPR"})
"""What the technique of a calculation from a volume calls pictures that are no slices of it."""


def check_object(opened: Opened, modalities: Collection[str]) -> None:
    """Refuse what is no grey image of a wanted modality.

    Raises
    ------
    NotReadError
        With the reason.
    """
    dataset = opened.dataset
    sop_class = class_of(opened)
    modality = "".join(words(dataset, "Modality"))
    if sop_class == DIRECTORY:
        raise NotReadError("directory")
    if sop_class in SEGMENTATIONS or modality == "SEG":
        raise NotReadError("segmentation")
    if not opened.pixels:
        if has(dataset, "EncryptedAttributesSequence"):
            raise NotReadError("no-pixels", "it is encrypted")
        # Cut short within its header, mostly. Spectroscopy has rows and no pixels.
        if sop_class in IMAGES or (not sop_class and has(dataset, "Rows")):
            raise NotReadError("damaged", "its header is that of an image, and no pixels follow")
        raise NotReadError("no-pixels", modality)
    if opened.pixels == "floats" or sop_class == PARAMETRIC_MAP:
        raise NotReadError("derived", "a parametric map")
    if sop_class == SECONDARY_CAPTURE or sop_class.startswith(f"{SECONDARY_CAPTURE}."):
        raise NotReadError("secondary-capture")
    if (number(dataset, "SamplesPerPixel") or 1) != 1 or not all(
        name.startswith("MONOCHROME") for name in words(dataset, "PhotometricInterpretation")
    ):
        raise NotReadError("colour", " ".join(words(dataset, "PhotometricInterpretation")))
    if modality not in modalities:
        raise NotReadError("modality", modality or "the header states none")


def class_of(opened: Opened) -> str:
    """Return the SOP class of a file; that of its own header where the data set names none."""
    meta = getattr(opened.dataset, "file_meta", None)
    named = "" if meta is None else text(meta, "MediaStorageSOPClassUID")
    return text(opened.dataset, "SOPClassUID") or named


def check_image_type(dataset: Dataset, image_type: tuple[str, ...]) -> None:
    """Refuse localizers, mosaics, maps, projections, and what shows no magnitudes.

    Raises
    ------
    NotReadError
        With the reason.
    """
    further = set(image_type[2:])
    if LOCALIZERS & set(image_type):
        raise NotReadError("localizer")
    if "MOSAIC" in further or (number(dataset, SIEMENS_TILES) or 0) > 1:
        raise NotReadError("mosaic")
    component = "".join(words(dataset, "ComplexImageComponent"))
    if further & PHASES or component in PHASES or (number(dataset, GE_COMPONENT) or 0) in (1, 2, 3):
        raise NotReadError("phase", component.lower())
    if further & SCREENS:
        raise NotReadError("secondary-capture")
    technique = words(dataset, "VolumeBasedCalculationTechnique")
    if maps := sorted((further & MAPS) | (set(technique) & PROJECTIONS)):
        raise NotReadError("derived", " ".join(maps))

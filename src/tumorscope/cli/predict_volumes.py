"""What ``tumorscope predict`` is asked of volumes, and where their DICOM results go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tumorscope.cli.app import SHOWN_FAILURES
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.progress import say

if TYPE_CHECKING:
    from tumorscope.detection.detector import Detector
    from tumorscope.detection.looking import Looking
    from tumorscope.scans import StudyIndex
    from tumorscope.serving.delivery import Delivery
    from tumorscope.serving.dicomweb import Archive

Plane = Literal["axial", "coronal", "sagittal"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volumes:
    """What was asked for of volumes.

    Attributes
    ----------
    by_slice, descriptions : bool
        A row per slice; a column with series descriptions.
    window : str
        How values become greys.
    plane : str, optional
        Of the slices.
    every : float, optional
        Distance of slices in mm.
    dicom_results : Path, optional
        Folder for results as DICOM objects.
    """

    by_slice: bool = False
    descriptions: bool = False
    window: str = "percentile"
    plane: Plane | None = None
    every: float | None = None
    dicom_results: Path | None = None

    def refuse_given(self) -> None:
        """Refuse what is meant for volumes alone, where there are none.

        Raises
        ------
        UsageError
            If something was given.
        """
        if self != Volumes():
            raise UsageError(
                "Received an option for volumes (--slices, --with-descriptions, --window, --plane, "
                "--every or --dicom-results), and no volumes; expected DICOM or NIfTI files. Leave "
                "it out for pictures; name the folder of volumes itself where a folder holds both."
            )

    def looking(self, batch: int | None) -> Looking:
        """Return how volumes are looked at: along every slice, where there is a row for each."""
        from tumorscope.detection.looking import FINEST, looking

        every = self.every if self.every is not None else (None if self.by_slice else FINEST)
        return looking(
            plane=self.plane,
            every=every,
            window=self.window,
            batch=batch,
            sparing=not self.by_slice,
        )


def delivery_of(
    detector: Detector, index: StudyIndex, folder: Path | None, archive: Archive | None
) -> Delivery | None:
    """Return what takes results, if they are asked for and there can be some."""
    if folder is None and archive is None:
        return None
    if index.series and all(series.kind == "nifti" for series in index.series):
        raise InputError(
            "Received --dicom-results for NIfTI files alone; expected DICOM series, whose study "
            "and instances results refer to. Give the study as the archive holds it, or leave the "
            "option out."
        )
    from tumorscope.common.files import output_folder
    from tumorscope.serving.delivery import Delivery

    folder = None if folder is None else output_folder(folder)
    return Delivery(metadata=detector.metadata, folder=folder, archive=archive)


def tell_delivery(delivery: Delivery) -> None:
    """Say how far the results got."""
    if delivery.folder is not None:
        say(f"Wrote DICOM results of {delivery.written} series to {delivery.folder}")
    if delivery.archive is not None:
        say(f"Stored results of {delivery.stored} series at {delivery.archive.url}")
    for line in delivery.refused[:SHOWN_FAILURES]:
        say(line)
    if delivery.without:
        say(f"{len(delivery.without)} series without DICOM results: they are no DICOM.")

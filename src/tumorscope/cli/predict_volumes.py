"""What ``tumorscope predict`` is asked of volumes, and where their DICOM results go."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cyclopts import Parameter

from tumorscope.cli.app import SHOWN_FAILURES
from tumorscope.cli.options import Flag
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.progress import say

if TYPE_CHECKING:
    from tumorscope.detection.detector import Detector
    from tumorscope.detection.looking import Looking
    from tumorscope.scans import StudyIndex
    from tumorscope.serving.delivery import Delivery
    from tumorscope.serving.dicomweb import Archive

Plane = Literal["axial", "coronal", "sagittal"]


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Volumes:
    """What is asked of volumes: options of ``tumorscope predict``."""

    slices: Flag = False
    """Of volumes: a row per slice instead of one per series. A .jsonl table has both."""

    plane: Plane | None = None
    """Of volumes: axial, coronal or sagittal, instead of the plane in which each was acquired."""

    every: float | None = None
    """Of volumes: distance of slices in mm; 3 by default, and every slice with --slices. Where
    nothing comes near the levels of a series, only one in three is asked about."""

    window: str = "percentile"
    """Of volumes, what becomes black and white: percentile (the 0.1st and 99.9th of the slices that
    are decoded), dicom (as the header of each slice says), or two values LOW,HIGH."""

    with_descriptions: Flag = False
    """Of volumes: also write series descriptions, which may hold names."""

    dicom_results: Path | None = None
    """Of DICOM series: folder for a structured report (SR) and a secondary capture (SC) of each,
    which archives keep and viewers show. Written again, the same answer is the same object."""

    def given(self) -> dict[str, bool]:
        """Return each option, and whether it was given."""
        return {
            f"--{each.name.replace('_', '-')}": getattr(self, each.name) != each.default
            for each in fields(self)
        }

    def refuse_given(self) -> None:
        """Refuse what is meant for volumes alone, where there are none.

        Raises
        ------
        UsageError
            If something was given.
        """
        if any(self.given().values()):
            raise UsageError(
                "Received an option for volumes (--slices, --with-descriptions, --window, --plane, "
                "--every or --dicom-results), and no volumes; expected DICOM or NIfTI files. Leave "
                "it out for pictures; name the folder of volumes itself where a folder holds both."
            )

    def looking(self, batch: int | None) -> Looking:
        """Return how volumes are looked at: along every slice, where there is a row for each."""
        from tumorscope.detection.looking import FINEST, looking

        every = self.every if self.every is not None else (None if self.slices else FINEST)
        return looking(
            plane=self.plane,
            every=every,
            window=self.window,
            batch=batch,
            sparing=not self.slices,
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

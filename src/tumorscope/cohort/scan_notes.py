"""What a folder scan made of a folder, beside its rows: what a person should know of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tumorscope.imaging.passed_over import PassedOver


@dataclass(frozen=True, slots=True)
class ScanNotes:
    """What was left out, and which folders were taken for patients.

    Attributes
    ----------
    passed_over : PassedOver
        By reason.
    patients : tuple of str
        Folders whose images became one group each.
    patient_images : int
        Images in them.
    other_folders : tuple of str
        Names of folders below the classes that were not taken for patients.
    only_class : str
        Name of the class, where there is but one; else "".
    """

    passed_over: PassedOver = field(default_factory=PassedOver)
    patients: tuple[str, ...] = ()
    patient_images: int = 0
    other_folders: tuple[str, ...] = ()
    only_class: str = ""

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "passed_over": self.passed_over.to_json(),
            "patient_folders": list(self.patients),
            "other_folders": list(self.other_folders),
        }

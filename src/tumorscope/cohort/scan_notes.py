"""What a folder scan made of a folder, beside its rows: what a person should know of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from tumorscope.common.words import some_of
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

    def words(self) -> list[str]:
        """Return the same in sentences."""
        return [*self.passed_over.words(), *self.words_on_groups()]

    def words_on_groups(self) -> list[str]:
        """Return which folders became groups, which did not, and whether a class is missing."""
        lines = []
        if self.patients:
            lines.append(
                f"Groups: {self.patient_images} images lie in {len(self.patients)} folders that "
                f"were taken for patients, each one group: {some_of(self.patients)}."
            )
        if self.other_folders:
            lines.append(
                f"Groups: folders that were not taken for patients: {some_of(self.other_folders)}. "
                "If they are, or file names tell patients, say so with tumorscope audit "
                "--group-from."
            )
        if self.only_class:
            lines.append(
                f"All images are of one class ({self.only_class}): they can be audited and "
                "tested on, but not trained on."
            )
        return lines

    def to_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "passed_over": self.passed_over.to_json(),
            "patient_folders": list(self.patients),
            "other_folders": list(self.other_folders),
        }

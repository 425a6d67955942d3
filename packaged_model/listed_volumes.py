"""The volumes in the data folder, and along which planes they are cut."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from packaged_model.card import read
from tumorscope.scans import Plane, Volume, acquired_plane

LISTED = Path("volumes") / "volumes.csv"

ISOTROPIC = 3.0
"""Volumes with steps of at most so many mm are cut along the other planes too."""


@dataclass(frozen=True, slots=True)
class ListedVolume:
    """A volume of a person of whom it is known whether there is a tumour.

    Attributes
    ----------
    path, subject, sequence : str
        As listed; the subject is ``source:name``.
    label : int
        1 with a tumour, 0 without.
    """

    path: str
    subject: str
    sequence: str
    label: int

    @property
    def source(self) -> str:
        """Where it comes from."""
        return self.subject.partition(":")[0]

    @property
    def names(self) -> frozenset[str]:
        """The sources of a manifest that it may belong to, which may be of one sequence each."""
        return frozenset((self.source, f"{self.source}_{self.sequence.lower()}"))

    def of_subject_or_source(self, names: Collection[str]) -> bool:
        """Return whether its subject or source is among some names."""
        return not (self.names | {self.subject}).isdisjoint(names)


def listed_volumes(data: Path) -> list[ListedVolume]:
    """Return the volumes of data/volumes/volumes.csv: path, label, subject and sequence."""
    return [
        ListedVolume(each["path"], each["subject"], each["sequence"], int(each["label"]))
        for each in read(data / LISTED)
        if each["label"] in ("0", "1")
    ]


def planes_of(volume: Volume) -> tuple[Plane, ...]:
    """Return the planes along which a volume is cut."""
    if not volume.regular or volume.spacing[0] > ISOTROPIC:
        return (acquired_plane(volume),)
    planes: tuple[Plane, ...] = get_args(Plane)
    return planes


def halves(volumes: Sequence[ListedVolume], left_out: Collection[str]) -> list[frozenset[str]]:
    """Return the subjects of whom no volume is of a source left out, every other one in each half.

    No training leaves them out, so the check by which they are scored learns from the other half.
    """
    others = {each.subject for each in volumes}
    others -= {each.subject for each in volumes if each.of_subject_or_source(left_out)}
    ordered = sorted(others)
    return [frozenset(ordered[::2]), frozenset(ordered[1::2])]

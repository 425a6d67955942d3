"""A study of an archive, here for as long as it is looked at, and gone afterwards."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.common.errors import InputError
from tumorscope.common.interrupts import ending_softly
from tumorscope.common.progress import track
from tumorscope.detection.series_finding import SeriesFinding, SliceFinding, with_paths
from tumorscope.serving.dicomweb import check_uid

if TYPE_CHECKING:
    from tumorscope.scans.not_read import NotRead
    from tumorscope.serving.dicomweb import Archive

LOOKED_AT = ("MR", "")
"""Modalities that are fetched; others would not be looked at, and are left where they are."""


@dataclass(frozen=True, slots=True)
class FetchedStudy:
    """Files of a study, for a while.

    Attributes
    ----------
    folder : Path
        That holds them, with a folder for each series.
    address : str
        Of the study in its archive.
    uids : tuple of str
        Of the series, in the order of their folders.
    left : int
        How many series of other modalities were left in the archive.
    """

    folder: Path
    address: str
    uids: tuple[str, ...]
    left: int

    def addressed(self, found: SeriesFinding | NotRead) -> SeriesFinding | NotRead:
        """Return a finding with addresses in the archive for paths that will soon be gone."""
        if not isinstance(found, SeriesFinding):
            return replace(found, path=self._series(found.path))
        return with_paths(found, path=self._series, of_slice=self._slice)

    def _series(self, path: str) -> str:
        number = Path(path).relative_to(self.folder).parts[0]
        return f"{self.address}/series/{self.uids[int(number)]}"

    def _slice(self, each: SliceFinding) -> SliceFinding:
        instance = f"/instances/{each.sop_instance_uid}" if each.sop_instance_uid else ""
        address = f"{self._series(each.path)}{instance}"
        return replace(each, path=address, finding=replace(each.finding, source=address))


@contextlib.contextmanager
def fetched(archive: Archive, study: str, series: str | None = None) -> Iterator[FetchedStudy]:
    """Fetch a study, or one series of it, into a private folder that goes when the block ends.

    It goes too where the program is interrupted or asked to end.

    Raises
    ------
    InputError
        If the archive cannot be asked, or holds nothing there that is looked at.
    """
    there = archive.series_of(study)
    if series is not None:
        check_uid("--series", series)
        wanted = [each for each in there if each.uid == series]
    else:
        wanted = [each for each in there if each.modality in LOOKED_AT]
    if not wanted:
        listed = ", ".join(sorted({each.modality or "?" for each in there}))
        raise InputError(
            f"The archive at {archive.url} holds {len(there)} series of that study ({listed}), and "
            f"none that {'has the UID of --series' if series else 'is MR'}. Expected MR images. "
            "Check the UID."
        )
    with ending_softly(), tempfile.TemporaryDirectory(prefix="tumorscope-") as place:
        for number, each in enumerate(track(wanted, "Fetching", total=lambda: len(wanted))):
            archive.fetch(study, each, Path(place, str(number)))
        yield FetchedStudy(
            folder=Path(place),
            address=f"{archive.url}/studies/{study}",
            uids=tuple(each.uid for each in wanted),
            left=0 if series is not None else len(there) - len(wanted),
        )

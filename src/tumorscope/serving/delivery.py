"""Where the DICOM results of a study go while it is gone through: a folder, an archive, or both."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.common.errors import InputError, OutputError
from tumorscope.serving.dicom_results import results_of, write_result

if TYPE_CHECKING:
    from tumorscope.detection.series_finding import SeriesFinding
    from tumorscope.model_file.schema import Metadata
    from tumorscope.serving.dicomweb import Archive


@dataclass(slots=True, kw_only=True)
class Delivery:
    """The results of one study, and how far they got.

    Attributes
    ----------
    metadata : Metadata
        Of the model that answers.
    folder : Path, optional
        Where results are written.
    archive : Archive, optional
        Where they are stored.
    written, stored : int
        Series whose results are there.
    without : list of str
        Why series have none: they are no DICOM.
    refused : list of str
        Why the archive did not take some.
    """

    metadata: Metadata
    folder: Path | None = None
    archive: Archive | None = None
    written: int = 0
    stored: int = 0
    without: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def add(self, found: SeriesFinding) -> None:
        """Deliver the results of one finding.

        Raises
        ------
        OutputError
            If the folder cannot be written to.
        """
        try:
            results = results_of(found, self.metadata)
        except InputError as error:
            self.without.append(str(error))
            return
        if self.folder is not None:
            for made in results:
                write_result(made, self.folder)
            self.written += 1
        if self.archive is not None:
            try:
                self.archive.store(results)
            except OutputError as error:
                self.refused.append(str(error))
            else:
                self.stored += 1

    def check(self) -> None:
        """Raise why, where not one series of a study got its results.

        Raises
        ------
        InputError
            If no series is DICOM.
        OutputError
            If the archive took nothing.
        """
        if self.written or self.stored:
            return
        if self.refused:
            raise OutputError(self.refused[0])
        if self.without:
            raise InputError(self.without[0])

    def to_json(self) -> dict[str, object]:
        """Return how far the results got, as plain values."""
        return {
            "folder": None if self.folder is None else str(self.folder),
            "written": self.written,
            "stored": self.stored,
            "without": len(self.without),
            "refused": len(self.refused),
        }

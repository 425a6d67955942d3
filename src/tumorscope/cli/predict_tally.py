"""What ``tumorscope predict`` counts while it goes on, and says at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tumorscope.cli.app import SHOWN_FAILURES
from tumorscope.common.errors import InputError
from tumorscope.common.names import printable
from tumorscope.common.words import counted

if TYPE_CHECKING:
    from tumorscope.detection.records import Result
    from tumorscope.detection.study_results import StudyResult

COPIES = "them or copies of them"
"""What a model was trained on where pictures are known."""


@dataclass(slots=True)
class Tally:
    """Counts of pictures, of series, and of what could not be read."""

    pictures: Counter[str] = field(default_factory=Counter)
    series: Counter[str] = field(default_factory=Counter)
    not_read: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    resumed_series: int = 0
    seen: int = 0
    seen_series: int = 0
    _unreadable: list[str] = field(default_factory=list)
    _failures: list[str] = field(default_factory=list)
    _failed: int = 0

    @property
    def failed(self) -> bool:
        """Whether something could not be read."""
        return bool(self.pictures["unreadable"] or self._failed)

    def add_picture(self, result: Result) -> None:
        """Count a picture."""
        decision = str(result.values["decision"])
        self.pictures[decision] += 1
        self.resumed += result.resumed
        self.seen += bool(result.values["seen"])
        if decision == "unreadable" and len(self._unreadable) < SHOWN_FAILURES:
            reason = str(result.values["reasons"]).removeprefix("unreadable: ")
            path = printable(str(result.values["path"]))
            self._unreadable.append(f"Unreadable: {path}: {reason}")

    def add_series(self, result: StudyResult) -> None:
        """Count a series, or what was not read."""
        if result.decision:
            self.series[result.decision] += 1
            self.resumed_series += result.resumed
            self.seen_series += result.seen
        else:
            self.not_read[result.reason] += 1
        self._failed += len(result.failures)
        room = SHOWN_FAILURES - len(self._failures)
        self._failures += result.failures[: max(room, 0)]

    def words_of_pictures(self, model: str) -> Iterator[str]:
        """Yield what there is to say of pictures."""
        yield from self._unreadable
        more = self.pictures["unreadable"] - len(self._unreadable)
        if more:
            yield f"… and {more} more that cannot be read."
        total = self.pictures.total()
        counts = ", ".join(f"{count} {name}" for name, count in self.pictures.most_common())
        kept = f", {self.resumed} of them from the log" if self.resumed else ""
        yield f"{counted(total, 'image')}{kept}: {counts}. Model {model}."
        yield from known_from_training(self.seen, COPIES)

    def words_of_series(self, model: str) -> Iterator[str]:
        """Yield what there is to say of series."""
        yield from (f"Not read: {line}" for line in self._failures)
        if self._failed > len(self._failures):
            yield f"… and {self._failed - len(self._failures)} more that cannot be read."
        if self.not_read:
            counts = ", ".join(f"{name}: {count}" for name, count in self.not_read.most_common())
            yield f"Passed over or not read, by reason: {counts}."
        decided = ", ".join(f"{count} {name}" for name, count in self.series.most_common())
        kept = f", {self.resumed_series} of them from the log" if self.resumed_series else ""
        yield f"{self.series.total()} series{kept}: {decided or 'none'}. Model {model}."
        yield from known_from_training(self.seen_series, "slices of them")

    def check(self, *, volumes: bool) -> None:
        """Raise the error of a batch in which nothing could be read.

        Parameters
        ----------
        volumes : bool
            Whether volumes were looked for.
        """
        unreadable = self.pictures["unreadable"]
        if self.series or unreadable < self.pictures.total():
            return
        if unreadable and not volumes:
            one = unreadable == 1
            raise InputError(
                f"{'The only file' if one else f'None of the {unreadable} files'} could "
                f"{'not ' if one else ''}be read. Expected brain MRI slices as JPEG, "
                "PNG, BMP, GIF, TIFF or WebP. The reasons stand in the column reasons."
            )
        if volumes:
            reasons = ", ".join(f"{name}: {count}" for name, count in self.not_read.items())
            also = f", and none of {unreadable} pictures" if unreadable else ""
            raise InputError(
                f"No series could be read ({reasons or 'nothing there'}){also}. Expected MR images "
                "as DICOM or NIfTI. The reasons stand in the column reasons, and in "
                "docs/reference/scans.md what each means."
            )


def known_from_training(number: int, what: str) -> Iterator[str]:
    """Yield the sentence on so many answers, if there are any, of a model trained on `what`."""
    # The column alone is passed over: a new user takes such answers for a proof of the model.
    if number:
        yield (
            f"Known from training: {number}. The model was trained on {what}, so these answers "
            "say nothing about how well it works."
        )

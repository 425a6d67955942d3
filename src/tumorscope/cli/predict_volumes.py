"""``tumorscope predict`` on volumes: one row per series, or per slice."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tumorscope.cli.app import SHOWN_FAILURES, SOME_FAILED, emit
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.names import printable
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import say, track

if TYPE_CHECKING:
    from tumorscope.cli.options import Common
    from tumorscope.detection.detector import Detector
    from tumorscope.detection.looking import Looking
    from tumorscope.detection.series_finding import SeriesFinding
    from tumorscope.scans import NotRead, Series, StudyIndex
    from tumorscope.serving.delivery import Delivery
    from tumorscope.serving.dicomweb import Archive

    Found = SeriesFinding | NotRead

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


def predict_volumes(
    paths: tuple[Path, ...],
    load: Callable[[], Detector],
    *,
    asked: Volumes,
    how: Looking,
    output: Path | None,
    report: Path | None,
    common: Common,
    archive: Archive | None = None,
    addressed: Callable[[Found], Found] = lambda found: found,
) -> int:
    """Answer for each series; return the exit code.

    Results as DICOM objects go to the folder that was asked for, and to the archive.
    """
    from tumorscope.detection.series_finding import SeriesFinding
    from tumorscope.detection.study_outputs import open_study, rows_of
    from tumorscope.scans import index_study

    detector, index = load(), index_study(paths)
    delivery = _delivery(detector, index, asked.dicom_results, archive)
    by_slice = asked.by_slice
    if detector.metadata.series is None and not by_slice:
        say(
            f"The model {detector.model_id} holds no rule for series, so there is a row for each "
            "slice, as with --slices."
        )
        by_slice = True
        how = replace(how, every=asked.every, sparing=False)
    # On one screen, rows and a bar would overwrite each other.
    rows_shown = output is None and not common.json and sys.stdout.isatty()
    series = index.series if rows_shown else track(index.series, "Detecting")
    findings = map(addressed, _findings(detector, series, index, how))
    tally = _Tally()
    show, collected = _screen(common, output, by_slice=by_slice, descriptions=asked.descriptions)
    with open_study(
        findings,
        detector=detector,
        table=output,
        page=report,
        by_slice=by_slice,
        descriptions=asked.descriptions,
    ) as results:
        for found in results:
            tally.add(found)
            if delivery is not None and isinstance(found, SeriesFinding):
                delivery.add(found)
            for row in rows_of(found, by_slice=by_slice, descriptions=asked.descriptions):
                show(row)
    tally.tell(detector.model_id)
    for path in filter(None, (output, report)):
        say(f"Wrote {path}")
    if delivery is not None:
        _tell(delivery)
    say(RESEARCH_USE_ONLY)
    if common.json:
        document = {
            "notice": RESEARCH_USE_ONLY,
            "model": detector.model_id,
            "series": tally.series,
            "decisions": dict(tally.decisions),
            "not_read": dict(tally.not_read),
            **({"findings": collected} if output is None else {"output": str(output)}),
            **({} if delivery is None else {"dicom_results": delivery.to_json()}),
        }
        emit(common, document, "")
    tally.check()
    if delivery is None:
        return SOME_FAILED if tally.failures else 0
    delivery.check()
    return SOME_FAILED if tally.failures or delivery.refused else 0


def _delivery(
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


def _tell(delivery: Delivery) -> None:
    if delivery.folder is not None:
        say(f"Wrote DICOM results of {delivery.written} series to {delivery.folder}")
    if delivery.archive is not None:
        say(f"Stored results of {delivery.stored} series at {delivery.archive.url}")
    for line in delivery.refused[:SHOWN_FAILURES]:
        say(line)
    if delivery.without:
        say(f"{len(delivery.without)} series without DICOM results: they are no DICOM.")


def _findings(
    detector: Detector, series: Iterable[Series], index: StudyIndex, how: Looking
) -> Iterator[SeriesFinding | NotRead]:
    from tumorscope.detection.series import detect_volumes

    for each in series:
        yield from detect_volumes(detector, each, how=how)
    yield from index.not_read


@dataclass(slots=True)
class _Tally:
    """What is counted of a study while it goes on."""

    series: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    not_read: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def add(self, found: SeriesFinding | NotRead) -> None:
        from tumorscope.detection.series_tables import UNREADABLE
        from tumorscope.scans import NotRead

        if isinstance(found, NotRead):
            self.not_read[found.reason] += 1
            if found.reason in UNREADABLE:
                self.failures.append(found.sentence())
            return
        self.series += 1
        self.decisions[found.decision] += 1
        self.failures += [each.sentence() for each in found.passed_over]

    def tell(self, model: str) -> None:
        for line in self.failures[:SHOWN_FAILURES]:
            say(f"Not read: {line}")
        if len(self.failures) > SHOWN_FAILURES:
            say(f"… and {len(self.failures) - SHOWN_FAILURES} more that cannot be read.")
        if self.not_read:
            counts = ", ".join(f"{name}: {count}" for name, count in self.not_read.most_common())
            say(f"Passed over or not read, by reason: {counts}.")
        decided = ", ".join(f"{count} {name}" for name, count in self.decisions.most_common())
        say(f"{self.series} series: {decided or 'none'}. Model {model}.")

    def check(self) -> None:
        """Raise the error of a study in which nothing could be read."""
        if not self.series:
            reasons = ", ".join(f"{name}: {count}" for name, count in self.not_read.items())
            raise InputError(
                f"No series could be read ({reasons or 'nothing there'}). Expected MR images as "
                "DICOM or NIfTI. The reasons stand in the column reasons, and in docs/reference/"
                "scans.md what each means."
            )


def _screen(
    common: Common, output: Path | None, *, by_slice: bool, descriptions: bool
) -> tuple[Callable[[dict[str, object]], object], list[dict[str, object]]]:
    """Return what shows a row: nothing beside a table, a list for JSON, or the screen."""
    collected: list[dict[str, object]] = []
    if output is not None:
        return lambda _: None, collected
    if common.json:
        return collected.append, collected
    if sys.stdout.isatty():
        return _print_line, collected
    import csv

    from tumorscope.detection.study_outputs import columns_of
    from tumorscope.detection.tables import cells

    columns = columns_of(by_slice=by_slice, descriptions=descriptions)
    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(columns)
    return lambda row: table.writerow(cells(row, columns)), collected


def _print_line(row: dict[str, object]) -> None:
    value = row.get("score", row.get("probability"))
    shown = f"{value:.2f}" if isinstance(value, float) else "–"
    about = " ".join(str(row.get(name) or "") for name in ("plane", "sequence")).strip()
    why = f"  ({row['reasons']})" if row.get("reasons") else ""
    place = row.get("position", row.get("key_position"))
    at = f"{place:.0f} mm" if isinstance(place, float) else ""
    print(
        f"{row['decision']!s:<11} {shown:>6}  {at:>8}  {about:<16} "
        f"{printable(str(row['path']))}{why}"
    )

"""The findings of volumes, written down one by one: a table, overlays, a page, and a log."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tumorscope.common.files import remove_leftovers
from tumorscope.common.locks import writing
from tumorscope.detection.detector import Detector
from tumorscope.detection.journal import ResultLog
from tumorscope.detection.looking import Looking
from tumorscope.detection.outputs import Opened
from tumorscope.detection.series import detect_volumes
from tumorscope.detection.series_content import content_of
from tumorscope.detection.series_tables import DESCRIPTION, OVERLAY, SERIES_COLUMNS, SLICE_COLUMNS
from tumorscope.detection.study_page import StudyPage, open_study_page
from tumorscope.detection.study_results import Found, StudyResult, Wanted, result_of
from tumorscope.detection.tables import FINDING_COLUMNS
from tumorscope.scans import NotRead, Series

BESIDE = "-series"
"""Behind the name of the page of series, where one of pictures is written too."""


def columns_of(
    *, by_slice: bool, descriptions: bool = False, overlays: bool = False, pictures: bool = False
) -> dict[str, type]:
    """Return the columns of a table; with pictures, those of pictures come first."""
    columns = dict(SLICE_COLUMNS if by_slice else SERIES_COLUMNS)
    if pictures:
        columns = {**FINDING_COLUMNS, **columns}
    if descriptions and not by_slice:
        columns[DESCRIPTION] = str
    if overlays:
        columns[OVERLAY] = str
    return columns


def study_results(
    opened: Opened,
    detector: Detector,
    series: Iterable[Series],
    not_read: Iterable[NotRead],
    *,
    how: Looking,
    by_slice: bool = False,
    descriptions: bool = False,
    page: Path | None = None,
    addressed: Callable[[Found], Found] = lambda found: found,
) -> Iterator[StudyResult]:
    """Yield what is written of each volume, and of what is not read, once it is written.

    A series of which the log knows all that is wanted, by the content of its files, is not asked
    about again.

    Parameters
    ----------
    opened : Opened
        Outputs of `tumorscope.detection.outputs.open_outputs`.
    detector : Detector
        What answers.
    series, not_read : iterable
        Of `tumorscope.scans.index_study`.
    how : Looking
        Plane, distance of slices, window.
    by_slice, descriptions : bool
        See `Wanted`.
    page : Path, optional
        Of the series.
    addressed : callable
        Changes the paths of a finding to those that people know.
    """
    pages = None
    if page is not None:
        if page != opened.outputs.page:  # which is locked, and cleared of what a kill left
            opened.stack.enter_context(writing(page))
            remove_leftovers(page)
        pages = opened.stack.enter_context(open_study_page(page, detector, descriptions))
    table = opened.outputs.table
    wanted = Wanted(
        by_slice=by_slice,
        descriptions=descriptions,
        nested=table is not None and table.suffix.lower() == ".jsonl" and not by_slice,
        overlays=opened.outputs.overlays,
        page=pages,
    )
    for each in series:
        for result in _of_series(each, opened.log, detector, wanted, how, addressed):
            yield _written(result, opened, pages)
    for record in not_read:
        result = result_of(addressed(record), wanted, detector.metadata)
        yield _written(result, opened, pages)


def _of_series(
    series: Series,
    log: ResultLog | None,
    detector: Detector,
    wanted: Wanted,
    how: Looking,
    addressed: Callable[[Found], Found],
) -> Iterator[StudyResult]:
    """Yield the results of a series, from the log where it knows them, else into the log."""
    with ThreadPoolExecutor(1, thread_name_prefix="content") as aside:
        content = None if log is None else aside.submit(content_of, series)
        if log is not None and content is not None and len(log):
            known = _known(log, content.result(), wanted)
            if known is not None:
                yield from known
                return
        done: list[dict[str, object]] = []
        final = True
        for found in detect_volumes(detector, series, how=how):
            result = result_of(addressed(found), wanted, detector.metadata)
            if log is not None:
                done.append(result.to_record())
            # With more memory, or a larger --image-memory, it may be read another time.
            final = final and result.reason != "too-large"
            yield result
        if log is not None and content is not None and final and (key := content.result()):
            log.append({"sha256": key, "results": done})


def _known(log: ResultLog, key: str, wanted: Wanted) -> list[StudyResult] | None:
    record = log.get(key) if key else None
    entries = None if record is None else record.get("results")
    if not isinstance(entries, list):
        return None
    results = [StudyResult.from_record(each) for each in entries]
    return results if all(each.serves(wanted) for each in results) else None


def _written(result: StudyResult, opened: Opened, page: StudyPage | None) -> StudyResult:
    if opened.write is not None:
        for row in result.rows:
            opened.write(row)
    if page is not None and result.decision:
        page.place(result.decision, result.section or "", seen=result.seen)
    elif page is not None:
        page.note(result.line)
    return result


def page_of_series(page: Path | None, *, pictures: bool) -> Path | None:
    """Return where the page of series goes: beside that of pictures, where there is one."""
    if page is None or not pictures:
        return page
    return page.with_name(f"{page.stem}{BESIDE}{page.suffix}")

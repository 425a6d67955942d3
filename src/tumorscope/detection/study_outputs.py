"""Where the findings of volumes are written: a table of series or of slices, and a page."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tumorscope.common.locks import writing
from tumorscope.detection.detector import Detector
from tumorscope.detection.page import check_page
from tumorscope.detection.series_finding import SeriesFinding
from tumorscope.detection.series_tables import (
    DESCRIPTION,
    SERIES_COLUMNS,
    SLICE_COLUMNS,
    not_read_row,
    series_row,
    slice_rows,
    with_slices,
)
from tumorscope.detection.study_page import open_study_page
from tumorscope.detection.tables import Write, check_suffix, open_table
from tumorscope.scans.not_read import NotRead

Found = SeriesFinding | NotRead


def columns_of(*, by_slice: bool, descriptions: bool) -> dict[str, type]:
    """Return the columns of a table."""
    columns = SLICE_COLUMNS if by_slice else SERIES_COLUMNS
    return {**columns, DESCRIPTION: str} if descriptions and not by_slice else dict(columns)


def rows_of(found: Found, *, by_slice: bool, descriptions: bool) -> list[dict[str, object]]:
    """Return the rows of one finding: one, or one for each slice."""
    if by_slice:
        return slice_rows(found) if isinstance(found, SeriesFinding) else [not_read_row(found)]
    return [series_row(found, description=descriptions)]


@contextlib.contextmanager
def open_study(
    findings: Iterable[Found],
    *,
    detector: Detector,
    table: Path | None = None,
    page: Path | None = None,
    by_slice: bool = False,
    descriptions: bool = False,
) -> Iterator[Iterator[Found]]:
    """Give findings one by one, each written down before it is handed out.

    Table and page appear under their names once the block ends well. A table of JSON lines has
    both: series, and in each its slices.

    Raises
    ------
    BusyError
        If another process writes to one of them.
    OutputError
        If one cannot be written.
    UsageError
        If a name says nothing of the format.
    """
    with contextlib.ExitStack() as stack:
        sinks: list[Callable[[Found], None]] = []
        for place, check in ((table, check_suffix), (page, check_page)):
            if place is not None:
                check(place)
                stack.enter_context(writing(place))
        if table is not None:
            columns = columns_of(by_slice=by_slice, descriptions=descriptions)
            write = stack.enter_context(open_table(table, columns=columns))
            nested = table.suffix.lower() == ".jsonl" and not by_slice
            sinks.append(_writer(write, by_slice, descriptions, nested=nested))
        if page is not None:
            sinks.append(stack.enter_context(open_study_page(page, detector, descriptions)).add)
        yield _written(findings, sinks)


def _writer(
    write: Write, by_slice: bool, descriptions: bool, *, nested: bool
) -> Callable[[Found], None]:
    def add(found: Found) -> None:
        for row in rows_of(found, by_slice=by_slice, descriptions=descriptions):
            write(with_slices(found, row) if nested else row)

    return add


def _written(findings: Iterable[Found], sinks: list[Callable[[Found], None]]) -> Iterator[Found]:
    for found in findings:
        for sink in sinks:
            sink(found)
        yield found

"""Where a batch writes: a table with its log, overlays, a page; locked, and whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from tumorscope.common.errors import UsageError
from tumorscope.common.files import output_folder, remove_leftovers
from tumorscope.common.limits import check_whole
from tumorscope.common.locks import writing
from tumorscope.common.names import as_text
from tumorscope.detection.batch import run_batch
from tumorscope.detection.detector import Detector
from tumorscope.detection.find_images import Found
from tumorscope.detection.in_processes import Processes
from tumorscope.detection.journal import ResultLog
from tumorscope.detection.page import check_page, open_page
from tumorscope.detection.pictures import Pictures
from tumorscope.detection.records import Result
from tumorscope.detection.tables import FINDING_COLUMNS, Write, check_suffix, open_table


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What a batch writes, as far as it was asked for.

    Attributes
    ----------
    table : Path, optional
        Ends in .csv, .parquet or .jsonl. Beside it lies the log while the batch goes on.
    overlays : Path, optional
        Folder for one picture per image.
    page : Path, optional
        Ends in .html.
    """

    table: Path | None = None
    overlays: Path | None = None
    page: Path | None = None

    @property
    def given(self) -> tuple[Path, ...]:
        """Those that were asked for."""
        return tuple(path for path in (self.table, self.overlays, self.page) if path is not None)

    @property
    def drawing(self) -> bool:
        """Whether pictures are drawn of what was looked at."""
        return self.overlays is not None or self.page is not None

    def check(self, paths: Sequence[Path], *, resume: bool = False) -> None:
        """Refuse what cannot be written so, before any work is done.

        Parameters
        ----------
        paths : sequence of path
            Files and folders that are searched for images.
        resume : bool
            Whether an interrupted batch is to go on.

        Raises
        ------
        UsageError
            If a name says nothing of the format, overlays would lie among the scans, or there is
            no table beside which a log could lie.
        """
        if resume and self.table is None:
            raise UsageError(
                "--resume was given without -o. Expected the table of the interrupted batch, "
                "beside which its log lies: -o FILE --resume."
            )
        if self.table is not None:
            check_suffix(self.table)
        if self.page is not None:
            check_page(self.page)
        if self.overlays is not None:
            _check_apart(paths, self.overlays)


@dataclass(frozen=True, slots=True)
class Opened:
    """Outputs that are being written to.

    Attributes
    ----------
    outputs : Outputs
        What was asked for.
    write : callable, optional
        Adds a row to the table.
    log : ResultLog, optional
        Of the batch, beside the table.
    stack : ExitStack
        Ends well or not with the batch; pages are opened on it.
    """

    outputs: Outputs
    write: Write | None
    log: ResultLog | None
    stack: contextlib.ExitStack


@contextlib.contextmanager
def open_outputs(
    detector: Detector,
    *,
    outputs: Outputs,
    named: Sequence[Path],
    resume: bool = False,
    columns: Mapping[str, type] = FINDING_COLUMNS,
    options: Mapping[str, object] = MappingProxyType({}),
) -> Iterator[Opened]:
    """Lock the outputs of a batch, and open its log and table.

    The table, and pages opened on the stack, appear under their names once the block ends well.

    Parameters
    ----------
    detector : Detector
        What answers.
    outputs : Outputs
        What is written.
    named : sequence of path
        Where scans are looked for; a log of other places is refused.
    resume : bool
        Go on with the log beside the table.
    columns : mapping of str to type
        Of the table.
    options : mapping
        What else decides the rows; a log of other values is refused.

    Raises
    ------
    BusyError
        If another process writes to one of the outputs.
    InputError
        If the log is that of another batch.
    OutputError
        If something cannot be written.
    UsageError
        If there is a log and `resume` is false.
    """
    table, overlays = outputs.table, outputs.overlays
    with contextlib.ExitStack() as locks:
        for place in outputs.given:
            locks.enter_context(writing(place))
        if overlays is not None:
            output_folder(overlays)
        with contextlib.ExitStack() as stack:
            log = None
            if table is not None:
                log = _open_log(detector, named, table, resume=resume, options=options)
                stack.enter_context(log)
            if resume:
                _remove_leftovers(outputs)
            write = None
            if table is not None:
                write = stack.enter_context(open_table(table, columns=columns))
            yield Opened(outputs, write, log, stack)
        if log is not None:
            log.remove()


@contextlib.contextmanager
def open_results(
    detector: Detector,
    images: Iterable[Found],
    *,
    outputs: Outputs,
    named: Sequence[Path],
    resume: bool = False,
    batch: int | None = None,
) -> Iterator[Iterator[Result]]:
    """Give the results of a batch of pictures one by one, each written before it is handed out.

    Parameters
    ----------
    detector, outputs, named, resume
        See `open_outputs`, which says what is raised as well.
    images : iterable of Found
        Consumed lazily.
    batch : int, optional
        Images per run of the engine.

    Raises
    ------
    UsageError
        If `batch` is less than 1.
    """
    if batch is not None:
        check_whole("batch", batch, at_least=1)  # before a log is begun
    with open_outputs(detector, outputs=outputs, named=named, resume=resume) as opened:
        yield picture_results(opened, detector, images, batch=batch)


def picture_results(
    opened: Opened,
    detector: Detector,
    images: Iterable[Found],
    *,
    batch: int | None = None,
    processes: Processes | None = None,
) -> Iterator[Result]:
    """Yield the results of pictures, each written down before it is handed out."""
    outputs = opened.outputs
    pictures = None
    if outputs.drawing:
        pictures = Pictures(outputs.overlays, outputs.page is not None)
    page = None
    if outputs.page is not None:
        page = opened.stack.enter_context(
            open_page(outputs.page, detector, table=outputs.table, overlays=outputs.overlays)
        )
    for result in run_batch(
        detector, images, log=opened.log, pictures=pictures, batch=batch, processes=processes
    ):
        if opened.write is not None:
            opened.write(result.values)
        if page is not None:
            page.add(result)
        yield result


def _check_apart(paths: Sequence[Path], overlays: Path) -> None:
    """Refuse a folder for overlays among whose files the next run would look for scans."""
    place = overlays.resolve()
    for path in paths:
        if path.is_dir() and (place == path.resolve() or place in path.resolve().parents):
            raise UsageError(
                f"The overlays were to go to {overlays}, which is or holds the folder {path} that "
                "is searched for images: overlays would lie among the scans, and be read as such "
                "next time. Expected a folder of their own. Choose another with --overlays."
            )


def _open_log(
    detector: Detector,
    named: Sequence[Path],
    table: Path,
    *,
    resume: bool,
    options: Mapping[str, object],
) -> ResultLog:
    # What decides the rows, and nothing else: threads and batches of images do not.
    identity = {
        **detector.identity,
        "images": sorted({as_text(path.resolve()) for path in named}),
        **options,
    }
    return ResultLog(table.with_name(table.name + ".log"), identity=identity, resume=resume)


def _remove_leftovers(outputs: Outputs) -> None:
    """Remove the half-written files that a killed run could not remove itself."""
    for path in filter(None, (outputs.table, outputs.page)):
        remove_leftovers(path)
    for path in [] if outputs.overlays is None else outputs.overlays.rglob(".*.partial.png"):
        path.unlink(missing_ok=True)

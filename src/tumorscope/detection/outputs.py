"""Where a batch writes: a table with its log, overlays, a page; locked, and whole or not at all."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tumorscope.common.errors import UsageError
from tumorscope.common.files import output_folder, remove_leftovers
from tumorscope.common.limits import check_whole
from tumorscope.common.locks import writing
from tumorscope.common.names import as_text
from tumorscope.detection.batch import run_batch
from tumorscope.detection.detector import Detector
from tumorscope.detection.find_images import Found
from tumorscope.detection.journal import ResultLog
from tumorscope.detection.page import check_page, open_page
from tumorscope.detection.pictures import Pictures
from tumorscope.detection.records import Result
from tumorscope.detection.tables import check_suffix, open_table


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
    """Give the results of a batch one by one, each written down before it is handed out.

    The table and the page appear under their names once the block ends well.

    Parameters
    ----------
    detector : Detector
        What answers.
    images : iterable of Found
        Consumed lazily.
    outputs : Outputs
        What is written.
    named : sequence of path
        What the images were found in; a log of other ones is refused.
    resume : bool
        Go on with the log beside the table.
    batch : int, optional
        Images per run of the engine.

    Raises
    ------
    BusyError
        If another process writes to one of the outputs.
    InputError
        If the log is that of another batch.
    OutputError
        If something cannot be written.
    UsageError
        If there is a log and `resume` is false, or `batch` is less than 1.
    """
    if batch is not None:
        check_whole("batch", batch, at_least=1)  # before a log is begun
    table, overlays = outputs.table, outputs.overlays
    with contextlib.ExitStack() as locks:
        for place in outputs.given:
            locks.enter_context(writing(place))
        if overlays is not None:
            output_folder(overlays)
        with contextlib.ExitStack() as stack:
            log = None if table is None else _open_log(detector, named, table, resume=resume)
            if log is not None:
                stack.enter_context(log)
            if resume:
                _remove_leftovers(outputs)
            sinks = _open_sinks(stack, detector, outputs)
            drawn = overlays is not None or outputs.page is not None
            pictures = Pictures(overlays, outputs.page is not None) if drawn else None
            results = run_batch(detector, images, log=log, pictures=pictures, batch=batch)
            yield _written(results, sinks)
        if log is not None:
            log.remove()


def _open_sinks(
    stack: contextlib.ExitStack, detector: Detector, outputs: Outputs
) -> list[Callable[[Result], None]]:
    """Return what writes a result down, for everything that was asked for."""
    sinks: list[Callable[[Result], None]] = []
    if outputs.table is not None:
        write = stack.enter_context(open_table(outputs.table))
        sinks.append(lambda result: write(result.values))
    if outputs.page is not None:
        page = open_page(outputs.page, detector, table=outputs.table, overlays=outputs.overlays)
        sinks.append(stack.enter_context(page).add)
    return sinks


def _written(
    results: Iterator[Result], sinks: Sequence[Callable[[Result], None]]
) -> Iterator[Result]:
    for result in results:
        for sink in sinks:
            sink(result)
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


def _open_log(detector: Detector, named: Sequence[Path], table: Path, *, resume: bool) -> ResultLog:
    # What decides the rows, and nothing else: threads and batches of images do not.
    identity = {
        **detector.identity,
        "images": sorted({as_text(path.resolve()) for path in named}),
    }
    return ResultLog(table.with_name(table.name + ".log"), identity=identity, resume=resume)


def _remove_leftovers(outputs: Outputs) -> None:
    """Remove the half-written files that a killed run could not remove itself."""
    for path in filter(None, (outputs.table, outputs.page)):
        remove_leftovers(path)
    for path in [] if outputs.overlays is None else outputs.overlays.rglob(".*.partial.png"):
        path.unlink(missing_ok=True)

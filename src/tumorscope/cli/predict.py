"""``tumorscope predict``: files and folders in, one row per image out."""

from __future__ import annotations

import contextlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from tumorscope.cli.app import SHOWN_FAILURES, SOME_FAILED, Common, OptionalWhole, emit
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import say, track

if TYPE_CHECKING:
    from tumorscope.detection.batch import Row
    from tumorscope.detection.detector import Detector
    from tumorscope.detection.journal import ResultLog


ON_SCREEN = ("decision", "probability", "ms", "seen", "path")
"""What a terminal has room for; a file or a pipe gets every column."""


def predict(
    paths: Annotated[tuple[Path, ...], Parameter(negative="")],
    /,
    *,
    model: Path | None = None,
    output: Annotated[Path | None, Parameter(alias="-o")] = None,
    overlays: Path | None = None,
    operating_point: str = "balanced",
    engine: Literal["onnxruntime", "openvino", "litert"] | None = None,
    batch: OptionalWhole = None,
    threads: OptionalWhole = None,
    fast: Annotated[bool, Parameter(negative="")] = False,
    resume: Annotated[bool, Parameter(negative="")] = False,
    common: Common | None = None,
) -> int:
    """Tell tumour from no tumour on brain MRI slices, or say why not.

    Decisions are tumour, no tumour, abstain (the model cannot tell), refused (not a brain MRI
    slice) and unreadable. A file that cannot be read is a row with its reason (exit code 4), and
    the others are done. What a folder holds and is not looked at is counted by reason; where it
    looks like scans, such as DICOM files, the exit code is 4 too, and where a folder that was
    named holds no image.

    Example:

        tumorscope predict scan.jpg --model model.onnx
        tumorscope predict scans/ --model model.onnx -o findings.csv --overlays overlays/

    Parameters
    ----------
    paths
        Images, or folders that are searched to any depth.
    model
        A model file (.onnx, .xml or .tflite), or packaged (the default), the one in the package.
    output
        Table to write: .csv, .parquet or .jsonl. What is finished is kept in a log beside it, so
        that --resume can go on. Without, the table goes to standard output.
    overlays
        Folder for one picture per image: red pushed towards tumour, blue away from it. It may lie
        in a folder that is searched, and is passed over there.
    operating_point
        Whose threshold decides: balanced, screening, specific, or another that the model stores.
        Around it lies a range without an answer, which tumorscope describe MODEL prints.
    engine
        What computes; by default the one that suits the model file.
    batch
        Images per run of the engine.
    threads
        Cores to use; all by default.
    fast
        Let OpenVINO compute in bfloat16 where the processor can: faster, and probabilities move,
        in places by more than a tenth. Other engines ignore it, which is said.
    resume
        Go on with an interrupted batch of the same images, model and options. A batch that was
        finished is computed anew, because its log is gone.
    """
    common = common or Common()
    if resume and output is None:
        raise UsageError(
            "--resume was given without -o. Expected the table of the interrupted batch, beside "
            "which its log lies: -o FILE --resume."
        )
    from tumorscope.detection.find_images import KEPT, count_images, find_images
    from tumorscope.detection.tables import check_suffix
    from tumorscope.imaging.passed_over import PassedOver

    if output is not None:
        check_suffix(output)
    exclude = [] if overlays is None else [overlays]
    if overlays is not None:
        _check_apart(paths, overlays)
    passed = PassedOver(keep=KEPT)
    images = find_images(paths, exclude=exclude, passed=passed)
    from tumorscope.common.files import output_folder
    from tumorscope.common.locks import writing
    from tumorscope.detection.batch import run_batch
    from tumorscope.detection.detector import Detector, check_batch

    if batch is not None:
        check_batch(batch)  # before a log is begun
    detector = Detector.load(
        model, engine=engine, operating_point=operating_point, threads=threads, fast=fast
    )
    used = detector.identity["engine"]
    if fast and used != "openvino":
        say(f"--fast changes nothing with the engine {used}; it is for --engine openvino.")
    tally: Counter[str] = Counter()
    failures: list[str] = []
    resumed = 0
    with contextlib.ExitStack() as locks:
        for place in filter(None, (output, overlays)):
            locks.enter_context(writing(place))
        if overlays is not None:
            output_folder(overlays)
        with contextlib.ExitStack() as stack:
            log = _open_log(stack, detector, paths, output, resume=resume)
            if resume:
                _tidy_up(output, overlays)
            write, collected = _open_sink(stack, output, common)
            rows = run_batch(detector, images, log=log, overlays=overlays, batch=batch)
            for row in _shown(rows, lambda: count_images(paths, exclude=exclude)):
                write(row.values)
                resumed += row.resumed
                tally[str(row.values["decision"])] += 1
                if row.values["decision"] == "unreadable" and len(failures) < SHOWN_FAILURES:
                    failures.append(_failure(row))
        if log is not None:
            log.remove()
    for line in passed.words():
        say(line)
    _summarise(detector, tally, failures, resumed=resumed, output=output, overlays=overlays)
    if common.json:
        emit(
            common,
            {
                "notice": RESEARCH_USE_ONLY,
                "model": detector.model_id,
                "operating_point": operating_point,
                "decisions": dict(tally),
                "resumed": resumed,
                "passed_over": passed.to_json(),
                **({"findings": collected} if output is None else {"output": str(output)}),
            },
            "",
        )
    unreadable = tally["unreadable"]
    if unreadable and unreadable == tally.total():
        raise InputError(
            f"{'The only file' if unreadable == 1 else f'None of the {unreadable} files'} could "
            f"{'not ' if unreadable == 1 else ''}be read. Expected brain MRI slices as JPEG, "
            "PNG, BMP, GIF, TIFF or WebP. The reasons stand in the column reasons."
        )
    return SOME_FAILED if unreadable or passed.scans else 0


def _check_apart(paths: tuple[Path, ...], overlays: Path) -> None:
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
    stack: contextlib.ExitStack,
    detector: Detector,
    paths: tuple[Path, ...],
    output: Path | None,
    *,
    resume: bool,
) -> ResultLog | None:
    if output is None:
        return None
    from tumorscope.detection.find_images import as_text
    from tumorscope.detection.journal import ResultLog

    path = output.with_name(output.name + ".log")
    # What decides the rows, and nothing else: threads and batches of images do not.
    identity = {
        **detector.identity,
        "images": sorted({as_text(path.resolve()) for path in paths}),
    }
    return stack.enter_context(ResultLog(path, identity=identity, resume=resume))


def _tidy_up(output: Path | None, overlays: Path | None) -> None:
    """Remove the half-written files that a killed run could not remove itself."""
    from tumorscope.common.files import remove_leftovers

    if output is not None:
        remove_leftovers(output)
    for path in [] if overlays is None else overlays.rglob(".*.partial.png"):
        path.unlink(missing_ok=True)


def _open_sink(
    stack: contextlib.ExitStack, output: Path | None, common: Common
) -> tuple[Callable[[dict[str, object]], object], list[dict[str, object]]]:
    """Return where rows go: a table, a list for JSON, or the screen as they come."""
    collected: list[dict[str, object]] = []
    if output is not None:
        from tumorscope.detection.tables import open_table

        return stack.enter_context(open_table(output)), collected
    if common.json:
        return collected.append, collected
    if sys.stdout.isatty():
        print("{:<11}{:>11}  {:>7}  {:<5} {}".format(*ON_SCREEN))
        return _print_line, collected
    import csv

    from tumorscope.detection.tables import COLUMNS, cells

    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(COLUMNS)
    return lambda values: table.writerow(cells(values)), collected


def _print_line(values: dict[str, object]) -> None:
    from tumorscope.detection.find_images import printable

    probability = values["probability"]
    shown = f"{probability:.3f}" if isinstance(probability, float) else "–"
    why = f"  ({values['reasons']})" if values["reasons"] else ""
    print(
        f"{values['decision']:<11}{shown:>11}  {values['ms']:>7.1f}  "
        f"{_yes_no(values['seen']):<5} {printable(str(values['path']))}{why}"
    )


def _shown(rows: Iterator[Row], total: Callable[[], int | None]) -> Iterator[Row]:
    # On one screen, rows and a bar would overwrite each other.
    yield from rows if sys.stdout.isatty() else track(rows, "Detecting", total=total)


def _failure(row: Row) -> str:
    from tumorscope.detection.find_images import printable

    reason = str(row.values["reasons"]).removeprefix("unreadable: ")
    return f"Unreadable: {printable(str(row.values['path']))}: {reason}"


def _summarise(
    detector: Detector,
    tally: Counter[str],
    failures: list[str],
    *,
    resumed: int,
    output: Path | None,
    overlays: Path | None,
) -> None:
    for line in failures:
        say(line)
    if tally["unreadable"] > len(failures):
        say(f"… and {tally['unreadable'] - len(failures)} more that cannot be read.")
    counts = ", ".join(f"{count} {decision}" for decision, count in tally.most_common())
    kept = f", {resumed} of them from the log" if resumed else ""
    images = "1 image" if tally.total() == 1 else f"{tally.total()} images"
    say(f"{images}{kept}: {counts}. Model {detector.model_id}.")
    for path in (output, overlays):
        if path is not None:
            say(f"Wrote {path}")
    say(RESEARCH_USE_ONLY)


def _yes_no(seen: object) -> str:
    return "?" if seen is None else "yes" if seen else "no"

"""The command-line application and what all commands share: errors, exit codes, output."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from cyclopts import App, CycloptsError

from tumorscope import __version__
from tumorscope.cli.options import Common
from tumorscope.common.collector import collect_later
from tumorscope.common.errors import InputError, OutputError, TumorscopeError, UsageError
from tumorscope.common.faults import explain
from tumorscope.common.memory import limit_of_one_command
from tumorscope.common.names import shown
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import one_command, quiet, say
from tumorscope.common.streams import calm_warnings, holds_all_text, prepare_streams

if TYPE_CHECKING:
    from tumorscope.imaging.passed_over import PassedOver
    from tumorscope.statistics.metrics import Metrics

COMMANDS = {
    "demo": "Run the whole job offline on synthetic slices: audit, split, train, evaluate, detect.",
    "download": "Download the paper's public data set (253 images) from Kaggle; needs a network.",
    "audit": "Look for what makes results too good: copies, label conflicts, overlap, shortcuts.",
    "slices": "Cut volumes (DICOM, NIfTI) into slices and a manifest, labelled by lesion masks.",
    "split": "Fill the column `split` of a manifest: training, tuning, testing.",
    "train": "Train a detector on class folders (audited and split by group first) or a manifest.",
    "evaluate": "Measure a run on its testing images, or a run or model on images it has not seen.",
    "crossval": "Cross-validate a recipe by group: models score images that they never saw.",
    "compare": "Compare backbones and methods by one protocol: quality with intervals, and cost.",
    "predict": "Tell tumour from no tumour on brain MRI (pictures, DICOM, NIfTI), or say why not.",
    "dicom-node": "Take series from a PACS by DICOM, look at them, and send reports back.",
    "export": "Convert a model; keep the result only if it still decides as the original.",
    "bench": "Time one image, a folder and a cold start, engine by engine.",
    "tune": "Search for a better recipe, nested in grouped folds: what is reported was not tuned.",
    "robustness": "Measure what noise, blur, contrast, turns and crops do to a model's answers.",
    "describe": "Print what a model file says of itself, or the layers of a recipe's network.",
    "serve": "Serve findings over HTTP, with a page to drop files on; nothing leaves this machine.",
    "phantom": "Write a synthetic cohort that looks like axial brain MRI: DIR/yes and DIR/no.",
}
"""Command → first line of its help, which `tumorscope --help` shows without importing it."""

SOME_FAILED = 4
"""Exit code where something is done and some inputs are not."""
SHOWN_FAILURES = 5


def _application(*, summaries: bool) -> App:
    made = App(
        name="tumorscope",
        help=f"Train, check and run brain-MRI tumour detectors.\n\n{RESEARCH_USE_ONLY}",
        version=__version__,
        help_format="markdown",
        # `run` says what is kept; cyclopts would exit silently.
        suppress_keyboard_interrupt=False,
    )
    for name, summary in COMMANDS.items():
        # Where a summary is given, cyclopts shows it instead of the whole help of the command.
        place = name.replace("-", "_")
        made.command(
            f"tumorscope.cli.{place}:{place}", name=name, help=summary if summaries else None
        )
    return made


app = _application(summaries=False)


def without_nan(value: object) -> object:
    """Return a JSON document with null for numbers that JSON does not have.

    Examples
    --------
    >>> without_nan({"a": [1.0, float("nan")]})
    {'a': [1.0, None]}
    """
    if isinstance(value, dict):
        return {key: without_nan(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def emit(common: Common, document: dict[str, object], table: str) -> None:
    """Print the result: `document` as JSON if ``--json``, else `table`."""
    if common.json:
        ascii_only = not holds_all_text(sys.stdout)
        try:
            text = json.dumps(document, indent=2, ensure_ascii=ascii_only, allow_nan=False)
        except ValueError:
            plain = without_nan(document)
            text = json.dumps(plain, indent=2, ensure_ascii=ascii_only, allow_nan=False)
        print(text)
    else:
        print(shown(table))


class _Measured(Protocol):
    """What evaluations and cross-validations have in common."""

    @property
    def metrics(self) -> Metrics: ...
    @property
    def unreadable(self) -> Sequence[str]: ...
    @property
    def passed_over(self) -> PassedOver: ...


def emit_metrics(common: Common, result: _Measured, *, report: Path) -> int:
    """Print metrics, name the report and what was left out; return the exit code that says so."""
    document = {**result.metrics.to_json(), "passed_over": result.passed_over.to_json()}
    emit(common, document, result.metrics.table())
    say(f"Report: {report}")
    return left_out(result.unreadable, result.passed_over)


def check_there(*paths: str | os.PathLike[str] | None) -> None:
    """Refuse a path where nothing lies, before an extra is asked for that would not help.

    Raises
    ------
    InputError
        If there is no such file or folder.
    """
    for path in paths:
        if path is not None and not os.path.lexists(path):
            raise InputError(
                f"There is no file or folder {os.fspath(path)}. Expected one that exists. Check "
                "how it is written, and from which folder the command is run."
            )


def left_out(unreadable: Sequence[str], passed_over: PassedOver | None = None) -> int:
    """Name files that could not be read or were passed over; return the exit code that says so."""
    scans = passed_over.scans if passed_over is not None else 0
    if scans:
        what = (
            "1 file that looks like a scan was"
            if scans == 1
            else f"{scans} files that look like scans were"
        )
        say(f"{what} left out; see above.")
    if not unreadable:
        return SOME_FAILED if scans else 0
    for path in unreadable[:SHOWN_FAILURES]:
        say(f"cannot read {path}")
    if len(unreadable) > SHOWN_FAILURES:
        say(f"… and {len(unreadable) - SHOWN_FAILURES} more that cannot be read.")
    were = "file was" if len(unreadable) == 1 else "files were"
    say(f"{len(unreadable)} unreadable {were} left out; tumorscope audit says why.")
    return SOME_FAILED


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code of the contract."""
    collect_later()
    prepare_streams()
    calm_warnings()
    # To look for plugins, of which none has a say here, it reads what all packages declare.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    words = list(sys.argv[1:] if arguments is None else arguments)
    code = run(words)
    _failure_of_stdout(end="")  # here in silence, rather than with a traceback when Python ends
    sys.exit(code)


def run(words: Sequence[str]) -> int:
    """Run one command in this process and return its exit code.

    0 done; 1 internal fault; 2 wrong usage; 3 input or output unusable; 4 done, but some inputs
    failed; 5 refused because the result would mislead; 130 interrupted.
    """
    debug = "--debug" in words
    chosen = app if words and words[0] in COMMANDS else _application(summaries=True)
    try:
        if "" in words:
            raise UsageError(
                "Received an empty argument. Expected a path, a name or a number in its place. Is "
                "a variable of the shell empty? An empty path would mean the current folder."
            )
        with quiet("--quiet" in words), one_command(), limit_of_one_command():
            result = chosen(
                list(words), exit_on_error=False, print_error=True, result_action="return_value"
            )
        sys.stdout.flush()  # while its errors can still be told
    except CycloptsError:  # cyclopts has printed what is wrong
        command = f" {words[0]}" if words and words[0] in COMMANDS else ""
        _complain(f"Run tumorscope{command} --help: it shows what can be given.", debug=False)
        return 2
    except TumorscopeError as error:
        _complain(str(error), debug=debug)
        return error.exit_code
    except SystemExit:
        return 0  # rich, which prints help, ends so when the reader of a pipe has enough
    except KeyboardInterrupt:
        _complain(
            "Interrupted. What was finished is kept; where a command has --resume, it goes on.",
            debug=False,
        )
        return 130
    except Exception as error:
        # A flush alone succeeds where nothing is buffered, so a line end tries it out.
        failure = _failure_of_stdout(end="\n") if isinstance(error, OSError) else None
        if isinstance(failure, BrokenPipeError):
            return 0  # there is nobody to tell
        if failure is not None:
            lost = OutputError(
                f"Cannot write the results to standard output: {failure.strerror or failure}. "
                "Expected a terminal, a pipe or a file with free space. Free space and run the "
                "command again; where it has -o, that writes a file whole or not at all."
            )
            _complain(str(lost), debug=debug)
            return lost.exit_code
        told = explain(error, to=f"run tumorscope {words[0]}" if words else "run tumorscope")
        if told is not None:
            _complain(str(told), debug=debug)
            return told.exit_code
        _complain(
            f"Internal fault: {type(error).__name__}: {error}. This is a bug in tumorscope. Run "
            "the command again with --debug and report what it prints.",
            debug=debug,
        )
        return 1
    return result if isinstance(result, int) else 0


def _failure_of_stdout(*, end: str) -> OSError | None:
    """Return why standard output cannot be written to, if so; what waits for it is then dropped."""
    try:
        print(end=end, flush=True)
    except OSError as error:
        # Else Python would try once more at its end, complain of it, and exit with 120.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return error
    return None


def _complain(message: str, *, debug: bool) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody reads it
        if debug:
            traceback.print_exc()
        print(shown(f"tumorscope: {message}"), file=sys.stderr)

"""The command-line application and what all commands share: errors, exit codes, output."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from tumorscope import __version__
from tumorscope.common.errors import TumorscopeError
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import quiet, say

COMMANDS = {
    "demo": "tumorscope.cli.demo:demo",
    "download": "tumorscope.cli.download:download",
    "audit": "tumorscope.cli.audit:audit",
    "split": "tumorscope.cli.split:split",
    "train": "tumorscope.cli.train:train",
    "evaluate": "tumorscope.cli.evaluate:evaluate",
    "crossval": "tumorscope.cli.crossval:crossval",
    "compare": "tumorscope.cli.compare:compare",
    "predict": "tumorscope.cli.predict:predict",
    "export": "tumorscope.cli.export:export",
    "bench": "tumorscope.cli.bench:bench",
    "tune": "tumorscope.cli.tune:tune",
    "robustness": "tumorscope.cli.robustness:robustness",
    "describe": "tumorscope.cli.describe:describe",
    "phantom": "tumorscope.cli.phantom:phantom",
}

SOME_FAILED = 4
"""Exit code where something is done and some inputs are not."""
SHOWN_FAILURES = 5

app = App(
    name="tumorscope",
    help=f"Brain-MRI tumour detection that is honest about itself.\n\n{RESEARCH_USE_ONLY}",
    version=__version__,
    help_format="markdown",
    # `run` says what is kept; cyclopts would exit without a word.
    suppress_keyboard_interrupt=False,
)
for _name, _target in COMMANDS.items():
    app.command(_target, name=_name)


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Common:
    """Options of every command."""

    json: Annotated[bool, Parameter(negative="")] = False
    """Print one JSON document on standard output instead of a table."""

    quiet: Annotated[bool, Parameter(negative="")] = False
    """No progress bars and no words on standard error."""

    debug: Annotated[bool, Parameter(negative="")] = False
    """Show the traceback of an error."""


def emit(common: Common, document: dict[str, object], table: str) -> None:
    """Print the result: `document` as JSON if ``--json``, else `table`."""
    if common.json:
        print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(table)


def left_out(unreadable: Sequence[str]) -> int:
    """Name files that could not be read, and return the exit code that says so."""
    if not unreadable:
        return 0
    for path in unreadable[:SHOWN_FAILURES]:
        say(f"cannot read {path}")
    if len(unreadable) > SHOWN_FAILURES:
        say(f"… and {len(unreadable) - SHOWN_FAILURES} more that cannot be read.")
    say(f"{len(unreadable)} unreadable files were left out; tumorscope audit says why.")
    return SOME_FAILED


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code of the contract."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(words))


def run(words: Sequence[str]) -> int:
    """Run one command in this process and return its exit code.

    0 done; 1 internal fault; 2 wrong usage; 3 input or output unusable; 4 done, but some inputs
    failed; 5 refused for honesty; 130 interrupted.
    """
    debug = "--debug" in words
    try:
        with quiet("--quiet" in words):
            result = app(
                list(words), exit_on_error=False, print_error=True, result_action="return_value"
            )
    except CycloptsError:
        return 2  # cyclopts has printed what is wrong
    except TumorscopeError as error:
        _complain(str(error), debug=debug)
        return error.exit_code
    except KeyboardInterrupt:
        _complain(
            "Interrupted. What was finished is kept; where a command has --resume, it goes on.",
            debug=False,
        )
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # the reader of a pipe went away; there is nobody to tell
        return 0
    except Exception as error:
        _complain(
            f"Internal fault: {type(error).__name__}: {error}. This is a bug in tumorscope. Run "
            "the command again with --debug and report what it prints.",
            debug=debug,
        )
        return 1
    return result if isinstance(result, int) else 0


def _complain(message: str, *, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    print(f"tumorscope: {message}", file=sys.stderr)

"""The protocol of a cross-validation, read from its folder."""

from __future__ import annotations

from pathlib import Path

from tumorscope.common.errors import InputError
from tumorscope.records.older_protocol import parse_older
from tumorscope.records.protocol import (
    Protocol,
    parse_protocol,
)

PROTOCOL, OLDER = Path("folds", "protocol.json"), Path("folds", "protocol.txt")
"""In the folder of a cross-validation; versions before the first wrote the second."""


def read_protocol(folder: Path) -> Protocol:
    """Return what the folds of a cross-validation were made by.

    Raises
    ------
    InputError
        If nothing says so, or it cannot be read.
    """
    for path, parse in ((folder / PROTOCOL, parse_protocol), (folder / OLDER, parse_older)):
        try:
            text = path.read_text("utf-8")
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"Cannot read {path}: {error}. Expected what `tumorscope crossval` wrote. "
                "Cross-validate again into another folder."
            ) from error
        return parse(text, origin=path)
    raise InputError(
        f"{folder} does not say what its scores were made by: there is no {PROTOCOL} in it. "
        "Expected the whole folder that `tumorscope crossval` wrote. Give that, or cross-validate "
        "again into another folder."
    )

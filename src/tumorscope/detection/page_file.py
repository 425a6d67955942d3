"""A page that is written in two goes: its parts as they come, then its head, which counts them."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from tumorscope.common.files import atomic_path


@contextlib.contextmanager
def open_page_file(path: Path) -> Iterator[tuple[Path, TextIO]]:
    """Give where to write a page, and a file in which its parts wait for that.

    The page appears under its name once the block ends well.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(atomic_path(path))
        # Beside the page, where there is room for it; it has no name, so that no kill leaves it.
        parts = tempfile.TemporaryFile(  # noqa: SIM115 -- the stack closes it
            "w+", encoding="utf-8", errors="backslashreplace", dir=path.parent
        )
        yield temporary, stack.enter_context(parts)

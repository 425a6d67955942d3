"""A page that is written in two goes: its parts as they come, then its head, which counts them."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from tumorscope.common.files import atomic_path
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.versions import own_version

if TYPE_CHECKING:
    from jinja2 import Environment


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


def part_of_page(template: str, **records: object) -> str:
    """Return what a template of this room makes of records."""
    return _templates().get_template(template).render(**records)


def write_page(path: Path, template: str, parts: TextIO, **records: object) -> None:
    """Write the whole page, a piece at a time; `parts` are those that waited, as ``parts``."""
    parts.seek(0)
    stream = (
        _templates()
        .get_template(template)
        .generate(notice=RESEARCH_USE_ONLY, version=own_version(), parts=parts, **records)
    )
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n") as page:
        page.writelines(stream)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader

    loader = PackageLoader("tumorscope.detection", "templates")
    return Environment(loader=loader, autoescape=True, auto_reload=False)

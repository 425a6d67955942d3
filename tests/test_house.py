"""The house stays as it was built: short functions, small modules, no room an attic.

Import rules are contracts in `pyproject.toml`, complexity is checked by ruff.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from statistics import median

from tests.conftest import SLOWEST

import tumorscope

PACKAGE = Path(tumorscope.__file__).parent
ROOT = Path(__file__).resolve().parents[1]
SOURCES = {path.relative_to(PACKAGE): path.read_text("utf-8") for path in PACKAGE.rglob("*.py")}
LINES = {path: len(text.splitlines()) for path, text in SOURCES.items()}

LONGEST_FUNCTION = 60
LONGEST_MODULE = 400
USUAL_MODULE = 120
LARGEST_ROOM = 0.13


def test_no_function_is_long() -> None:
    """Docstring included; commands of `cli` may be, whose options are documented one by one."""
    long = [
        f"{path.as_posix()}: {node.name} has {length} lines"
        for path, text in SOURCES.items()
        if path.parts[0] != "cli"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or node.lineno) - node.lineno + 1) > LONGEST_FUNCTION
    ]
    assert long == [], f"split what is longer than {LONGEST_FUNCTION} lines at a name that helps"


def test_modules_are_small() -> None:
    long = {path.as_posix(): count for path, count in LINES.items() if count > LONGEST_MODULE}
    assert long == {}, f"more than {LONGEST_MODULE} lines: find the second concept, and move it"
    assert median(LINES.values()) <= USUAL_MODULE


def test_no_room_is_an_attic() -> None:
    rooms: Counter[str] = Counter()
    for path, count in LINES.items():
        rooms[path.parts[0]] += count
    room, count = rooms.most_common(1)[0]
    assert count <= LARGEST_ROOM * rooms.total(), f"{room} has {count} lines: what else is it for?"


def test_every_package_says_what_it_is_for() -> None:
    silent = [
        path.as_posix()
        for path, text in SOURCES.items()
        if path.name == "__init__.py" and not ast.get_docstring(ast.parse(text))
    ]
    assert silent == []


def test_the_slowest_tests_are_where_the_order_says() -> None:
    assert [name for name in SLOWEST if not (ROOT / name).is_file()] == []

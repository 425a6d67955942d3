"""Every example in the package's docstrings runs and prints what it says.

Each docstring begins in an empty folder of its own: `ts.write_phantom_cohort("scans", …)` makes a
cohort there. No network, no data, no Keras.
"""

from __future__ import annotations

import doctest
import importlib
import importlib.util
import re
import sys
from pathlib import Path

import pytest

import tumorscope

PACKAGE = Path(tumorscope.__file__).parent
EXAMPLE = re.compile(r"^\s*>>> ", re.MULTILINE)
MODULES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for path in PACKAGE.rglob("*.py")
    if EXAMPLE.search(path.read_text("utf-8"))
)
AT_LEAST = 40

needs_everything = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("scipy", "sklearn")),
    reason="needs the train extra",
)


def module_of(name: str) -> str:
    parts = ["tumorscope", *Path(name).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def examples_of(name: str) -> list[doctest.DocTest]:
    module = importlib.import_module(module_of(name))
    return [each for each in doctest.DocTestFinder().find(module) if each.examples]


@needs_everything
@pytest.mark.parametrize("name", MODULES)
def test_they_print_what_they_say(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = examples_of(name)
    assert found, "holds >>> outside of docstrings"
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    for number, each in enumerate(found):
        (tmp_path / str(number)).mkdir()
        monkeypatch.chdir(tmp_path / str(number))
        said: list[str] = []
        runner.run(each, out=said.append)
        assert not said, "".join(said)


@needs_everything
def test_there_are_enough_and_none_is_skipped() -> None:
    found = [each for name in MODULES for each in examples_of(name)]
    assert len(found) >= AT_LEAST, f"{len(found)} docstrings have examples, {AT_LEAST} are wanted"
    skipped = [
        each.name for each in found if any(doctest.SKIP in one.options for one in each.examples)
    ]
    assert skipped == []

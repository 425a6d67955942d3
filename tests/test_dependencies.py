"""The page of licences names what is installed, and nothing under a licence that we do not take."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "reference" / "dependencies.md").read_text("utf-8")
ROWS = [line.strip("|").split("|") for line in PAGE.splitlines() if re.match(r"\| [a-z]", line)]
LICENCES = {row[0].strip(): row[2].strip() for row in ROWS if row[0].strip() != "package"}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_direct_dependency_has_a_row() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"]]
    for name, wanted in extras.items():
        asked += [] if name in ("dev", "notebook", "all") else wanted
    # Of TensorFlow there are two wheels, of which one is installed.
    names = {_plain(re.split(r"[\[<>=; ]", each)[0]) for each in asked} - {"tensorflow"}
    assert names <= set(LICENCES)


def test_every_row_is_of_a_version_that_the_tests_passed_with() -> None:
    pinned = (ROOT / "constraints.txt").read_text("utf-8")
    versions = {_plain(name): at for name, at in re.findall(r"^([^#\s=]+)==(\S+)", pinned, re.M)}
    tools = {"setuptools", "wheel"}
    for row in ROWS[1:]:
        name, version = row[0].strip(), row[1].strip()
        assert name in tools or versions[name] == version, name


def test_no_licence_is_one_that_we_do_not_take() -> None:
    assert len(LICENCES) > 50
    for name, licence in LICENCES.items():
        assert not re.search(r"\bA?GPL|GNU (Affero )?General", licence), name
        assert licence

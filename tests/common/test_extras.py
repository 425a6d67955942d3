"""The command that a hint prints works where the hint is printed."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tumorscope.common import extras
from tumorscope.common.extras import (
    MissingExtraError,
    how_to_install,
    install_command,
    missing_module,
    require,
)


def _installed_from(monkeypatch: pytest.MonkeyPatch, record: dict[str, Any] | None) -> None:
    """Let the package lie outside a clone, as pip says that it was installed."""
    text = None if record is None else json.dumps(record)
    monkeypatch.setattr(extras, "__file__", "/nowhere/lib/tumorscope/common/extras.py")
    monkeypatch.setattr(
        metadata, "distribution", lambda _: SimpleNamespace(read_text=lambda _: text)
    )


def test_in_a_clone_the_command_is_that_of_the_readme(monkeypatch: pytest.MonkeyPatch) -> None:
    root = Path(extras.__file__).resolve().parents[3]
    monkeypatch.chdir(root)
    assert install_command("train").endswith('install -e ".[train]"')
    monkeypatch.chdir(root.parent)
    assert install_command("train", "tune").endswith(f'install -e "{root}[train,tune]"')


def test_elsewhere_it_is_where_pip_took_the_package_from(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    clone = tmp_path / "my clone"
    clone.mkdir()
    (clone / "pyproject.toml").touch()
    for record, source in (
        ({"url": clone.as_uri(), "dir_info": {}}, f'-e "{clone}[train]"'),
        (
            {"url": "https://x.org/t.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            '"tumorscope[train] @ git+https://x.org/t.git@abc"',
        ),
        (
            {"url": "file:///w/tumorscope-1.whl", "archive_info": {}},
            '"tumorscope[train] @ file:///w/tumorscope-1.whl"',
        ),
        ({"url": "file:///gone", "dir_info": {}}, '-e ".[train]"'),
        (None, '-e ".[train]"'),
    ):
        _installed_from(monkeypatch, record)
        assert install_command("train").endswith(source)
        there = "In a clone of tumorscope, run" if '".[' in source else "Run"
        assert how_to_install("train") == f"{there}: {install_command('train')}"
        assert 'install "tumorscope[train]"' not in install_command("train")


def test_an_environment_that_is_not_active_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "prefix", "/some/venv")
    monkeypatch.setenv("VIRTUAL_ENV", "/another")
    assert install_command("train").startswith(f"{sys.executable} -m pip install ")
    monkeypatch.setenv("VIRTUAL_ENV", "/some/venv")
    assert install_command("train").startswith("pip install ")


def test_every_extra_of_the_hints_is_one_of_the_package() -> None:
    assert set(extras.MODULES) <= set(
        metadata.distribution("tumorscope").metadata.get_all("Provides-Extra")
    )


def test_what_is_missing_is_told_from_what_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"To write a table, pyarrow is needed.*\[parquet"):
        require("parquet", to="write a table")
    gone = ModuleNotFoundError("No module named 'pyarrow.lib'", name="pyarrow.lib")
    assert isinstance(missing_module(gone, to="x"), MissingExtraError)
    for other in (
        ModuleNotFoundError("No module named 'nothing'", name="nothing"),
        ModuleNotFoundError("No module named 'json.nothing'", name="json.nothing"),
        ImportError("libGL.so.1: cannot open shared object file", name="cv2"),
    ):
        assert missing_module(other, to="x") is None

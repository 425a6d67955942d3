"""The notebook about the paper: whole, without outputs, and it runs."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "the_paper.ipynb"
FIGURES = ("fig1", "fig2", "fig3", "fig4", "fig5", "fig6", "fig7", "fig7-paper", "fig8", "fig9")


def read(path: Path) -> list[dict[str, Any]]:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    assert isinstance(cells, list)
    return cells


def code_cells(path: Path) -> list[dict[str, Any]]:
    return [cell for cell in read(path) if cell["cell_type"] == "code"]


def test_is_a_valid_notebook_with_ids() -> None:
    nbformat = pytest.importorskip("nbformat")
    document = nbformat.read(NOTEBOOK, as_version=nbformat.NO_CONVERT)
    nbformat.validate(document)
    assert (document.nbformat, document.nbformat_minor) >= (4, 5)
    ids = [cell["id"] for cell in document.cells]
    assert len(set(ids)) == len(ids)
    assert set(FIGURES) <= set(ids)


def test_is_committed_without_outputs() -> None:
    for cell in code_cells(NOTEBOOK):
        assert cell["outputs"] == [], cell["id"]
        assert cell["execution_count"] is None, cell["id"]


def test_every_cell_is_python() -> None:
    for cell in code_cells(NOTEBOOK):
        lines = "".join(cell["source"]).splitlines()
        ast.parse("\n".join(line for line in lines if not line.startswith("%")))


def test_says_that_it_is_for_research_only() -> None:
    from tumorscope.common.notice import RESEARCH_USE_ONLY

    assert RESEARCH_USE_ONLY in "".join(read(NOTEBOOK)[0]["source"])


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Quick, on phantoms, in a folder of the test's own."""
    monkeypatch.delenv("TUMORSCOPE_NOTEBOOK_DATA", raising=False)
    monkeypatch.setenv("TUMORSCOPE_NOTEBOOK_QUICK", "1")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.mark.usefixtures("cheap", "eager", "few_resamples", "few_trees", "unplotted")
def test_runs_on_phantoms_and_draws_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    """Cell by cell in this process, as the one below executes cells in a process of their own."""
    from matplotlib.figure import Figure

    names: dict[str, object] = {}
    values = {cell["id"]: value_of("".join(cell["source"]), names) for cell in code_cells(NOTEBOOK)}
    for name in FIGURES:
        value = values[name]
        assert isinstance(value, Figure), name
        assert value.axes, name
    said = capsys.readouterr().out
    assert "TUMORSCOPE_NOTEBOOK_DATA is not set" in said
    assert "by the grouped split: 0" in said
    assert "interval 0.758 to 0.968" in said
    assert "AUC of the paper's decisions: 0.93" in said


def value_of(source: str, names: dict[str, object]) -> object:
    """Run a cell and return the value of its last line, as a notebook shows it."""
    tree = ast.parse("".join(line for line in source.splitlines(True) if line[0] != "%"))
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        exec(compile(tree, "cell", "exec"), names)
        return None
    exec(compile(ast.Module(tree.body[:-1], []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def test_a_cell_that_fails_ends_with_exit_code_1(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    pytest.importorskip("nbclient")
    broken = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("print('before')"), nbformat.v4.new_code_cell("1 / 0")]
    )
    nbformat.write(broken, tmp_path / "broken.ipynb")
    done = subprocess.run(
        [sys.executable, str(ROOT / "notebooks" / "execute.py"), "broken.ipynb"],
        env=os.environ | {"IPYTHONDIR": str(tmp_path / "ipython")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stderr
    first = code_cells(tmp_path / "broken.executed.ipynb")[0]
    assert "before" in "".join(first["outputs"][0]["text"])

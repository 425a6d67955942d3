"""Every block of Python in the documentation runs, page by page, as a reader would type it.

Each page begins in a folder that holds what pages speak of: `scans/`, `four-classes/`, `scan.jpg`
and `another.jpg`, all of phantoms, and `findings/` as a cluster leaves them. The recipe "demo" is
cut short, figures are not drawn, intervals come from few resamples, and shortcuts are looked for by
few trees.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.fixtures.trained import changed

from tumorscope.recipes.recipe import Recipe
from tumorscope.synthetic.phantom import write_phantom_cohort

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
BLOCKS = {
    page.relative_to(ROOT).as_posix(): blocks
    for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
    if (blocks := BLOCK.findall(page.read_text("utf-8")))
}
load = Recipe.load
TYPES = ("glioma", "meningioma", "pituitary")

pytestmark = pytest.mark.usefixtures("eager", "few_resamples", "few_trees", "unplotted")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "place"
    write_phantom_cohort(folder / "scans", n=48, seed=0)
    tumours = sorted((folder / "scans" / "yes").iterdir())
    for name, file in zip(("scan.jpg", "another.jpg"), tumours, strict=False):
        shutil.copy(file, folder / name)
    for index, file in enumerate(tumours):
        kind = folder / "four-classes" / TYPES[index % 3]
        kind.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, kind)
    shutil.copytree(folder / "scans" / "no", folder / "four-classes" / "notumor")
    (folder / "findings").mkdir()
    (folder / "findings" / "batch.json").write_text('{"tables": ["0.parquet"]}')
    parquet.write_table(pa.table({"path": ["scan.jpg"]}), folder / "findings" / "0.parquet")
    return folder


def test_the_pages_that_show_python_are_found() -> None:
    assert {"README.md", "docs/how-to/use-from-python.md"} <= set(BLOCKS)


def cut_short(name: str | Path) -> Recipe:
    changes: dict[str, dict[str, object]] = {"fine_tuning": {"epochs": 2}}
    return changed(load(name), "demo", changes) if name == "demo" else load(name)


@pytest.mark.parametrize("page", BLOCKS)
def test_blocks_run_one_after_another(
    page: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("keras", reason="needs the train extra")
    monkeypatch.chdir(shutil.copytree(place, tmp_path / "place"))
    monkeypatch.setattr(Recipe, "load", cut_short)
    names: dict[str, object] = {"__name__": page}
    for block in BLOCKS[page]:
        exec(compile(block, page, "exec"), names)

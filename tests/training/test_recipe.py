"""Recipes: what ships loads, what is wrong is named."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from tumorscope.common.errors import InputError
from tumorscope.training.recipe import SHIPPED, Recipe


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_loads_and_survives_being_written(name: str) -> None:
    recipe = Recipe.load(name)
    assert recipe.name == name
    assert Recipe.parse(tomllib.loads(recipe.to_toml())) == recipe


def test_the_paper_recipe_is_the_papers() -> None:
    recipe = Recipe.load("paper")
    assert recipe.data.fractions == (0.7, 0.15, 0.15)
    assert recipe.input.scaling == "unit"
    assert (recipe.frozen.epochs, recipe.frozen.learning_rate) == (20, 1e-4)
    assert recipe.fine_tuning.epochs == 10
    assert (recipe.network.units, recipe.network.dropout) == (128, 0.5)
    assert recipe.optimisation.batch_size == 32


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name = 'x'\nrate = 3", "rate is no key"),
        ("name = 'x'\n[frozen]\nepochs = 'many'", "frozen.epochs"),
        ("name = 'x'\n[frozen]\nepochs = -1", "frozen.epochs"),
        ("name = 'x'\n[frozen]\nlearning_rate = 0.0", "frozen.learning_rate"),
        ("name = 'x'\n[input]\nsize = 4", "input.size"),
        ("name = 'x'\n[input]\nscaling = 'log'", "input.scaling"),
        ("name = 'x'\n[data]\nfractions = [0.7, 0.2, 0.2]", "sum to 1.1"),
        ("name = 'x'\n[data]\nfractions = [0.7, 0.3]", "data.fractions"),
        ("name = 'x'\n[frozen]\nepochs = 0\n[fine_tuning]\nepochs = 0", "nothing would train"),
        ("[frozen]\nepochs = 1", "name is missing"),
        ("name = 'a/b'", "name"),
        ("name = ", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=words) as caught:
        Recipe.load(file)
    assert "mine.toml" in str(caught.value)


def test_a_missing_file_is_told_from_a_bad_one(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.toml.*Expected one of demo, paper"):
        Recipe.load(tmp_path / "nowhere.toml")
    (tmp_path / "image.toml").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(InputError, match="UTF-8"):
        Recipe.load(tmp_path / "image.toml")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_recipe_is_read_as_windows_programs_save_it(tmp_path: Path, encoding: str) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_bytes(Recipe.load("demo").to_toml().replace("\n", "\r\n").encode(encoding))
    assert Recipe.load(mine) == Recipe.load("demo")

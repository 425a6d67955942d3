"""What a search may change: ranges that fit the recipe, or one clear refusal."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("optuna", reason="needs the tune extra")


from tumorscope.common.errors import InputError
from tumorscope.experiments.search.space import Range, changed, load_space
from tumorscope.recipes.recipe import Recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"frozen.speed" = {low = 1.0, high = 2.0}', "not a key of a recipe"),
        ('"network.dropout" = {low = 0.5, high = 0.2}', "low below high"),
        ('"network.dropout" = {low = 0.5, high = 3.0}', "network.dropout"),
        ('"network.dropout" = {low = 0.0, high = 0.5, log = true}', "above 0"),
        ('"frozen.epochs" = {low = 1.5, high = 3}', "whole numbers"),
        ('"network.head" = {choices = []}', "something in it"),
        ('"network.dropout" = {low = 0.1, high = inf}', "finite"),
        ('"seed" = {low = 1, high = 9}', "all trials share"),
        ("dropout = [", "Cannot read"),
        ("", "empty"),
    ],
)
def test_a_wrong_space_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "space.toml").write_text(text)
    with pytest.raises(InputError, match=message):
        load_space(tmp_path / "space.toml", Recipe.load("paper"))


def test_the_default_space_fits_the_recipes_that_ship() -> None:
    for name in ("paper", "recommended"):
        assert "network.dropout" in load_space(None, Recipe.load(name))
    assert changed(Recipe.load("paper"), {"network.dropout": 0.1}).network.dropout == 0.1
    assert Range(choices=[1, 2]).choices == [1, 2]

"""Recipes: what ships loads, what is wrong is named."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import tumorscope
from tumorscope.assessment.report_inputs import notes_on
from tumorscope.common.errors import InputError
from tumorscope.common.toml_text import toml_text
from tumorscope.recipes.recipe import SHIPPED, Recipe


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
        ("name = 'x'\nrate = 3", "rate is not a key"),
        ("name = 'x'\n[frozen]\nepochs = 'many'", "frozen.epochs"),
        ("name = 'x'\n[frozen]\nepochs = -1", "frozen.epochs"),
        ("name = 'x'\n[frozen]\nlearning_rate = 0.0", "frozen.learning_rate"),
        ("name = 'x'\n[input]\nsize = 4", "input.size"),
        ("name = 'x'\n[input]\nscaling = 'log'", "input.scaling"),
        ("name = 'x'\n[network]\ntemperature = 0.001", "network.temperature"),
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


def test_changed_values_pass_the_rules_of_a_file() -> None:
    recipe = Recipe.load("paper")
    assert recipe.changed({"seed": 7, "network.dropout": 0.1}).network.dropout == 0.1
    for values, words in (
        ({"seed": -1}, "seed"),
        ({"seed": 3_000_000_000}, "seed"),
        ({"task": "tumor"}, "task"),
        ({"data.fractions": (0.5, 0.5, 0.5)}, "sum to 1.5"),
        ({"frozen.epochs": 0, "fine_tuning.epochs": 0}, "nothing would train"),
        ({"network.drop": 0.1}, "network.drop, which is not a key"),
        ({"seed.x": 1}, "seed.x, which is not a key"),
    ):
        with pytest.raises(InputError, match=words):
            recipe.changed(values)


def test_a_recipe_that_was_copied_past_the_rules_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    wrong = Recipe.load("demo").model_copy(update={"seed": 3_000_000_000})
    with pytest.raises(InputError, match="seed"):
        Recipe.of(wrong)
    for run in (tumorscope.train, tumorscope.crossval, tumorscope.crossval_types):
        with pytest.raises(InputError, match="seed"):
            run(tmp_path, recipe=wrong, weights="none", output=tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_drawing_by_source_and_weighing_classes_do_not_both_correct_by_default() -> None:
    drawn = Recipe.parse({"name": "x", "sampling": {"by": "source"}})
    assert drawn.optimisation.class_weights == "none"
    assert Recipe.parse(drawn.model_dump()) == drawn
    assert Recipe.parse({"name": "x"}).optimisation.class_weights == "balanced"
    both = {
        "name": "x",
        "sampling": {"by": "source"},
        "optimisation": {"class_weights": "balanced"},
    }
    asked = Recipe.parse(both)
    assert asked.corrects_twice
    assert any("twice" in note for note in notes_on(asked))
    for name in SHIPPED:
        assert not Recipe.load(name).corrects_twice
        assert not any("twice" in note for note in notes_on(Recipe.load(name)))


@pytest.mark.parametrize("name", SHIPPED)
def test_the_recipe_that_a_report_prints_can_be_followed(name: str) -> None:
    weights = {"sampling.weights": {"site A": 2.0, "b\r\x7f": 0.5}}
    recipe = Recipe.load(name).changed(weights)
    assert Recipe.from_toml(toml_text(recipe.model_dump())) == recipe
    assert Recipe.from_toml(recipe.to_toml()) == recipe


def test_a_recipe_of_former_versions_is_known_by_its_text() -> None:
    paper = Recipe.load("paper")
    former = paper.to_former_toml()
    assert "channels" not in former
    assert "quantised" not in former
    assert Recipe.from_toml(former) == paper
    dense = paper.changed({"network.head": "dense", "network.channels": 32})
    assert Recipe.from_toml(dense.to_former_toml()) == dense
    assert "channels = 32" in dense.to_former_toml()


def test_whether_a_recipe_is_the_papers_is_not_told_from_its_name() -> None:
    paper = Recipe.load("paper")
    assert paper.changed({"name": "mine", "seed": 3, "frozen.epochs": 5}).follows(paper)
    assert not paper.changed({"network.head": "pooled"}).follows(paper)
    assert not paper.changed({"input.fit": "pad"}).follows(paper)
    assert not paper.for_task("tumour-type").follows(paper)

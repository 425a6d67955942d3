"""TOML that Python reads back."""

from __future__ import annotations

import tomllib

from tumorscope.common.toml_text import toml_text


def test_recipes_read_like_toml() -> None:
    recipe = {"name": "paper", "data": {"fractions": (0.7, 0.15, 0.15), "flip": True, "rate": 1e-7}}
    read = tomllib.loads(toml_text(recipe))
    assert read == {
        "name": "paper",
        "data": {"fractions": [0.7, 0.15, 0.15], "flip": True, "rate": 1e-7},
    }


def test_tables_in_tables_and_odd_names_are_read_back() -> None:
    recipe: dict[str, object] = {
        "none": None,
        "sampling": {"by": "source", "weights": {"site A": 2.0, 'b"\x7f': 0.5, "c.d": 1.0}},
        "description": "two\nlines\t\x00",
    }
    read = tomllib.loads(toml_text(recipe))
    del recipe["none"]
    assert read == recipe

"""Names in a list, nouns after numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tumorscope.common.words import counted, some_of


@pytest.mark.parametrize(
    ("names", "total", "shown"),
    [
        ([], None, ""),
        (["a", "b", "c"], None, "a, b, c"),
        (["a", "b", "c", "d"], None, "a, b, c …"),
        (["a", "b"], 7, "a, b …"),
        ([Path("x") / "a\nb.png"], None, "x/a\\nb.png"),
    ],
)
def test_of_many_names_a_few_are_told(
    names: list[str | Path], total: int | None, shown: str
) -> None:
    assert some_of(names, total=total) == shown


def test_a_noun_follows_its_number() -> None:
    assert counted(1, "picture is", "pictures are") == "1 picture is"
    assert counted(0, "picture is", "pictures are") == "0 pictures are"
    assert counted(2, "group") == "2 groups"

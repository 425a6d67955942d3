"""Sources whose names hold spaces, commas and quotes can be left out by name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.common.errors import UsageError
from tumorscope.experiments.sources import refusal, sources_named, sources_text

pytestmark = pytest.mark.usefixtures("few_resamples", "unplotted")

KNOWN = ("north", "St. Mary, ward 3", 'the "old" one', "East wing")


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("north", ["north"]),
        ("north, East wing", ["north", "East wing"]),
        ("St. Mary, ward 3", ["St. Mary, ward 3"]),
        ('"St. Mary, ward 3",north', ["St. Mary, ward 3", "north"]),
        ('north, "St. Mary, ward 3" ', ["north", "St. Mary, ward 3"]),
        ('the "old" one', ['the "old" one']),
    ],
)
def test_names_are_read_as_people_write_them(words: str, names: list[str]) -> None:
    assert sources_named(words, KNOWN) == names
    assert refusal(names, KNOWN) is None


@given(st.lists(st.text(min_size=1).filter(lambda text: text.strip()), min_size=1, unique=True))
def test_what_is_written_is_read_again(names: list[str]) -> None:
    assert sources_named(sources_text(names), names) == names


def test_what_is_not_there_is_named_with_the_way_to_write_it() -> None:
    refused = refusal(["St. Mary", "ward 3"], KNOWN)
    assert refused is not None
    assert """--hold-out '"St. Mary, ward 3"'""" in str(refused)
    assert "not in the cohort" in str(refused)
    assert "twice" in str(refusal(["north", "north"], KNOWN))
    with pytest.raises(UsageError, match="double quotes"):
        sources_named('"St. Mary, ward 3', KNOWN)

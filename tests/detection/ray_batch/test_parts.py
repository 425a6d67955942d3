"""Parts: the same list is cut alike, and a change stays in its part."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tumorscope.detection.ray_batch.listing import Entry
from tumorscope.detection.ray_batch.parts import LONGEST, parts_of

NAMES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=200, unique=True)


def entries(names: list[str]) -> list[Entry]:
    return [Entry(name, 1, "") for name in names]


@given(names=NAMES, usual=st.integers(1, 16))
def test_no_file_is_lost_doubled_or_moved(names: list[str], usual: int) -> None:
    parts = list(parts_of(entries(names), "m", usual=usual))
    assert [entry.path for part in parts for entry in part.entries] == names
    assert all(0 < len(part.entries) <= LONGEST * usual for part in parts)
    assert len({part.key for part in parts}) == len(parts)


@given(names=NAMES, data=st.data())
def test_a_changed_file_changes_its_part_alone(names: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(names) - 1))
    before = entries(names)
    after = [*before[:place], Entry(names[place], 2, ""), *before[place + 1 :]]
    keys = {part.key for part in parts_of(before, "m", usual=8)}
    assert len({part.key for part in parts_of(after, "m", usual=8)} - keys) == 1


def test_another_model_changes_every_part() -> None:
    files = entries([str(number) for number in range(100)])
    one, other = ({part.key for part in parts_of(files, which, usual=8)} for which in "ab")
    assert not one & other

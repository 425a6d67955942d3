"""One answer that is refused keeps no other waiting; where nobody is there, all of them wait."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tumorscope.serving.delivering import Delivering
from tumorscope.serving.sender import DeliveryError
from tumorscope.serving.spool import Identity, Spool


class Receiving:
    """Who gets results, and the time."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.away = False
        self.got: list[str] = []
        self.now = 0.0

    def __call__(self, files: Sequence[Path]) -> None:
        names = [path.name for path in files]
        if self.away:
            raise DeliveryError("ARCHIVE cannot be reached", for_all=True)
        if self.refused & set(names):
            raise DeliveryError("ARCHIVE refused an object with status C000")
        self.got += names


@pytest.fixture
def receiving() -> Receiving:
    return Receiving()


@pytest.fixture
def delivering(tmp_path: Path, receiving: Receiving) -> Delivering:
    spool = Spool(tmp_path, most_bytes=10**9)
    for series in ("a", "b"):
        spool.keep(spool.write([b"x"]), Identity("study", series, "1"))
        [key] = spool.complete(0)
        made = spool.workplace()
        (made / f"{series}.dcm").write_bytes(b"result")
        (made / "answer.json").touch()
        spool.answer(spool.snapshot(key), made)
    return Delivering(spool, receiving, clock=lambda: receiving.now)


def test_a_refused_one_waits_longer_each_time_and_the_others_go(
    delivering: Delivering, receiving: Receiving
) -> None:
    receiving.refused = {"a.dcm"}
    first, second = delivering.due()
    with pytest.raises(DeliveryError, match="C000"):
        delivering.attempt(first)
    assert delivering.due() == [second]
    assert delivering.attempt(second) == 1
    assert receiving.got == ["b.dcm"]
    for wait, failures in ((1.0, 2), (2.0, 3)):
        receiving.now += wait
        assert delivering.due() == [first]
        with pytest.raises(DeliveryError):
            delivering.attempt(first)
        assert delivering.due() == []
        assert delivering.failures_in_a_row == failures
    assert "C000" in delivering.last_failure
    receiving.now, receiving.refused = 100.0, set()
    assert delivering.attempt(first) == 1
    assert (delivering.due(), delivering.failures_in_a_row) == ([], 0)


def test_all_wait_where_nobody_is_there(delivering: Delivering, receiving: Receiving) -> None:
    receiving.away = True
    first, second = delivering.due()
    with pytest.raises(DeliveryError):
        delivering.attempt(first)
    assert delivering.due() == []
    receiving.now, receiving.away = 1.0, False
    assert delivering.due() == [first, second]

"""The spool is the state: whatever is killed when, it goes on from the files."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tumorscope.common.errors import InputError
from tumorscope.serving.spool import Identity, Spool, SpoolFullError, tell_complete

PLENTY = 10**9


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def spool_in(root: Path, clock: Clock | None = None, *, most: int = PLENTY) -> Spool:
    return Spool(root, most_bytes=most, clock=clock or Clock())


def give(spool: Spool, instance: str, *, series: str = "1", content: bytes = b"") -> str:
    path = spool.write([b"head", content or instance.encode()])
    return spool.keep(path, Identity("study", series, instance))


def answer(spool: Spool, key: str) -> Path:
    snapshot = spool.snapshot(key)
    made = spool.workplace()
    (made / "SR.dcm").write_bytes(b"result")
    return spool.answer(snapshot, made)


def test_a_series_is_complete_after_a_quiet_time_and_answered_once(tmp_path: Path) -> None:
    clock = Clock()
    spool = spool_in(tmp_path, clock)
    give(spool, "a")
    clock.now = 5
    give(spool, "b")
    clock.now = 14
    assert spool.complete(10) == []
    clock.now = 15
    [key] = spool.complete(10)
    assert len(spool.snapshot(key).paths) == 2
    made = answer(spool, key)
    assert spool.complete(10) == []
    assert spool.undelivered() == [made]
    spool.delivered(made)
    assert spool.undelivered() == []


def test_a_late_instance_opens_it_again_and_a_copy_does_not(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    assert give(spool, "a") == "new"
    first = answer(spool, spool.complete(0)[0])
    assert give(spool, "a") == "same"
    assert give(spool, "a", content=b"other") == "other"
    assert spool.complete(0) == []
    assert give(spool, "b") == "new"
    second = answer(spool, spool.complete(0)[0])
    assert spool.undelivered() == [first, second]
    assert spool.complete(0) == []


def test_an_instance_that_comes_while_it_is_answered_is_not_forgotten(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    give(spool, "a")
    [key] = spool.complete(0)
    snapshot, made = spool.snapshot(key), spool.workplace()
    give(spool, "b")
    spool.answer(snapshot, made)
    assert spool.complete(0) == [key]


def test_another_process_goes_on_where_one_was_killed(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    for series in "123":
        give(spool, "a", series=series)
    done, _, sent = spool.complete(0)
    answer(spool, done)
    spool.delivered(answer(spool, sent))
    spool.write([b"half"])
    spool.workplace()
    used = spool.used
    other = spool_in(tmp_path)
    assert other.open_series == 1
    assert len(other.undelivered()) == 1
    assert not list((tmp_path / "incoming").iterdir())
    assert not list((tmp_path / "working").iterdir())
    assert other.used == used - len(b"half")
    assert len(other.complete(0)) == 1


def test_a_full_spool_refuses_and_recovers(tmp_path: Path) -> None:
    spool = spool_in(tmp_path, most=30)
    give(spool, "a", content=b"0" * 20)
    with pytest.raises(SpoolFullError, match="24 bytes"):
        give(spool, "b", content=b"0" * 20)
    spool.delivered(answer(spool, spool.complete(0)[0]))
    assert spool.purge(0) == 1
    assert spool.used == 0
    assert give(spool, "b", content=b"0" * 20) == "new"


@pytest.mark.parametrize(
    ("number", "error", "words"),
    [
        (errno.ENOSPC, SpoolFullError, "the disk is full"),
        (errno.EDQUOT, SpoolFullError, "the disk is full"),
        (errno.EIO, OSError, "broken"),
    ],
)
def test_a_full_disk_is_told_from_a_broken_one_and_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    error: type[Exception],
    words: str,
) -> None:
    spool = spool_in(tmp_path)

    def fails(*_: object) -> None:
        raise OSError(number, "broken")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fails)
        with pytest.raises(error, match=words):
            give(spool, "a")
    path = spool.write([b"there is room again"])
    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", fails)
        with pytest.raises(error, match=words):
            spool.keep(path, Identity("study", "1", "a"))
    spool.drop(path)
    assert spool.used == 0
    assert spool.complete(0) == []


def test_some_room_is_left_for_results(tmp_path: Path) -> None:
    spool = Spool(tmp_path, most_bytes=PLENTY, spare_bytes=2**62)
    with pytest.raises(SpoolFullError, match="nearly full"):
        spool.write([b"a"])
    assert spool.used == 0


def test_what_is_kept_for_a_while_goes_later_and_what_is_open_stays(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    give(spool, "a")
    give(spool, "a", series="2")
    first, second = (answer(spool, key) for key in spool.complete(0))
    spool.delivered(first)
    assert spool.purge(3600) == 0
    os.utime(first / "delivered", (0, time.time() + 9999999))  # by a clock that ran ahead
    assert spool.purge(3600) == 0
    assert (first / "delivered").stat().st_mtime <= time.time()
    os.utime(first / "delivered", (0, time.time() - 3601))
    assert spool.purge(3600) == 1
    assert list((tmp_path / "answers").iterdir()) == [second]
    assert len(list((tmp_path / "series").iterdir())) == 1


def test_a_study_can_be_told_complete(tmp_path: Path) -> None:
    spool = spool_in(tmp_path)
    give(spool, "a")
    give(spool, "a", series="2")
    assert spool.complete(10) == []
    tell_complete(tmp_path, "study")
    tell_complete(tmp_path, "another")
    spool.obey()
    assert len(spool.complete(10)) == 2
    with pytest.raises(InputError, match="which is none"):
        tell_complete(tmp_path / "series", "study")


def test_names_of_files_tell_no_identifiers_and_folders_are_private(tmp_path: Path) -> None:
    spool = spool_in(tmp_path / "spool")
    give(spool, "1.2.840.99", series="1.2.840.98")
    names = " ".join(str(path) for path in (tmp_path / "spool").rglob("*"))
    assert "1.2.840" not in names
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0


STEPS = st.lists(
    st.sampled_from(["a1", "b1", "c1", "a2", "b2", "answer", "deliver", "kill"]), max_size=25
)


@given(steps=STEPS)
@settings(max_examples=40)
def test_whatever_happens_in_whatever_order_each_set_of_instances_has_one_answer(
    steps: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("spool")
    spool, given_ = spool_in(root), set[str]()
    for step in [*steps, "kill", "answer"]:
        if step == "kill":
            spool = spool_in(root)
        elif step == "answer":
            for key in spool.complete(0):
                answer(spool, key)
        elif step == "deliver":
            for made in spool.undelivered():
                spool.delivered(made)
        else:
            assert (give(spool, step[0], series=step[1]) == "new") == (step not in given_)
            given_.add(step)
    assert spool.complete(0) == []
    for series in {step[1] for step in given_}:
        key = Identity("study", series, "").key
        snapshot = spool.snapshot(key)
        assert len(snapshot.paths) == sum(step[1] == series for step in given_)
        assert (root / "answers" / snapshot.name).is_dir()

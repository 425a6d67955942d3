"""The queues: bounded, in turns, and alive whatever happens to one request."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.serving.http.conftest import Client  # noqa: F401 -- skips without the extra

from tumorscope.serving.http.job import Job
from tumorscope.serving.http.lanes import Lane


def job(name: str) -> Job:
    return Job(Path(name), (), 0, 60.0)


def test_a_thread_outlives_faults_of_work_and_of_finishing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def work(jobs: Sequence[Job]) -> Sequence[Job]:
        if jobs[0].id == "one":
            raise ZeroDivisionError("SECRET")
        jobs[0].state = "done"
        return jobs[:1]

    def finish(ended: Job) -> None:
        if ended.id == "two":
            raise KeyError("SECRET")

    lane = Lane("test", work, finish, most=9)
    lane.start()
    for name in ("one", "two", "three"):
        each = job(name)
        assert lane.add(each)
        each.ended.result(timeout=20)
        assert (each.problem is None) == (name == "three")
    assert lane.alive
    lane.stop()
    assert not lane.alive
    said = capsys.readouterr().err
    assert "ZeroDivisionError" in said
    assert "KeyError" in said
    assert "SECRET" not in said


def test_who_is_turned_away_is_told_to_come_later_the_more_there_are() -> None:
    waits = threading.Event()

    def work(jobs: Sequence[Job]) -> Sequence[Job]:
        waits.wait(20)
        for each in jobs:
            each.state = "done"
        return jobs

    lane = Lane("test", work, lambda _: None, most=2)
    assert [lane.add(job(name)) for name in "abc"] == [True, True, False]
    lane._seconds = 0.1  # as if it had worked before
    told = [lane.turn_away() for _ in range(200)]
    assert told[0] == 1
    assert told == sorted(told)
    assert 10 <= told[-1] <= 60
    lane.start()
    waits.set()
    lane.stop()
    assert lane.waiting == 0
    assert not lane.add(job("late"))

"""How a node is doing can be asked, by people and by Prometheus."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from tumorscope.common.errors import InputError
from tumorscope.serving.node_status import METRICS, STATUS, NodeStatus, read_status
from tumorscope.serving.tally import MEANING, Counted, Tally

WELL = NodeStatus(
    state="running",
    beat=1000.0,
    started=0.0,
    title="NODE",
    host="127.0.0.1",
    port=11112,
    model="packaged",
    open_series=2,
    undelivered=1,
    spool_bytes=1_500_000,
    failures_in_a_row=0,
    last_failure="",
    counts=Tally().counts(),
)


def test_it_is_written_and_read_again(tmp_path: Path) -> None:
    WELL.write(tmp_path)
    assert read_status(tmp_path) == WELL
    assert "NODE listens on 127.0.0.1:11112." in WELL.words(1001)
    assert "1 answer waits" in WELL.words(1001)
    assert "0 accepted, 0 rejected." in WELL.words(1001)
    called = replace(WELL, counts={**WELL.counts, "rejected": 2})
    assert "2 rejected (a title that is not allowed" in called.words(1001)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"state": "stopped"}, "was stopped"),
        ({"beat": 900.0}, "does not run: it last said something 101 s ago"),
        ({"beat": 2001.0}, "is dated 1000 s from now, so the clock was set back"),
        ({"failures_in_a_row": 3, "last_failure": "A refused"}, "cannot be delivered: A refused"),
    ],
)
def test_trouble_is_said_first(change: dict[str, object], words: str) -> None:
    status = replace(WELL, **change)
    assert WELL.trouble(1001) == ""
    assert words in status.trouble(1001)
    assert status.words(1001).startswith(status.trouble(1001))


def test_every_number_is_explained_to_prometheus(tmp_path: Path) -> None:
    WELL.write(tmp_path)
    lines = (tmp_path / METRICS).read_text().splitlines()
    values = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"tumorscope_node_[a-z_]+ \d+", line) for line in values)
    assert len(lines) == 3 * len(values)
    assert set(get_args(Counted)) == set(MEANING)
    assert len(values) == len(MEANING) + 5


@pytest.mark.parametrize("content", [None, "", "{}", json.dumps({"state": "running"})])
def test_what_is_no_status_is_told(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / STATUS).write_text(content)
    with pytest.raises(InputError, match="expected"):
        read_status(tmp_path)

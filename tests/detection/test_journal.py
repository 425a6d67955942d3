"""The log of a batch survives torn lines, other models and full disks."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.common.errors import InputError, OutputError, UsageError
from tumorscope.detection.journal import ResultLog

WHO = {"model": "tiny@0", "operating_point": "balanced"}


def digest(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def append_many(log: ResultLog, count: int) -> None:
    for number in range(count):
        log.append({"sha256": digest(number), "number": number})


def filled(path: Path, count: int) -> None:
    with ResultLog(path, identity=WHO, resume=False) as log:
        append_many(log, count)


def test_what_was_appended_is_found_again(tmp_path: Path) -> None:
    filled(tmp_path / "log", 50)
    with ResultLog(tmp_path / "log", identity=WHO, resume=True) as log:
        assert len(log) == 50
        assert log.get(digest(17)) == {"sha256": digest(17), "number": 17}
        assert log.get(digest(50)) is None
        log.append({"sha256": digest(50), "number": 50})
    with ResultLog(tmp_path / "log", identity=WHO, resume=True) as log:
        assert len(log) == 51


@given(st.integers(0, 2000))
def test_cut_anywhere_it_keeps_every_whole_line(
    tmp_path_factory: pytest.TempPathFactory, length: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.log"
    path.unlink(missing_ok=True)
    filled(path, 12)
    data = path.read_bytes()[:length]
    path.write_bytes(data)
    whole = max(0, data.count(b"\n") - 1)  # the first line says what the log is of
    with ResultLog(path, identity=WHO, resume=True) as log:
        assert len(log) == whole
        log.append({"sha256": digest(99), "number": 99})
    lines = path.read_bytes().splitlines()
    assert len(lines) == whole + 2
    assert [json.loads(line).get("number") for line in lines[1:]] == [*range(whole), 99]


def test_it_is_not_overwritten_unasked(tmp_path: Path) -> None:
    filled(tmp_path / "log", 1)
    with pytest.raises(UsageError, match="Add --resume"):
        ResultLog(tmp_path / "log", identity=WHO, resume=False)


def test_another_models_results_are_refused(tmp_path: Path) -> None:
    filled(tmp_path / "log", 3)
    with pytest.raises(InputError, match=r"model: tiny@0 then, other@1 now"):
        ResultLog(tmp_path / "log", identity={**WHO, "model": "other@1"}, resume=True)
    with ResultLog(tmp_path / "log", identity=WHO, resume=True) as log:
        assert len(log) == 3


def test_the_log_of_another_version_is_refused_and_kept(tmp_path: Path) -> None:
    old = json.dumps({"log": 1, **WHO}) + "\n"
    (tmp_path / "log").write_text(old)
    with pytest.raises(InputError, match="another version of tumorscope"):
        ResultLog(tmp_path / "log", identity=WHO, resume=True)
    assert (tmp_path / "log").read_text() == old


@pytest.mark.parametrize("content", [b"hello\n", b"[]\n", b'{"log": 1}\n{"a": 1}\n', b"\xff\n"])
def test_what_is_no_log_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "log").write_bytes(content)
    with pytest.raises((InputError, UsageError)):
        ResultLog(tmp_path / "log", identity=WHO, resume=True)
    assert (tmp_path / "log").read_bytes() == content


def test_a_full_disk_is_an_output_error_and_keeps_what_was_written(
    tmp_path: Path, limit_file_size: Callable[[int], None]
) -> None:
    with ResultLog(tmp_path / "log", identity=WHO, resume=False) as log:
        limit_file_size(1000)
        with pytest.raises(OutputError, match="Cannot write"):
            append_many(log, 50)
    limit_file_size(-1)
    written = (tmp_path / "log").read_bytes()
    assert len(written) == 1000
    with ResultLog(tmp_path / "log", identity=WHO, resume=True) as log:
        assert len(log) == written.count(b"\n") - 1 > 5


@pytest.fixture
def limit_file_size() -> Iterator[Callable[[int], None]]:
    """Limit how long files of this process may grow: writes then end as on a full disk."""
    resource = pytest.importorskip("resource", reason="needs limits of POSIX")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda size: resource.setrlimit(
        resource.RLIMIT_FSIZE, (before[0] if size < 0 else size, before[1])
    )
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="Cannot write"):
        ResultLog(tmp_path / "file" / "log", identity=WHO, resume=False)

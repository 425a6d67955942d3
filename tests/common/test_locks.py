"""One process writes at a time; a killed one is in nobody's way."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tumorscope.common.errors import InputError, OutputError
from tumorscope.common.files import output_folder
from tumorscope.common.locks import BusyError, one_writer, writing

HOLD = """
import sys
from tumorscope.common.locks import writing
with writing(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


class Holder:
    """Another process that writes to a place until it is told to end, or killed."""

    def __init__(self, place: Path, cwd: Path | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(place)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=cwd,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"held\n"

    def end(self) -> None:
        self.process.communicate(timeout=20)

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=20)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    (tmp_path / "run").mkdir()
    process = Holder(tmp_path / "run")
    yield process
    process.kill()


def test_the_second_is_told_who_and_since_when(tmp_path: Path, holder: Holder) -> None:
    said = rf"Another process \(pid {holder.process.pid}, since \d\d:\d\d\) is writing to"
    for _ in range(2):  # having asked once does not lose who it is
        with pytest.raises(BusyError, match=said) as caught, writing(tmp_path / "run"):
            pass
    assert caught.value.exit_code == 3
    holder.end()
    with writing(tmp_path / "run"):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_one_place_by_other_names_is_one_place(
    tmp_path: Path, holder: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to("run")
    monkeypatch.chdir(tmp_path)
    for name in ("run", "./run/", "run/../run", "link"):
        with pytest.raises(BusyError), writing(name):
            pass
    with writing("another"):
        pass


def test_a_killed_process_blocks_nobody(tmp_path: Path, holder: Holder) -> None:
    holder.kill()
    assert (tmp_path / ".run.lock").exists()
    with writing(tmp_path / "run"):
        assert json.loads((tmp_path / ".run.lock").read_text())["pid"] == os.getpid()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_that_must_be_empty_stays_so(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    with writing(tmp_path / "new"):
        assert list((tmp_path / "new").iterdir()) == []


def test_blocks_may_be_nested_but_threads_exclude_each_other(tmp_path: Path) -> None:
    said: list[str] = []

    def other() -> None:
        try:
            with writing(tmp_path / "a"):
                pass
        except BusyError as error:
            said.append(str(error))

    with writing(tmp_path / "a"), writing(tmp_path / "a"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert re.match(r"Another thread of this process \(pid \d+, since", said[0])
    with writing(tmp_path / "a"):
        pass


def test_what_fails_leaves_no_folders_that_it_made(tmp_path: Path) -> None:
    @one_writer
    def fail(*, output: Path, keep: bool) -> None:
        output.mkdir()
        if keep:
            (output / "finished").touch()
        raise InputError("wrong")

    place = tmp_path / "a" / "b" / "c"
    with pytest.raises(InputError):
        fail(output=place, keep=False)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError):
        fail(output=place, keep=True)
    assert [path.name for path in place.iterdir()] == ["finished"]


def test_a_place_below_a_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="Cannot write"), writing(tmp_path / "file" / "run"):
        pass


@pytest.fixture
def no_lock_beside(tmp_path: Path) -> Path:
    """A folder in which the lock of `run` cannot be made, whoever asks (root may do much)."""
    (tmp_path / "odd" / "run").mkdir(parents=True)
    (tmp_path / "odd" / ".run.lock").mkdir()
    return tmp_path / "odd" / "run"


def test_where_no_lock_can_lie_beside_it_one_elsewhere_keeps_others_out(
    no_lock_beside: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    other = Holder(no_lock_beside)
    with pytest.raises(BusyError), writing(no_lock_beside):
        pass
    other.end()
    capsys.readouterr()
    with writing(no_lock_beside):
        pass
    assert "No lock can be made at" in capsys.readouterr().err
    assert list((tmp_path / "temporary").iterdir()) == []


def test_with_no_lock_at_all_it_is_said_and_done(
    no_lock_beside: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(no_lock_beside / "gone"))
    with writing(no_lock_beside):
        pass
    assert capsys.readouterr().err.count("No lock can be made") == 2


def test_a_file_of_that_name_that_is_no_lock_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / ".run.lock").write_text("mine")
    with writing(tmp_path / "run"):
        pass
    assert (tmp_path / ".run.lock").read_text() == "mine"


def test_functions_with_an_output_are_alone_in_it(tmp_path: Path, holder: Holder) -> None:
    @one_writer
    def work(data: int, *, output: Path | None = None) -> int:
        return data

    @one_writer
    def choose(*, output: Path | None = None) -> None:
        output_folder(output or tmp_path / "run")

    with pytest.raises(BusyError):
        choose()
    choose(output=tmp_path / "other")
    with pytest.raises(BusyError):
        work(1, output=tmp_path / "run")
    assert work(1) == work(1, output=tmp_path / "other") == 1


def test_of_many_processes_at_once_one_works_at_a_time(tmp_path: Path) -> None:
    script = """
import sys, time
from pathlib import Path
from tumorscope.common.locks import BusyError, writing
place, mark = Path(sys.argv[1]), Path(sys.argv[1]).with_name("mark")
until, done = time.monotonic() + 30, 0
while done < 20 and time.monotonic() < until:
    try:
        with writing(place):
            with mark.open("x"):  # fails where another is inside
                pass
            mark.unlink()
            done += 1
    except BusyError:
        pass
print(done)
"""
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path / "run")], stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    assert [each.communicate(timeout=60)[0] for each in processes] == [b"20\n"] * 3
    assert list(tmp_path.iterdir()) == []


def test_where_the_file_system_knows_no_locks_no_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> bool:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("filelock.lock_descriptor", unknown)
    with writing(tmp_path / "run"):
        pass
    assert not list(tmp_path.iterdir())

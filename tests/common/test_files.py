"""Files are written whole or not at all, and a full or forbidden disk is told in words."""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tumorscope.common.errors import OutputError
from tumorscope.common.files import (
    atomic_folder,
    atomic_path,
    output_folder,
    remove_leftovers,
    sha256_of,
    write_json,
    write_text,
)


def test_the_new_file_replaces_the_old_one_whole(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "down" / "note.txt"
    write_text(file, "old")
    write_text(file, "näw\r\n")
    assert file.read_bytes() == "näw\r\n".encode()
    assert list(file.parent.iterdir()) == [file]


def test_a_block_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    write_text(file, "old")

    def fail_halfway() -> None:
        with atomic_path(file) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_the_temporary_name_keeps_the_suffix(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "model.keras") as temporary:
        assert temporary.suffix == ".keras"
        assert temporary.parent == tmp_path


def test_a_full_disk_is_told_and_keeps_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "note.txt"
    write_text(file, "old")
    with pytest.raises(OutputError, match="No space left") as caught, atomic_path(file):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "free space" in str(caught.value)
    assert file.read_text() == "old"


def test_a_file_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for attempt in (
        lambda: output_folder(tmp_path / "file"),
        lambda: output_folder(tmp_path / "file" / "below"),
        lambda: write_text(tmp_path / "file" / "note.txt", "x"),
    ):
        with pytest.raises(OutputError, match="Cannot write"):
            attempt()


def test_json_refuses_what_is_not_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_the_hash_is_that_of_the_bytes(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc" * 100_000)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(b"abc" * 100_000).hexdigest()


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit on the size of files")
def test_only_regular_files_have_a_hash(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")  # reading it would wait for ever
    for path in (tmp_path / "pipe.png", Path("/dev/zero"), tmp_path):
        with pytest.raises(OSError, match="not a regular file"):
            sha256_of(path)


def test_leftovers_of_other_files_stay(tmp_path: Path) -> None:
    names = [
        ".a[1]-0a_b2c3d.partial.csv",
        ".a[1]-b-0a_b2c3d.partial.csv",
        ".a1-0a_b2c3d.partial.csv",
    ]
    for name in (*names, ".a[1]-0a_b2c3d.partial.jsonl", "a[1].csv"):
        (tmp_path / name).touch()
    with atomic_path(tmp_path / "a[1].csv") as temporary:
        temporary.touch()
        remove_leftovers(tmp_path / "a[1].csv")
        assert not temporary.exists()  # the pattern fits what atomic_path makes
        temporary.touch()
    assert not (tmp_path / names[0]).exists()
    assert all((tmp_path / name).exists() for name in (*names[1:], ".a[1]-0a_b2c3d.partial.jsonl"))
    remove_leftovers(tmp_path / "gone" / "a.csv")


def test_a_write_that_the_system_refuses_keeps_the_old_file(tmp_path: Path) -> None:
    """A real refusal in the middle of a write, as on a full disk; it also works for root."""
    file = tmp_path / "note.txt"
    write_text(file, "old")
    program = f"""
import resource, signal
from pathlib import Path
from tumorscope.common.errors import OutputError
from tumorscope.common.files import write_text
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_text(Path({str(file)!r}), "new" * 10_000)
except OutputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.startswith(f"Cannot write {file}: File too large")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder closed even to root")
def test_a_folder_that_cannot_be_written_to_is_told() -> None:
    with pytest.raises(OutputError, match="Cannot write /proc/self"):
        output_folder(Path("/proc/self/results"))
    with pytest.raises(OutputError, match="Cannot write /proc/self"):
        output_folder(Path("/proc/self"))
    with pytest.raises(OutputError, match="Cannot write /proc/self"):
        write_text(Path("/proc/self/results.json"), "x")


def test_a_folder_appears_whole(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "deep" / "results") as temporary:
        (temporary / "a").write_text("1")
        assert not (tmp_path / "deep" / "results").exists()
    assert (tmp_path / "deep" / "results" / "a").read_text() == "1"
    assert [file.name for file in (tmp_path / "deep").iterdir()] == ["results"]


def test_a_folder_takes_the_place_of_an_empty_one_only(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    with atomic_folder(tmp_path / "results") as temporary:
        (temporary / "a").write_text("1")
    with pytest.raises(OutputError, match="Cannot write"), atomic_folder(tmp_path / "results"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["results"]
    assert (tmp_path / "results" / "a").read_text() == "1"


def test_a_folder_whose_making_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail_halfway() -> None:
        with atomic_folder(tmp_path / "results") as temporary:
            (temporary / "a").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail_halfway()
    assert list(tmp_path.iterdir()) == []

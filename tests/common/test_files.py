"""Files are written whole or not at all, and a full or forbidden disk is told in words."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest

from tumorscope.common.errors import OutputError
from tumorscope.common.files import atomic_path, output_folder, sha256_of, write_json, write_text


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

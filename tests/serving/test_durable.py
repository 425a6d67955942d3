"""What is written is whole, or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from tumorscope.serving.durable import sync_folder, write_durably


def test_parts_become_one_file(tmp_path: Path) -> None:
    assert write_durably(tmp_path / "a", [b"ab", memoryview(b"cd")]) == 4
    assert (tmp_path / "a").read_bytes() == b"abcd"
    sync_folder(tmp_path)


def test_nothing_is_left_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_durably(tmp_path / "a", [b"ab"])
    assert not list(tmp_path.iterdir())

"""Words of libraries in C++ do not reach users, and are not lost where something fails."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tumorscope.common.streams import calm_warnings, holds_all_text, quiet_libraries


def test_what_libraries_write_to_the_descriptor_is_dropped(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with quiet_libraries():
        os.write(2, b"I0000 oneDNN custom operations are on\n")
    with quiet_libraries(b"INFO:"):
        os.write(2, b"INFO: a delegate\nERROR: a fault\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "ERROR: a fault\nafter\n"


def test_it_is_shown_where_the_block_fails(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        os.write(2, b"INFO: why\n")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), quiet_libraries(b"INFO:"):
        fail()
    assert capfd.readouterr().err == "INFO: why\n"


def test_threads_that_divert_at_once_leave_standard_error_as_it_was(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def work(_: int) -> None:
        with quiet_libraries():
            time.sleep(0.001)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(40)))
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_without_standard_error_there_is_nothing_to_divert(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with quiet_libraries():
        pass


def test_warnings_are_calm_afterwards() -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calm_warnings()
        warnings.warn("of a library", DeprecationWarning, stacklevel=1)
        warnings.warn("of a library", FutureWarning, stacklevel=1)
        warnings.warn_explicit("of metadata", UserWarning, "TiffImagePlugin.py", 1, "PIL.Tiff")


def test_encodings_are_told_apart() -> None:
    import io

    for encoding, whole in (("utf-8", True), ("utf-16", True), ("cp1252", False), ("ascii", False)):
        assert holds_all_text(io.TextIOWrapper(io.BytesIO(), encoding=encoding)) is whole

"""gdcm in a process of its own, because damaged pixels make it end the process that it runs in.

It is asked for those kinds of JPEG that nothing else under a permissive licence decodes. This file
is both sides: run as a program it is the process, which reads names of files from its standard
input and writes their pixels; it imports nothing of ours, so that it starts fast.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import struct
import subprocess
import sys
import threading

PATIENCE = 120.0
"""Seconds after which a file counts as damaged."""

_LENGTH = struct.Struct("<q")
_REFUSED = -1


class GdcmError(Exception):
    """gdcm did not decode a file: it said so, ended, or took too long."""


class GdcmProcess:
    """A process that decodes one file after the other; a new one is started where it has ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def decode(self, path: str) -> bytes:
        """Return the decoded pixels of a file, all frames one behind the other.

        Raises
        ------
        GdcmError
            If it cannot be decoded.
        """
        with self._lock:
            process = self._running()
            timer = threading.Timer(PATIENCE, process.kill)
            timer.start()
            try:
                return _answer(process, os.fsencode(path))
            except GdcmError:
                raise
            except (OSError, EOFError) as error:
                self.close()
                raise GdcmError("gdcm ended or took too long") from error
            except BaseException:  # an answer that nobody read would be taken for the next one's
                self.close()
                raise
            finally:
                timer.cancel()

    def close(self) -> None:
        """End the process, if there is one."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with contextlib.suppress(OSError):
                        stream.close()
            process.wait()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        return self._process


def _answer(process: subprocess.Popen[bytes], name: bytes) -> bytes:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(_LENGTH.pack(len(name)) + name)
    process.stdin.flush()
    head = process.stdout.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise EOFError
    (length,) = _LENGTH.unpack(head)
    data = process.stdout.read(max(0, length))
    if len(data) < length:
        raise EOFError
    if length == _REFUSED:
        raise GdcmError("gdcm does not decode it")
    return data


GDCM = GdcmProcess()
"""The one process of this program."""

atexit.register(GDCM.close)


def _serve() -> None:
    # What gdcm prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    while len(head := sys.stdin.buffer.read(_LENGTH.size)) == _LENGTH.size:
        name = sys.stdin.buffer.read(_LENGTH.unpack(head)[0])
        data = _pixels(os.fsdecode(name))
        answers.write(_LENGTH.pack(_REFUSED if data is None else len(data)))
        answers.write(data or b"")
        answers.flush()


def _pixels(path: str) -> bytes | None:
    import gdcm

    try:
        reader = gdcm.ImageReader()
        reader.SetFileName(path)
        buffer: str | None = reader.GetImage().GetBuffer() if reader.Read() else None
    except Exception:  # also a file name that is no text
        return None
    # The binding hands bytes over as text.
    return None if buffer is None else buffer.encode("utf-8", errors="surrogateescape")


if __name__ == "__main__":
    _serve()

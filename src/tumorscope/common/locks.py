"""One process at a time writes to a place; the kernel lets go of it when that process dies."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import ParamSpec, TypeVar

from tumorscope.common.errors import OutputError
from tumorscope.common.progress import say

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 20
"""Times to try again where another process removes its lock while this one takes it."""

_running: ContextVar[contextlib.ExitStack | None] = ContextVar("tumorscope_running", default=None)
_held: ContextVar[frozenset[Path]] = ContextVar("tumorscope_held", default=frozenset())


class BusyError(OutputError):
    """Another process is writing to the same place (exit code 3)."""


@contextlib.contextmanager
def writing(place: str | Path) -> Iterator[None]:
    """Keep other processes from writing to a file or folder inside the block.

    The lock is a hidden file beside the place, so that a folder which must be empty stays so, and
    is removed at the end. One that a killed process leaves is free: it is the kernel that holds
    it. Blocks for one place may be nested. Where no lock can lie beside it, as the folder is
    read-only or knows no locks, one in the folder for temporary files keeps out the processes of
    this machine, and words say so.

    Parameters
    ----------
    place : str or Path
        What will be written. Folders above it are created if need be, and removed again where
        the block fails and nothing lies in them.

    Raises
    ------
    BusyError
        If another process, or another thread of this one, is writing there.
    OutputError
        If the folder that it lies in cannot be created.
    """
    target = Path(place).resolve()
    if target in _held.get():
        yield
        return
    made = [each for each in (target, *target.parents) if not each.exists()]
    try:
        with contextlib.ExitStack() as stack:
            _take(stack, target)
            token = _held.set(_held.get() | {target})
            stack.callback(_held.reset, token)
            yield
    except BaseException:
        _remove_empty(made)
        raise


def one_writer(function: Callable[P, R]) -> Callable[P, R]:
    """Let only one process at a time write to the `output` of a function, where one is given.

    Folders that the function prepares by `tumorscope.common.files.output_folder` are its own too,
    until it ends.
    """

    @functools.wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with contextlib.ExitStack() as stack:
            stack.callback(_running.reset, _running.set(stack))
            output = kwargs.get("output")
            if output is not None:
                stack.enter_context(writing(str(output)))
            return function(*args, **kwargs)

    return alone


def until_done(place: Path) -> None:
    """Keep others from a place until the innermost function that is `one_writer` ends."""
    stack = _running.get()
    if stack is not None:
        stack.enter_context(writing(place))


def _take(stack: contextlib.ExitStack, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Cannot write {target}: {error.strerror or error}. Expected a folder that can be "
            "written to. Choose another with -o."
        ) from error
    beside = target.with_name(f".{target.name}.lock")
    name = hashlib.sha256(os.fsencode(target)).hexdigest()[:16]
    for lock in (beside, Path(tempfile.gettempdir()) / f"tumorscope-{name}.lock"):
        try:
            _lock(stack, lock, target)
        except OSError as error:
            others = "processes on other machines" if lock == beside else "other processes"
            say(
                f"No lock can be made at {lock} ({error.strerror or error}). Nothing keeps "
                f"{others} from writing to {target} at the same time."
            )
        else:
            return


def _lock(stack: contextlib.ExitStack, path: Path, target: Path) -> None:
    from filelock import lock_descriptor

    for _ in range(ATTEMPTS):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        with contextlib.ExitStack() as opened:
            opened.callback(os.close, descriptor)
            holder = _holder(path)
            try:
                free = lock_descriptor(descriptor, blocking=False)
            except OSError:  # the file system knows no locks, so nobody can hold this one
                if os.fstat(descriptor).st_size == 0:
                    _remove(path)
                raise
            if not free:
                raise _busy(target, holder)
            # Else its last owner removed it meanwhile: a lock on it would exclude nobody.
            if _is(path, descriptor):
                if os.name == "nt":
                    stack.callback(_remove, path)
                stack.push(opened.pop_all())
                break
    else:
        raise _busy(target, None)
    if holder is not None or os.fstat(descriptor).st_size == 0:  # else it is a file of the user's
        os.ftruncate(descriptor, os.write(descriptor, _about_this()))
        stack.callback(_remove, path)


def _about_this() -> bytes:
    now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    about = json.dumps({"pid": os.getpid(), "host": platform.node(), "since": now})
    return b" " + about.encode()  # Windows locks the first byte, and lets nobody else read it


def _holder(path: Path) -> dict[str, str] | None:
    """Return what a process wrote of itself, None where nothing of that kind stands there."""
    try:
        with path.open("rb") as stream:
            stream.seek(1)
            about = json.loads(stream.read(4096))
        return {name: str(about[name]) for name in ("pid", "host", "since")}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _busy(target: Path, holder: dict[str, str] | None) -> BusyError:
    who = "Another process"
    if holder is not None:
        there = "" if holder["host"] == platform.node() else f" on {holder['host']}"
        who += f" (pid {holder['pid']}{there}, since {_clock(holder['since'])})"
        if not there and holder["pid"] == str(os.getpid()):
            who = who.replace("Another process", "Another thread of this process")
    return BusyError(
        f"{who} is writing to {target}. Expected one at a time, as they would destroy each other's "
        "results; nothing was changed. Wait until it has ended, or choose another place with -o."
    )


def _clock(since: str) -> str:
    day, _, clock = since.partition("T")
    return clock[:5] if day == time.strftime("%Y-%m-%d") else f"{day} {clock[:5]}"


def _is(path: Path, descriptor: int) -> bool:
    """Whether a path still names the file that a descriptor is of."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove(path: Path) -> None:
    with contextlib.suppress(OSError):  # Windows removes it with the lock
        path.unlink()


def _remove_empty(made: list[Path]) -> None:
    for folder in made:
        try:
            folder.rmdir()
        except OSError:  # something lies in it, or it never came to be, or it is a file
            if folder.exists():
                return

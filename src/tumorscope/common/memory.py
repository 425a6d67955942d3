"""How much memory the images and volumes in flight may take together, whatever reads them."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

from tumorscope.common.errors import UsageError

MIB = 1024 * 1024
DEFAULT = 1024 * MIB
LEAST = 64 * MIB

_SMALL = 64
"""A file of less than this part of the budget is read before it is counted."""


class TooLargeError(ValueError):
    """An image needs more than the budget; the message says how much of how much."""


class Budget:
    """Bytes that images may take at a time; who would exceed it waits for the others.

    Threads share it. One thread works at one image: what it takes for the next one replaces what it
    took before, so nobody waits while others wait for what he holds.

    A volume is held for longer, by somebody who may read images meanwhile. It waits for nobody, and
    beside it images wait for each other only: one of them may always go on.

    Parameters
    ----------
    limit : int
        In bytes.

    Examples
    --------
    >>> budget = Budget(100 * MIB)
    >>> with budget.one_image():
    ...     budget.take(30 * MIB)
    ...     budget.taken // MIB
    30
    >>> budget.taken
    0
    """

    def __init__(self, limit: int = DEFAULT) -> None:
        self.limit = limit
        self._reset()

    def _reset(self) -> None:
        self.taken = 0
        self.volumes = 0
        self._change = threading.Condition()
        self._of_thread = threading.local()

    @contextlib.contextmanager
    def one_image(self) -> Iterator[None]:
        """Give back at the end of the block what was taken in it; blocks may lie in each other."""
        if getattr(self._of_thread, "inside", False):
            yield
            return
        self._of_thread.inside = True
        try:
            yield
        finally:
            self._of_thread.inside = False
            self._give_back()

    @contextlib.contextmanager
    def one_volume(self, size: int) -> Iterator[None]:
        """Count a volume of so many bytes for as long as the block lasts.

        Raises
        ------
        TooLargeError
            If it is more than there are in all.
        """
        self._check(size)
        with self._change:
            self.volumes += size
        try:
            yield
        finally:
            with self._change:
                self.volumes -= size
                self._change.notify_all()

    def take(self, size: int) -> None:
        """Wait until so many bytes are free, and take them; outside `one_image`, only look.

        Raises
        ------
        TooLargeError
            If it is more than there are in all.
        """
        self._check(size)
        self._give_back()
        if not getattr(self._of_thread, "inside", False):
            return
        with self._change:
            while self.taken and self.taken + self.volumes + size > self.limit:
                self._change.wait()
            self.taken += size
        self._of_thread.held = size

    def take_file(self, size: int) -> None:
        """Take what a file and its picture may need, before it is read: all of it for a large one.

        So nobody holds a large file while he waits for room for its picture.
        """
        if size > self.limit // _SMALL:
            self.take(self.limit)

    def need(self, size: int) -> None:
        """Take so many bytes, unless `take_file` took enough."""
        if size > getattr(self._of_thread, "held", 0):
            self.take(size)

    def _check(self, size: int) -> None:
        if size > self.limit:
            raise TooLargeError(
                f"{size // MIB:,} MiB of memory while it is read, of which images may take "
                f"{self.limit // MIB:,} MiB"
            )

    def _give_back(self) -> None:
        held = getattr(self._of_thread, "held", 0)
        if held:
            with self._change:
                self.taken -= held
                self._change.notify_all()
            self._of_thread.held = 0


IMAGES = Budget()
"""What all images and volumes of this process take together."""

# Another thread may have held the lock when the process was copied, and holds nothing in the copy.
if hasattr(os, "register_at_fork"):  # not on Windows, which does not copy processes
    os.register_at_fork(after_in_child=IMAGES._reset)


def limit_image_memory(mebibytes: int) -> None:
    """Set how much memory the images that are read at the same time may take together.

    Parameters
    ----------
    mebibytes : int
        At least 64; 1024 without this. An image or volume that needs more is refused as unreadable.
        The network, and what is not an image, come on top.

    Raises
    ------
    UsageError
        If it is less.

    Examples
    --------
    >>> limit_image_memory(2048)
    >>> IMAGES.limit
    2147483648
    >>> limit_image_memory(1024)
    """
    if mebibytes < LEAST // MIB:
        raise UsageError(
            f"Received {mebibytes} MiB for images; expected at least {LEAST // MIB}. 1024 is usual."
        )
    IMAGES.limit = mebibytes * MIB


@contextlib.contextmanager
def limit_of_one_command() -> Iterator[None]:
    """Undo at the end of the block what `limit_image_memory` set in it."""
    before = IMAGES.limit
    try:
        yield
    finally:
        IMAGES.limit = before

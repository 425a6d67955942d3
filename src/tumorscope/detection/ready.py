"""What of an image goes on to the engine, or why none of it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import UnreadableImageError


@dataclass(frozen=True, slots=True)
class Ready:
    """An image that was read and checked, ready for the engine unless `reasons` refuse it.

    `unreadable` says why it could not be read, where that is so, and `final` whether it never will.
    """

    source: str
    reasons: tuple[str, ...]
    seen: bool | None
    pixels: NDArray[np.uint8] | None
    unreadable: str = ""
    final: bool = True

    @classmethod
    def failed(cls, source: str, error: UnreadableImageError | MemoryError) -> Ready:
        """Return what is ready of an image that could not be read."""
        said = getattr(error, "why", "the memory does not suffice to look at it")
        # Reasons are joined by semicolons in one line of a table.
        why = " ".join(said.replace(";", ",").split())
        final = getattr(error, "final", False)
        return cls(source, (f"unreadable: {why}",), None, None, why, final)

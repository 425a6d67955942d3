"""What of an image goes on to the engine, or why none of it does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Ready:
    """An image that was read and checked, ready for the engine unless `reasons` refuse it.

    `unreadable` says why it could not be read, where that is so.
    """

    source: str
    reasons: tuple[str, ...]
    seen: bool | None
    pixels: NDArray[np.uint8] | None
    unreadable: str = ""

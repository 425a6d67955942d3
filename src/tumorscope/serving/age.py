"""For how long something has been kept, also where the clock was set back meanwhile."""

from __future__ import annotations

import os
from pathlib import Path


def age_of(mark: Path, now: float) -> float:
    """Return how many seconds ago a file was written; one from the future counts from now on.

    A clock that ran ahead and was put right would otherwise keep what was promised to go within
    hours for as long as it had been ahead, which may be years.

    Parameters
    ----------
    mark : Path
        Written when the time began.
    now : float
        Seconds since 1970.

    Raises
    ------
    OSError
        If there is no such file.
    """
    written = mark.stat().st_mtime
    if written > now:
        os.utime(mark, (now, now))
        return 0.0
    return now - written

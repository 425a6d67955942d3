"""How many processor cores this process may use, which every thread pool asks; and work on all.

A container is often given two cores of a machine of sixty-four by a quota on its time. Python and
most libraries see the sixty-four, start as many threads, and wait for each other.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import TypeVar

from tumorscope.common.progress import track

T = TypeVar("T")
R = TypeVar("R")

VARIABLE = "PYTHON_CPU_COUNT"
"""Python's own variable for the number of cores, since 3.13; read here on every version."""


def cores() -> int:
    """Return how many processor cores this process may use, at least 1.

    That is what the environment variable ``PYTHON_CPU_COUNT`` says. Without, it is the number of
    cores that the process is bound to (`os.process_cpu_count`, or its affinity), or less where
    control groups, as containers and batch systems set them, allow it less time; parts of a core
    count as one.
    """
    told = os.environ.get(VARIABLE, "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    bound = _bound()
    allowed = quota()
    return bound if allowed is None else max(1, min(bound, math.ceil(allowed)))


def in_threads(work: Callable[[T], R], items: Sequence[T], label: str | None = None) -> list[R]:
    """Apply `work` to every item, on all cores; Pillow, OpenCV and numpy release the lock.

    With a `label`, progress is shown.
    """
    with ThreadPoolExecutor(cores()) as pool:
        results = pool.map(work, items)
        return list(track(results, label, total=len(items)) if label else results)


def quota(root: str | Path = "/") -> float | None:
    """Return how many cores' worth of time control groups allow this process; None for no limit.

    Groups are nested, and the tightest of them holds. Versions 1 and 2 are read, also side by side.

    Parameters
    ----------
    root : path
        Where ``proc/`` and what is mounted lie; another than ``/`` is for tests.
    """
    limits = []
    # What is not there, not to be read, or written in a way unknown here sets no limit.
    with contextlib.suppress(OSError, ValueError, IndexError):
        for folder in _folders(Path(root)):
            with contextlib.suppress(OSError, ValueError, IndexError, ZeroDivisionError):
                limits.append(_limit(folder))
    return min((limit for limit in limits if limit is not None), default=None)


def _bound() -> int:
    count = getattr(os, "process_cpu_count", None)
    if count is not None:
        return count() or 1
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def _folders(root: Path) -> Iterator[Path]:
    """Yield the control groups that hold this process, each with all those around it."""
    groups: dict[str, PurePosixPath] = {}
    for line in (root / "proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            groups["cgroup2"] = PurePosixPath(path)
        elif "cpu" in controllers.split(","):
            groups["cgroup"] = PurePosixPath(path)
    for line in (root / "proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        above, place = (PurePosixPath(_plain(each)) for each in before.split()[3:5])
        kind, options = after.split()[0], after.split()[-1].split(",")
        if kind not in groups or (kind == "cgroup" and "cpu" not in options):
            continue
        top = root / place.relative_to("/")
        group = groups[kind]
        # In a container the path may be that on the host, of which nothing is mounted.
        inside = group.relative_to(above) if group.is_relative_to(above) else PurePosixPath()
        yield from (top / each for each in (inside, *inside.parents))


def _plain(text: str) -> str:
    return text.replace("\\040", " ")


def _limit(folder: Path) -> float | None:
    if (folder / "cpu.max").is_file():  # version 2: "quota period" or "max period"
        allowed, period = (folder / "cpu.max").read_text().split()
        return None if allowed == "max" else int(allowed) / int(period)
    if (folder / "cpu.cfs_quota_us").is_file():  # version 1: -1 is no limit
        share = int((folder / "cpu.cfs_quota_us").read_text())
        return None if share <= 0 else share / int((folder / "cpu.cfs_period_us").read_text())
    return None

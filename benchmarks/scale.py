"""Simulate batches of 100 million images on a cluster, with delays that are drawn.

    python benchmarks/scale.py

Nothing is detected: each part of the list takes the time of its slowest resource, fetching or
computing, and workers go at a rate. The rule is that of `tumorscope.detection.ray_batch`: parts are
handed out in order, a part that is lost begins anew, and the driver reads each table once.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tumorscope.common.csv_files import write_csv

RESULTS = Path(__file__).parent / "results" / "scale.csv"
HOUR = 3600.0


@dataclass(frozen=True)
class Plan:
    """What is assumed; times in seconds, each for one file unless said otherwise.

    Attributes
    ----------
    compute : float
        Of one core: measured by ray_batch.py.
    fetch : float
        Median until an object store has answered; log-normal, with a tail ten times as long.
    fetches : int
        At the same time in a worker.
    listing : float
        Of one driver: 1,000 names a request.
    drivers : int
        Batches beside each other, each of a prefix of its own, that share the workers.
    table : float
        To write the table of a part.
    lost : float
        Workers that go, per worker and hour, such as machines that are lent until somebody pays.
    """

    name: str
    files: int = 100_000_000
    part: int = 256
    workers: int = 256
    compute: float = 0.012
    fetch: float = 0.030
    fetches: int = 8
    listing: float = 1 / 8000
    drivers: int = 1
    table: float = 0.15
    lost: float = 0.0


def simulate(plan: Plan, *, seed: int = 0) -> dict[str, object]:
    """Return what a batch takes: hours, core hours for a million images, work done twice."""
    rng = np.random.default_rng(seed)
    parts = plan.files // plan.part
    fetched = rng.lognormal(np.log(plan.fetch), 0.7, (4096, plan.part)).sum(1) / plan.fetches
    free = [0.0] * plan.workers
    wasted = 0.0
    driver = 0.0
    for number in range(parts):
        driver += plan.listing * plan.part / plan.drivers
        begin = max(heapq.heappop(free), driver)
        takes = max(fetched[number % 4096], plan.compute * plan.part) + plan.table
        while rng.random() < plan.lost * takes / HOUR:
            gone = takes * rng.random()
            wasted += gone
            begin += gone + 30.0  # until another worker has begun
        heapq.heappush(free, begin + takes)
    hours = float(max(free)) / HOUR
    return {
        "plan": plan.name,
        "files": plan.files,
        "part": plan.part,
        "workers": plan.workers,
        "drivers": plan.drivers,
        "hours": round(hours, 2),
        "core_hours_per_million": round(hours * plan.workers / (plan.files / 1e6), 2),
        "busy": round(plan.files * plan.compute / HOUR / hours / plan.workers, 3),
        "done_twice": round(wasted / (plan.files * plan.compute), 5),
        "tables": parts,
    }


def main() -> None:
    usual = Plan("usual")
    plans = [
        usual,
        replace(usual, name="one fetch at a time", fetches=1),
        replace(usual, name="machines that go, one an hour of ten", lost=0.1),
        replace(usual, name="the same, large parts", lost=0.1, part=4096),
        replace(usual, name="four times the workers", workers=1024),
        replace(usual, name="the same, eight prefixes", workers=1024, drivers=8),
        replace(usual, name="a million files", files=1_000_000),
    ]
    rows = [simulate(plan) for plan in plans]
    for row in rows:
        print(row)
    write_csv(RESULTS, list(rows[0]), rows)
    print(f"Wrote {RESULTS}")


if __name__ == "__main__":
    main()

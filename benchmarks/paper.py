"""Measure the paper's recipe as the paper did, and by group.

    python benchmarks/paper.py --data data/navoneel_253 -o runs/paper [--weights imagenet|FILE]

(a) random 70/15/15 split, copies of one picture on both sides, 5 seeds;
(b) 5 folds by group, 3 repeats.
Writes benchmarks/results/paper.csv; runs and reports stay in the output folder. Finished parts are
kept, so it can be started again.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import tumorscope as ts
from tumorscope.common.csv_files import write_csv
from tumorscope.statistics.metrics import Metrics

RESULTS = Path(__file__).parent / "results" / "paper.csv"
METRICS = ("accuracy", "auc", "log_loss", "sensitivity", "specificity", "brier", "ece")
SEEDS = range(5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    weights = arguments.weights
    if Path(weights).is_dir():
        weights = next(Path(weights).rglob("mobilenet_v2*no_top.h5"))

    paper = ts.Recipe.load("paper")
    grouped = ts.crossval(
        arguments.data,
        recipe=paper,
        folds=5,
        repeats=3,
        weights=weights,
        output=arguments.output / "grouped",
        resume=True,
    )
    records = [record("grouped, 5 folds x 3 repeats", grouped.metrics)]
    for seed in SEEDS:
        run = ts.train(
            arguments.data,
            recipe=paper.changed({"seed": seed}),
            weights=weights,
            output=arguments.output / f"random-{seed}",
            split_by="random",
            resume=True,
        )
        # The paper scores with its network alone, so its like is our raw score at 0.5.
        metrics = ts.evaluate(run).metrics
        records.append(record(f"random split, seed {seed}", metrics.raw or metrics))

    write_csv(RESULTS, list(records[0]), records)
    for name in METRICS:
        seeds = [float(each[name]) for each in records[1:]]
        one = records[0]
        print(
            f"{name:<12} random {statistics.mean(seeds):.3f} "
            f"({min(seeds):.3f}–{max(seeds):.3f} over {len(seeds)} seeds)   grouped "
            f"{one[name]:.3f} ({one[name + '_low']:.3f}–{one[name + '_high']:.3f})"
        )


def record(protocol: str, metrics: Metrics) -> dict[str, Any]:
    document: Any = metrics.to_json()
    row: dict[str, Any] = {"protocol": protocol, "n": document["n"]}
    for name in METRICS:
        interval = document["metrics"][name]
        row |= {
            name: round(interval["value"], 4),
            f"{name}_low": round(interval["low"], 4),
            f"{name}_high": round(interval["high"], 4),
        }
    return row


if __name__ == "__main__":
    main()

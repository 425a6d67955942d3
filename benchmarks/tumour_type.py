"""Tell four classes apart, with copies kept together and with copies on both sides.

    python benchmarks/tumour_type.py --data FOLDER --weights imagenet|PATH -o OUT

FOLDER holds class folders (glioma, meningioma, pituitary, notumor), or a manifest.csv with the
columns path, label, group, source and tumour_type, of which the source `--source` is taken. Both
cross-validations are resumable. Writes benchmarks/results/tumour_type.csv: one line per split and
value, with a 95 % interval from resampling groups.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from tumorscope.auditing.audit import audit
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import NO_TYPE, Row
from tumorscope.common.csv_files import read_csv, write_csv
from tumorscope.common.files import sha256_of
from tumorscope.experiments.crossval import crossval_types
from tumorscope.recipes.recipe import Recipe
from tumorscope.statistics import Interval
from tumorscope.statistics.estimate import Estimate

RESULTS = Path(__file__).parent / "results" / "tumour_type.csv"
COLUMNS = ("split", "class", "images", "groups", "metric", "value", "low", "high")


def read_cohort(data: Path, source: str) -> Manifest | Path:
    """Return the rows of one source, or the folder itself."""
    listed = data / "manifest.csv"
    if not listed.is_file():
        return data
    rows = [
        Row(
            path=record["path"],
            sha256=sha256_of(data / record["path"]),
            label=int(record["label"]),
            group=record["group"],
            source=source,
            tumour_type=record["tumour_type"].replace(NO_TYPE, ""),
        )
        for record in read_csv(listed)
        if record["source"] == source
    ]
    return Manifest(tuple(rows), data)


def line(
    split: str, name: str, n: int, groups: int, metric: str, found: Estimate
) -> dict[str, object]:
    """Return one line of the results."""
    low, high = (found.low, found.high) if isinstance(found, Interval) else (None, None)
    return {
        "split": split,
        "class": name,
        "images": n,
        "groups": groups,
        "metric": metric,
        "value": "" if found.value is None else f"{found.value:.3f}",
        "low": "" if low is None else f"{low:.3f}",
        "high": "" if high is None else f"{high:.3f}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--source", default="pool")
    parser.add_argument("--weights", default="imagenet")
    parser.add_argument("--recipe", default="recommended")
    parser.add_argument("--images-per-epoch", type=int, default=400)
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = Recipe.load(arguments.recipe)
    # An epoch of thousands of images would take hours, for a network that soon knows them all.
    recipe = recipe.changed({"sampling.images_per_epoch": arguments.images_per_epoch})
    cohort = read_cohort(arguments.data, arguments.source)
    found = audit(cohort, probes=False, input_check=False)
    print(f"{len(found.tumour_type_conflicts)} pictures carry several tumour types")
    lines = []
    for split in ("group", "random"):
        result = crossval_types(
            found.manifest,
            recipe=recipe,
            weights=arguments.weights,
            folds=arguments.folds,
            output=arguments.output / split,
            split_by=split,
            resume=True,
        )
        metrics = result.metrics
        print(metrics.table())
        for metric, estimate in metrics.metrics.items():
            lines.append(line(split, "all", metrics.n, metrics.n_groups, metric, estimate))
        for name, count in zip(metrics.classes, metrics.n_of_class, strict=True):
            for metric, estimate in metrics.per_class[name].items():
                lines.append(line(split, name, count, metrics.n_groups, metric, estimate))
    write_csv(RESULTS, COLUMNS, lines)


if __name__ == "__main__":
    main()

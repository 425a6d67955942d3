"""``tumorscope split``: fill the split of a manifest, by group."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from tumorscope.cli.app import emit
from tumorscope.cli.options import Common, Whole
from tumorscope.common.columns import aligned
from tumorscope.common.errors import UsageError
from tumorscope.common.progress import say

if TYPE_CHECKING:
    from tumorscope.cohort.manifest import Manifest

LEAKS = (
    "WARNING: --split random ignores groups. Copies of one picture, or slices of one patient, now "
    "lie in training and in testing alike: this split LEAKS, and every result measured on it is "
    "too good. Use it only to show how much."
)

OWN = ("images", "groups", "tumours")
"""What is counted of each split, beside tumour types."""


def split(
    manifest: Path,
    /,
    *,
    fractions: str = "0.7,0.15,0.15",
    seed: Whole = 0,
    mode: Annotated[Literal["group", "random"], Parameter(name="--split")] = "group",
    common: Common | None = None,
) -> int:
    """Fill the column `split` of a manifest: training, tuning, testing.

    Stratified by label, and by tumour type where the manifest names types; images of one group
    (near-duplicates, one patient) stay together, and groups that share a picture are joined.
    The same seed gives the same split on every machine. A split that the manifest has already is
    replaced; columns that tumorscope does not know stay as they are, and so does the form of the
    file (commas, semicolons or tabs).

    Example:

        tumorscope audit scans/ -o audit/
        tumorscope split audit/manifest.csv --fractions 0.7,0.15,0.15 --seed 1

    Parameters
    ----------
    manifest
        Manifest written by `tumorscope audit`; changed in place.
    fractions
        Shares of training, tuning and testing, with commas between; they sum to 1.
    seed
        Another seed gives another split.
    mode
        "random" ignores groups. It leaks: for comparison with published results only.
    """
    from tumorscope.cohort.manifest import Manifest
    from tumorscope.cohort.sentences import on_missing_types, on_use
    from tumorscope.cohort.split import split as split_cohort
    from tumorscope.cohort.tumour_type import types_missing
    from tumorscope.common.locks import writing

    common = common or Common()
    with writing(manifest):
        cohort = split_cohort(
            Manifest.load(manifest), fractions=_parse(fractions), seed=seed, mode=mode
        )
        if mode == "group":
            cohort.check_groups()
        cohort.save(manifest)
    counts = _count(cohort)
    without = sum(not row.split for row in cohort.rows)
    if mode == "random":
        # Not say(): --quiet is for progress, and this must be read.
        print(LEAKS, file=sys.stderr)
    document: dict[str, object] = {
        "manifest": str(manifest),
        "split": "random" if mode == "random" else "grouped",
        "seed": seed,
        "groups_parted": len(cohort.divided_groups()),
        "groups_joined": [list(names) for names in cohort.joined],
        "splits": counts,
        "without_split": without,
        "types_missing": types_missing(cohort),
    }
    emit(common, document, _table(counts))
    if words := on_missing_types(cohort):
        say(words)
    if without:
        say(f"{without} rows have no split, because the files cannot be read.")
    for line in on_use(cohort):
        say(line)
    say(f"Wrote {manifest}")
    return 0


def _parse(fractions: str) -> tuple[float, float, float]:
    try:
        training, tuning, testing = (float(share) for share in fractions.split(","))
    except ValueError:
        raise UsageError(
            f"Received --fractions {fractions}; expected three numbers with commas between, such "
            "as 0.7,0.15,0.15 (training, tuning, testing)."
        ) from None
    return training, tuning, testing


def _count(cohort: Manifest) -> dict[str, dict[str, int]]:
    from tumorscope.cohort.row import SPLITS
    from tumorscope.cohort.tumour_type import types_by_split

    counts: dict[str, dict[str, int]] = {}
    types = types_by_split(cohort)
    for name in SPLITS:
        part = cohort.of_split(name)
        counts[name] = {
            "images": len(part),
            "groups": len({row.group for row in part.rows}),
            "tumours": sum(row.label for row in part.rows),
            **types.get(name, {}),
        }
    return counts


def _table(counts: dict[str, dict[str, int]]) -> str:
    kinds = [name for name in next(iter(counts.values())) if name not in OWN]
    rows = [["split", *OWN, "tumour share", *kinds]]
    for name, row in counts.items():
        share = f"{row['tumours'] / row['images']:.1%}" if row["images"] else "–"
        own, rest = ([str(row.get(each, 0)) for each in some] for some in (OWN, kinds))
        rows.append([name, *own, share, *rest])
    return aligned(rows, right=range(1, len(rows[0])))

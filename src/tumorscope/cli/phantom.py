"""``tumorscope phantom``: write a synthetic cohort."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from tumorscope.cli.app import emit
from tumorscope.cli.options import Common, Flag, Whole
from tumorscope.common.progress import say


def phantom(
    directory: Annotated[Path, Parameter(name="DIR")],
    /,
    *,
    n: Whole = 240,
    seed: Whole = 0,
    duplicates: Whole = 0,
    shortcut: Flag = False,
    common: Common | None = None,
) -> int:
    """Write a synthetic cohort that looks like axial brain MRI: DIR/yes and DIR/no.

    It holds nobody's data, needs no network, and is the same for the same seed. A detector
    trained on it detects phantoms only.

    Example:

        tumorscope phantom phantoms/ --n 240 --seed 1 --duplicates 40 --shortcut

    Parameters
    ----------
    directory
        A new or empty folder.
    n
        Number of distinct slices, half of them with a tumour.
    seed
        Another seed gives other heads.
    duplicates
        Number of copies to plant besides: re-encoded, resized, flipped, cropped, rotated, with
        changed contrast or borders, and byte-identical ones.
    shortcut
        Let image width and borders betray most tumours, as they do in many public data sets.
    """
    from tumorscope.synthetic.phantom import write_phantom_cohort

    common = common or Common()
    started = time.perf_counter()
    write_phantom_cohort(directory, n=n, seed=seed, duplicates=duplicates, shortcut=shortcut)
    seconds = time.perf_counter() - started
    counts = {name: sum(1 for _ in (directory / name).iterdir()) for name in ("yes", "no")}
    document: dict[str, object] = {
        "folder": str(directory),
        "images": counts,
        "distinct": n,
        "duplicates": duplicates,
        "shortcut": shortcut,
        "seed": seed,
        "seconds": round(seconds, 2),
    }
    table = "\n".join(f"{directory / name}  {count:>6} images" for name, count in counts.items())
    emit(common, document, table)
    say(f"What was planted is listed in {directory / 'phantom.json'}")
    return 0

"""``tumorscope download``."""

from __future__ import annotations

from pathlib import Path

from tumorscope.cli.app import emit
from tumorscope.cli.options import Common
from tumorscope.common.progress import say


def download(folder: Path, *, name: str = "navoneel_253", common: Common | None = None) -> None:
    """Download the paper's public data set (253 images) from Kaggle; needs a network.

    Example: `tumorscope download scans/`

    Parameters
    ----------
    folder
        New folder; receives yes/ and no/.
    name
        Data set; navoneel_253 is the paper's.
    """
    from tumorscope.cohort.download import download as fetch

    common = common or Common()
    count = fetch(name, folder)
    emit(common, {"folder": str(folder), "images": count}, f"{count} images in {folder}")
    say(f"Next: tumorscope audit {folder} -o audit/")

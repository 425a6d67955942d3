"""The images that a search may look at, and the manifest of them in its folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tumorscope.auditing.prepare import prepare_manifest
from tumorscope.cohort.manifest import Data, Manifest
from tumorscope.common.errors import InputError
from tumorscope.common.progress import say
from tumorscope.records.protocol import Cohort
from tumorscope.records.reserve import refuse_changes


@dataclass(frozen=True, slots=True, eq=False)
class SearchedCohort:
    """A cohort without what is kept for testing.

    Attributes
    ----------
    whole : Manifest
        As it was received.
    manifest : Manifest
        The usable images to search on.
    testing : int
        How many images are left out for testing.
    """

    whole: Manifest
    manifest: Manifest
    testing: int

    @classmethod
    def of(cls, data: Data) -> SearchedCohort:
        """Read a cohort and leave its testing images out.

        Raises
        ------
        InputError
            If nothing is left.
        HonestyError
            If copies of testing images would be searched on.
        """
        whole = prepare_manifest(data)
        usable = whole.usable
        rows = [row for row in usable.rows if row.split != "testing"]
        testing = len(usable) - len(rows)
        if not rows:
            raise InputError(
                f'All {testing} images of the manifest have the split "testing". Expected others '
                "to search on, because a recipe that was chosen by testing images cannot be tested "
                "on them. Split with `tumorscope split`, or empty the column split."
            )
        if testing:
            # Copies of testing images on the other side would choose the recipe as well.
            usable.check_groups()
            say(
                f"{testing} images of the testing part are left out: a recipe that was chosen by "
                "them could not be tested on them."
            )
        return cls(whole, usable.having(rows), testing)

    def check(self, folder: Path) -> None:
        """Make sure that `folder` holds no search over other images.

        Raises
        ------
        InputError
            If it does.
        """
        kept = folder / "manifest.csv"
        if kept.exists():
            then = Cohort.of(Manifest.load(kept).usable)
            refuse_changes(
                then.changes(Cohort.of(self.manifest)), what=f"The search in {folder} belongs"
            )

    def keep(self, folder: Path, data: Data) -> Manifest:
        """Write the manifest into the folder of the search, and return it with paths from there."""
        kept = folder / "manifest.csv"
        # Where it is the one that was given, it may also list files that cannot be read.
        if isinstance(data, Manifest) or Path(data).resolve() != kept.resolve():
            self.manifest.save(kept)
        return Manifest.load(kept).usable

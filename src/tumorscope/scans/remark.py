"""What is worth knowing of a volume that was read: a code, made a sentence where it is printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

RemarkCode = Literal[
    "gap",
    "irregular",
    "tilt",
    "instance-order",
    "no-orientation",
    "form-conflict",
    "units",
    "part",
    "part-by-order",
    "incomplete",
    "cut-off",
    "mixed-orientations",
    "derived",
    "not-finite",
]

SENTENCES: Mapping[RemarkCode, str] = {
    "gap": "Slices are missing between some that were read",
    "irregular": "The distance between slices varies",
    "tilt": "The stack is sheared: each slice is shifted against the one below (gantry tilt)",
    "instance-order": "The slices have no positions that tell them apart, and lie in the order of "
    "their instance numbers",
    "no-orientation": "The header states no orientation; it is taken as Analyze files are",
    "form-conflict": "sform and qform contradict each other; the sform is used",
    "units": "The header states lengths in another unit than mm",
    "part": "The series holds several volumes at the same place",
    "part-by-order": "Nothing in the headers tells volumes at the same place apart; they are "
    "parted in the order of instance numbers",
    "incomplete": "It has fewer slices than other volumes of the series",
    "cut-off": "Slices are missing at an end of the stack",
    "mixed-orientations": "The series holds stacks of several orientations or matrix sizes",
    "derived": "The header calls it derived from other images",
    "not-finite": "Values that are no numbers count as 0",
}


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to know of a volume.

    Attributes
    ----------
    code : str
        One of `SENTENCES`.
    detail : str
        Numbers that belong to it, as a clause.

    Examples
    --------
    >>> Remark("gap", "1 place, up to 10.0 mm").sentence()
    'Slices are missing between some that were read (1 place, up to 10.0 mm).'
    """

    code: RemarkCode
    detail: str = ""

    def sentence(self) -> str:
        """Return it for people."""
        return SENTENCES[self.code] + (f" ({self.detail})." if self.detail else ".")

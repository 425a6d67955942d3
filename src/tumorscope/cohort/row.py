"""One image of a cohort: a row of a manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SPLITS = ("training", "tuning", "testing")

FLAGS = (
    "unreadable",
    "disguised",
    "exact-duplicate",
    "near-duplicate",
    "label-conflict",
    "type-conflict",
    "overlap",
    "not-brain-mri",
    "unusual",
    "colour",
    "tiny",
)

NO_TYPE = "none"
"""What some manifests call the type of an image without tumour."""


@dataclass(frozen=True, slots=True)
class Row:
    """One image of a cohort.

    Attributes
    ----------
    path : str
        Relative to the manifest's root where it lies below it, else absolute; forward slashes.
    sha256 : str
        Of the file's bytes, 64 hexadecimal digits.
    label : int
        Reference standard: 1 tumour, 0 no tumour.
    group : str
        Images with the same group must never be divided by a split.
    split : str
        "training", "tuning", "testing", or "" before splitting.
    source : str
        The cohort it came from.
    width, height : int
        In pixels; 0 where the file is unreadable.
    mode : str
        Pillow's mode; "" where the file is unreadable.
    flags : tuple of str
        Codes from `FLAGS`.
    tumour_type : str
        One of `tumorscope.common.classes.TUMOUR_TYPES`; "" where it is unknown, or there is no
        tumour.
    picture : str
        Images with the same picture are copies of one another, byte for byte or not; "" where no
        copy is known.
    mask : str
        Path of a picture of the same size that is white inside the lesion, written as `path` is;
        "" where nobody outlined it, or there is no tumour.
    extra : mapping of str to str
        The cells of columns that tumorscope does not know. They decide nothing, also not whether
        two rows are equal.
    """

    path: str
    sha256: str
    label: int
    group: str
    split: str = ""
    source: str = ""
    width: int = 0
    height: int = 0
    mode: str = ""
    flags: tuple[str, ...] = ()
    tumour_type: str = ""
    picture: str = ""
    mask: str = ""
    extra: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def usable(self) -> bool:
        """True where the image can be read."""
        return "unreadable" not in self.flags

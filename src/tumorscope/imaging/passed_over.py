"""What a search did not look at, counted by reason: nothing is left out silently."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Literal

from tumorscope.common.names import as_text, printable
from tumorscope.common.words import some_of

Reason = Literal[
    "folder-without-images",
    "unknown-class",
    "nested-classes",
    "outside-classes",
    "format-not-read",
    "no-image-ending",
    "linked-folder",
    "overlay",
    "mask-alone",
    "mask",
    "hidden",
    "not-an-image",
]
"""Why something is passed over; the worst, what a person may have meant to use, first."""

REASONS: Mapping[Reason, tuple[str, str, str]] = {
    "folder-without-images": (
        "folder that was named and holds no image",
        "folders that were named and hold no image",
        "Look whether these are the right folders",
    ),
    "unknown-class": (
        "image below a folder whose name tells no class",
        "images below folders whose names tell no class",
        "Rename these folders to classes that are understood, or leave them out on purpose",
    ),
    "nested-classes": (
        "image in a class folder that lies deeper than others",
        "images in class folders that lie deeper than others",
        "Move them into the class folders beside them, or give that folder by itself",
    ),
    "outside-classes": (
        "image that lies in no class folder",
        "images that lie in no class folder",
        "Move them into one",
    ),
    "format-not-read": (
        "file in a format that is not read here",
        "files in formats that are not read here",
        "Convert them to PNG or TIFF; DICOM and NIfTI volumes with `tumorscope slices`",
    ),
    "no-image-ending": (
        "image whose name does not end as those of images",
        "images whose names do not end as those of images",
        "Rename them to .png, .jpg or what they are",
    ),
    "linked-folder": (
        "link to a folder",
        "links to folders",
        "Links are not followed, so that loops end; give such a folder itself",
    ),
    "overlay": (
        "picture with evidence that tumorscope painted",
        "pictures with evidence that tumorscope painted",
        "",
    ),
    "mask-alone": (
        "file named as a mask, without its image beside it",
        "files named as masks, without their images beside them",
        "Rename those that are scans",
    ),
    "mask": ("mask of a lesion", "masks of lesions", ""),
    "hidden": ("hidden file, or what a system leaves", "hidden files, or what systems leave", ""),
    "not-an-image": ("file that is no image", "files that are no images", ""),
}
"""Reason → what one is called, what several are, and what a person can do about it."""

SHOWN = 6
"""Endings or folders that are named in one line."""


class PassedOver:
    """What was passed over: counts by reason, with paths to look at.

    Parameters
    ----------
    keep : int, optional
        How many paths are kept for each reason; all by default. A batch without end keeps few.
    root : path, optional
        Paths below it are kept relative to it.
    """

    def __init__(self, *, keep: int | None = None, root: Path | None = None) -> None:
        self._keep, self._root = keep, root
        self._counts: Counter[Reason] = Counter()
        self._scans: Counter[Reason] = Counter()
        self._paths: dict[Reason, list[str]] = {}
        self._kinds: dict[Reason, Counter[str]] = {}

    def __len__(self) -> int:
        """Return how many files or folders were passed over."""
        return self._counts.total()

    @property
    def scans(self) -> int:
        """How many of them look like scans: what a person may have meant to use."""
        return self._scans.total()

    @property
    def counts(self) -> dict[Reason, int]:
        """Reason → number, the worst reason first."""
        return {reason: self._counts[reason] for reason in REASONS if self._counts[reason]}

    def scans_of(self, reason: Reason) -> int:
        """Return how many of those of a reason look like scans."""
        return self._scans[reason]

    def kinds(self, reason: Reason) -> Counter[str]:
        """Return how many there are of each kind of a reason."""
        return Counter(self._kinds.get(reason, {}))

    def paths(self, reason: Reason) -> tuple[str, ...]:
        """Return the paths that were kept for a reason."""
        return tuple(self._paths.get(reason, ()))

    def add(
        self, reason: Reason, path: str | PurePath, *, kind: str = "", scan: bool = False
    ) -> None:
        """Count one.

        Parameters
        ----------
        reason : str
            One of `REASONS`.
        path : path
            Of the file, or of the folder where that was passed over as a whole.
        kind : str
            What distinguishes those of one reason, such as an ending or a folder's name.
        scan : bool
            Whether it looks like a scan.
        """
        self._counts[reason] += 1
        self._scans[reason] += scan
        kept = self._paths.setdefault(reason, [])
        if self._keep is None or len(kept) < self._keep:
            shown = PurePath(path)
            if self._root is not None and shown.is_relative_to(self._root):
                shown = shown.relative_to(self._root)
            kept.append(as_text(shown))
        if kind:
            self._kinds.setdefault(reason, Counter())[as_text(kind)] += 1

    def some(self, reason: Reason) -> str:
        """Return up to three paths of a reason, for a sentence."""
        return some_of(self._paths.get(reason, []), total=self._counts[reason])

    def words(self, *, without: Reason | None = None) -> list[str]:
        """Return one line for each reason: how many, which, and what to do about it."""
        return [self._line(reason) for reason in self.counts if reason != without]

    def _line(self, reason: Reason) -> str:
        one, several, advice = REASONS[reason]
        if reason == "folder-without-images":
            return f"No images in {self.some(reason)}. {advice}."
        name = one if self._counts[reason] == 1 else several
        kinds = self._kinds.get(reason, Counter())
        named = [f"{printable(kind)}: {count}" for kind, count in kinds.most_common(SHOWN)]
        which = f" ({', '.join(named)}{' …' if len(kinds) > SHOWN else ''})" if named else ""
        example = f", such as {printable(self._paths[reason][0])}" if self._paths[reason] else ""
        word = "Left out" if self._scans[reason] else "Passed over"
        return f"{word}: {self._counts[reason]} {name}{which}{example}." + (
            f" {advice}." if advice and self._scans[reason] else ""
        )

    def to_json(self) -> dict[str, object]:
        """Return plain values: reason → ``count``, ``scans`` of them, ``kinds`` and ``paths``."""
        return {
            reason: {
                "count": count,
                "scans": self._scans[reason],
                "kinds": dict(self._kinds.get(reason, Counter()).most_common()),
                "paths": self._paths[reason],
            }
            for reason, count in self.counts.items()
        }

    @classmethod
    def from_json(cls, document: object) -> PassedOver:
        """Return what `to_json` wrote; nothing where `document` holds none."""
        found = cls()
        entries = document if isinstance(document, dict) else {}
        for reason in REASONS:
            entry = entries.get(reason)
            if isinstance(entry, dict):
                found._counts[reason] = int(entry.get("count", 0))
                found._scans[reason] = int(entry.get("scans", 0))
                found._paths[reason] = [str(path) for path in entry.get("paths", ())]
                found._kinds[reason] = Counter(entry.get("kinds", {}))
        return found

"""DICOM segmentations among volumes: which series each belongs to, by what its header names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from tumorscope.common.progress import say
from tumorscope.common.words import counted, some_of
from tumorscope.scans import (
    NotRead,
    Segmentation,
    Series,
    Volume,
    header_text,
    mask_on,
    read_segmentation,
)
from tumorscope.scans.not_read import NotReadError

ELSEWHERE = "what was segmented is not among the volumes"
NOT_MEANT = "--masks names others"


class Segmentations:
    """Segmentations, each with the series that it belongs to.

    Parameters
    ----------
    paths : sequence of str
        Their files.
    series : sequence of Series
        Of the same folder.
    segments : collection of str
        Numbers, labels or kinds of the segments that count; all by default.
    not_meant : collection of str
        Files that are left aside.
    """

    def __init__(
        self,
        paths: Sequence[str],
        series: Sequence[Series],
        segments: Collection[str],
        *,
        not_meant: Collection[str] = (),
    ) -> None:
        self.not_used: list[NotRead] = []
        self._wanted = segments
        self._known: dict[str, Segmentation] = {}
        self._of: dict[str, list[str]] = {}
        dicom = [each for each in series if each.kind == "dicom"] if paths else []
        images = {id(each): _images(each) for each in dicom}
        self.not_used += [NotRead("segmentation", path, NOT_MEANT) for path in not_meant]
        for path in (each for each in paths if each not in not_meant):
            try:
                one = self._known[path] = read_segmentation(path)
            except NotReadError as error:
                self.not_used.append(NotRead(error.reason, path, error.detail))
                continue
            mine = [each for each in dicom if _belongs(one, each, images[id(each)])]
            for each in mine:
                self._of.setdefault(each.path, []).append(path)
            if not mine:
                self.not_used.append(NotRead("segmentation", path, ELSEWHERE))
        self._tell_of_several()

    def of(self, series: Series) -> list[str]:
        """Return the files of the segmentations of a series."""
        return self._of.get(series.path, [])

    def mask(self, path: str, volume: Volume) -> tuple[Volume | None, str]:
        """Return the mask of a volume, or why it has none from this file."""
        one = self._known[path]
        numbers = one.chosen(self._wanted)
        if not numbers:
            return None, "no-segment"
        try:
            mask = mask_on(one, volume, numbers)
        except NotReadError as error:
            return None, "other-grid" if error.reason == "geometry" else "mask-unreadable"
        return mask, "no-mask" if mask is None else ""

    def _tell_of_several(self) -> None:
        """Say what is taken together, where a segmentation holds more than one thing."""
        used = {path for paths in self._of.values() for path in paths}
        kinds: Counter[str] = Counter()
        several = 0
        for path in sorted(used):
            one = self._known[path]
            chosen = one.chosen(self._wanted)
            several += len(chosen) > 1
            if len(chosen) > 1:
                kinds.update({_shown(one, number) for number in chosen})
        if several:
            say(
                f"{counted(several, 'segmentation holds', 'segmentations hold')} several segments "
                f"({some_of(sorted(kinds))}): all of them count as lesion. Choose with --segment."
            )


def _shown(one: Segmentation, number: int) -> str:
    """Return a number with its kind, which is a code; labels may hold names."""
    return f"{number} {one.segments[number].kind}".strip()


def _images(series: Series) -> frozenset[str]:
    files = (header_text(path, "SOPInstanceUID") for path in series.multiframe)
    return frozenset(filter(None, (*(frame.uid for frame in series.frames), *files)))


def _belongs(one: Segmentation, series: Series, images: frozenset[str]) -> bool:
    if one.series or one.images:
        return series.series_uid in one.series or not one.images.isdisjoint(images)
    # It names nothing: what shares its space may be meant, and where its frames lie decides.
    space = one.frame_of_reference
    return bool(space) and space == header_text(series.path, "FrameOfReferenceUID")

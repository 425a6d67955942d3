"""An `Audit` → one HTML page: worst news first, copies side by side, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.auditing.sentences import on_blind, on_groups
from tumorscope.auditing.shortcuts import Shortcut, ShortcutDisplay
from tumorscope.cohort.row import Row
from tumorscope.cohort.sentences import on_folders, on_joins
from tumorscope.common.classes import CLASSES
from tumorscope.common.words import some_of
from tumorscope.imaging.passed_over import REASONS
from tumorscope.imaging.read import read_slice
from tumorscope.reports.drawing import draw
from tumorscope.reports.page import write_html
from tumorscope.reports.picture import Picture

if TYPE_CHECKING:
    from tumorscope.auditing.result import Audit

MAX_SETS = 60
"""Duplicate groups, conflicts or overlaps that are shown as thumbnails in one section."""

MAX_IN_SET = 8
MAX_LINES = 50

ODD = {
    "disguised": "the name's ending belongs to another format; some tools refuse such files",
    "not-brain-mri": "the packaged model would refuse it: not a slice of a brain MRI",
    "unusual": "lies much further from what the packaged model knows than the rest does",
    "colour": "has really coloured pixels: banners, marks or colour maps",
    "tiny": "an edge under 64 pixels",
}
"""Flags of images that can be used but are worth a look."""


@dataclass(frozen=True, slots=True)
class _OnePicture:
    """Images that show one picture; `more` of them are not among the thumbnails."""

    pictures: list[Picture]
    more: int


@dataclass(frozen=True, slots=True)
class _Gallery:
    """How many sets and images there are; thumbnails of some, and how many sets stay hidden."""

    sets: int
    images: int
    large: list[_OnePicture]
    pairs: list[_OnePicture]

    @property
    def hidden(self) -> int:
        return self.sets - len(self.large) - len(self.pairs)


def write_report(found: Audit, path: Path) -> None:
    """Write the report of an audit to `path`, beside its manifest, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    clear = [one for one in found.shortcuts if one.clear and one.auc]
    images = len(found.manifest.usable)
    sizes = [counts["images"] for counts in found.classes.values()]
    write_html(
        path,
        "auditing/audit.html",
        title=f"Audit of {found.manifest.root.absolute().name or found.manifest.root}",
        footer="Written by tumorscope audit.",
        found=found,
        manifest=shlex.quote(str(path.parent / "manifest.csv")),
        worst=max(clear, key=lambda one: one.auc.value if one.auc else 0.0, default=None),
        clear={one.probe for one in clear},
        labels=_gallery(found, found.label_conflicts.values(), lambda row: CLASSES[row.label]),
        types=_gallery(found, found.tumour_type_conflicts.values()),
        copies=_gallery(found, sorted(found.copies, key=len, reverse=True)),
        overlap=_overlap(found),
        left_out=_left_out(found),
        group_words=_group_words(found),
        blind_words=on_blind(found),
        furthest=_furthest(found),
        shortcuts=_shortcuts(found.shortcuts),
        odd=_odd(found),
        balance=_balance(found, images),
        larger=max(sizes) / images,
        modes=_modes(found),
        most_lines=MAX_LINES,
    )


def _gallery(
    found: Audit, sets: Iterable[Sequence[str]], say: Callable[[Row], str] = lambda _: ""
) -> _Gallery:
    """Return sets of paths with thumbnails; `say` gives the caption of each."""
    row_of = {row.path: row for row in found.manifest.rows}
    rows = [[row_of[path] for path in paths] for paths in sets]
    shown = [
        (len(members) > 2, _OnePicture(thumbs, len(members) - len(thumbs)))
        for members in rows[:MAX_SETS]
        for thumbs in [[_thumb(found, row, say(row)) for row in members[:MAX_IN_SET]]]
    ]
    return _Gallery(
        sets=len(rows),
        images=sum(map(len, rows)),
        large=[each for is_large, each in shown if is_large],
        pairs=[each for is_large, each in shown if not is_large],
    )


def _overlap(found: Audit) -> list[_OnePicture]:
    row_of = {row.path: row for row in found.manifest.rows}
    sets = []
    for path, matches in list(found.overlap.items())[:MAX_SETS]:
        others = matches[: MAX_IN_SET - 1]
        theirs = [_picture(Path(other), "/".join(Path(other).parts[-3:])) for other in others]
        mine = _thumb(found, row_of[path])
        sets.append(_OnePicture([mine, *theirs], len(matches) - len(others)))
    return sets


def _furthest(found: Audit) -> list[Picture]:
    checks = found.input_checks
    if checks is None:
        return []
    row_of = {row.path: row for row in found.manifest.rows}
    thumbs = []
    for path in checks.furthest:
        far = [f"{checks.distances[path]:.2f}"] if path in checks.distances else []
        why = [*checks.refused.get(path, ()), *["unusual"] * (path in checks.unusual)]
        thumbs.append(_thumb(found, row_of[path], " ".join([*far, ", ".join(why)]).strip()))
    return thumbs


def _left_out(found: Audit) -> list[tuple[str, ...]]:
    cohorts = {"": found.manifest.notes.passed_over, **found.against}
    return [
        (
            (f"{name}: " if name else "") + REASONS[reason][1],
            str(count),
            str(passed.scans_of(reason)),
            some_of(passed.paths(reason), 8, total=count),
        )
        for name, passed in cohorts.items()
        for reason, count in passed.counts.items()
    ]


def _group_words(found: Audit) -> list[str]:
    lines = (
        *on_groups(found),
        *on_folders(found.manifest.notes),
        on_joins(found.manifest.joined),
    )
    return [line for line in lines if line]


def _shortcuts(shortcuts: Sequence[Shortcut]) -> Picture | None:
    measured = [(one.sees, one.auc.value) for one in shortcuts if one.auc]
    if not measured:
        return None
    return draw(
        ShortcutDisplay(tuple(shortcuts)),
        "Area under the ROC curve with 95 % interval, counting each group once. Round and "
        "orange: a clear shortcut (the interval lies above 0.6).",
        alt="AUC of the shortcut probes. "
        + "; ".join(f"{sees}: {value:.2f}" for sees, value in measured),
    )


def _odd(found: Audit) -> list[tuple[str, ...]]:
    lines = []
    for flag, meaning in ODD.items():
        rows = [row for row in found.manifest.rows if flag in row.flags]
        tumours = sum(row.label for row in rows)
        counts = (str(len(rows)), str(tumours), str(len(rows) - tumours))
        lines.append((flag, *counts, meaning, some_of([row.path for row in rows], 12)))
    return [line for line in lines if line[1] != "0"]


def _balance(found: Audit, images: int) -> list[tuple[str, ...]]:
    return [
        (
            name.capitalize(),
            str(counts["images"]),
            f"{counts['images'] / images:.0%}",
            str(counts["groups"]),
            f"{counts['images'] / counts['groups']:.2f}" if counts["groups"] else "–",
        )
        for name, counts in found.classes.items()
    ]


def _modes(found: Audit) -> list[tuple[str, ...]]:
    modes: dict[str, list[int]] = {}
    for row in found.manifest.usable.rows:
        modes.setdefault(row.mode, [0, 0])[1 - row.label] += 1
    return [(mode, *map(str, counts)) for mode, counts in sorted(modes.items())]


def _thumb(found: Audit, row: Row, caption: str = "") -> Picture:
    return _picture(found.manifest.file(row), row.path, caption)


def _picture(file: Path, shown: str, caption: str = "") -> Picture:
    # In full: which folder a copy lies in is what is to be seen.
    return replace(Picture.of_scan(partial(_pixels, file), shown, caption), name=shown)


def _pixels(file: Path) -> NDArray[np.uint8]:
    return read_slice(file).pixels

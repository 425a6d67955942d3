"""An `Audit` → one HTML page: worst news first, copies side by side, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.auditing.shortcuts import ShortcutDisplay
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.cohort.together import in_words
from tumorscope.common.classes import CLASSES
from tumorscope.common.errors import UnreadableImageError
from tumorscope.common.words import counted, some_of
from tumorscope.imaging.passed_over import REASONS
from tumorscope.imaging.read import read_slice
from tumorscope.reports import Section, figure_html, table_html, write_page
from tumorscope.reports.drawing import draw
from tumorscope.reports.picture import thumbnail

if TYPE_CHECKING:
    from tumorscope.auditing.result import Audit

MAX_SETS = 60
"""Duplicate groups, conflicts or overlaps that are shown as thumbnails in one section."""

MAX_IN_SET = 8
MAX_LINES = 50


def write_report(found: Audit, path: Path) -> None:
    """Write the report of an audit to `path`, beside its manifest, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    duplicates = _sets_of_copies(found)
    sections = [
        *_conflicts(found),
        *_type_conflicts(found),
        *_overlap(found),
        *_unreadable(found),
        *_left_out(found),
        *_groups(found),
        *_furthest(found),
        *_shortcuts(found),
        *_duplicates(found, duplicates),
        *_oddities(found),
        _balance(found),
        _next(found, path.parent / "manifest.csv"),
    ]
    write_page(
        path,
        title=f"Audit of {found.manifest.root.absolute().name or found.manifest.root}",
        lead=_lead(found, duplicates),
        sections=sections,
        warning=_warning(found),
        footer="Written by tumorscope audit.",
    )


def _warning(found: Audit) -> str | None:
    words = []
    if found.label_conflicts:
        words.append(
            f"{counted(len(found.label_conflicts), 'picture')} "
            f"{'carries' if len(found.label_conflicts) == 1 else 'carry'} both labels."
        )
    if found.tumour_type_conflicts:
        words.append(
            f"{counted(len(found.tumour_type_conflicts), 'picture')} "
            f"{'carries' if len(found.tumour_type_conflicts) == 1 else 'carry'} several tumour "
            "types."
        )
    if found.overlap:
        words.append(
            f"{counted(len(found.overlap), 'image')} also "
            f"{'lies' if len(found.overlap) == 1 else 'lie'} in another cohort: "
            "a model trained on one must not be tested on these."
        )
    blind = len(found.compared_by_bytes) + len(found.not_compared)
    if blind:
        words.append(
            f"{counted(blind, 'image')} of other cohorts could not be looked at, so more may "
            "overlap."
        )
    return " ".join(words) or None


def _lead(found: Audit, duplicates: Sequence[Sequence[Row]]) -> str:
    images, groups = len(found.manifest.usable), len(found.groups)
    redundant = sum(len(paths) - 1 for paths in found.exact_duplicates)
    clear = [one for one in found.shortcuts if one.clear and one.auc]
    cards = [
        (str(images), "readable images" + _of(found)),
        (str(groups), "groups that a split must not part"),
        (str(sum(map(len, duplicates))), f"images in {counted(len(duplicates), 'set')} of copies"),
        (str(redundant), "files that repeat another byte for byte"),
        (str(len(found.label_conflicts)), "pictures with both labels"),
    ]
    if found.overlap:
        cards.append((str(len(found.overlap)), "images that lie in another cohort"))
    html = "<p>"
    if groups < images:
        html += (
            f"These {images} images count as only <b>{groups}</b>: copies of one picture, or of "
            "one patient where you said so, count once. A random split would test a model on what "
            "it was trained on. "
        )
    else:
        html += f"These {images} images show {groups} different pictures. "
    if clear:
        worst = max(clear, key=lambda one: one.auc.value if one.auc else 0.0)
        assert worst.auc is not None
        html += (
            f"Labels can be guessed without looking at a brain: {escape(worst.sees.lower())} alone "
            f"{'reaches' if worst.probe != 'metadata' else 'reach'} an AUC of "
            f"<b>{worst.auc.value:.2f}</b>. "
        )
    return (
        html
        + '</p><div class="cards">'
        + "".join(
            f'<div class="card"><b>{value}</b><small>{escape(what)}</small></div>'
            for value, what in cards
        )
        + "</div>"
    )


def _of(found: Audit) -> str:
    return f" of {len(found.manifest)}" if found.unreadable else ""


def _conflicts(found: Audit) -> Iterable[Section]:
    if not found.label_conflicts:
        return
    row_of = {row.path: row for row in found.manifest.rows}
    sets = [[row_of[path] for path in paths] for paths in found.label_conflicts.values()]
    yield Section(
        "Label conflicts",
        "<p>The same picture is filed as tumour and as no tumour. At least one label is wrong, or "
        "the picture is ambiguous: ask someone who can read it, and correct the file's place or "
        "leave all copies out. Until then both labels are trained and tested on.</p>"
        + _galleries(found.manifest, sets, with_labels=True),
    )


def _type_conflicts(found: Audit) -> Iterable[Section]:
    if not found.tumour_type_conflicts:
        return
    row_of = {row.path: row for row in found.manifest.rows}
    sets = [[row_of[path] for path in paths] for paths in found.tumour_type_conflicts.values()]
    yield Section(
        "Tumour type conflicts",
        "<p>The same picture is filed under several tumour types, as their paths say. Tumour or no "
        "tumour is not in doubt; which type is. Settle them before telling types apart.</p>"
        + _galleries(found.manifest, sets, with_labels=False),
    )


def _overlap(found: Audit) -> Iterable[Section]:
    blind = "".join(f"<p>{escape(line)}</p>" for line in found.blind_words())
    if not found.overlap:
        if blind:
            yield Section("Overlap with other cohorts", blind)
        return
    row_of = {row.path: row for row in found.manifest.rows}
    html = (
        "<p>These images show pictures that another cohort holds as well. Used as training and "
        "testing, the two cohorts are not independent. Left: this cohort; right: the other.</p>"
    )
    shown = list(found.overlap.items())[:MAX_SETS]
    for path, matches in shown:
        mine = _thumb(found.manifest.file(row_of[path]), path)
        theirs = [_thumb(Path(match), _tail(match)) for match in matches[: MAX_IN_SET - 1]]
        html += _gallery([mine, *theirs], len(matches) + 1)
    yield Section(
        "Overlap with other cohorts", blind + html + _hidden(len(found.overlap), len(shown))
    )


def _unreadable(found: Audit) -> Iterable[Section]:
    if not found.unreadable:
        return
    items = list(found.unreadable.items())
    yield Section(
        "Unreadable files",
        "<p>They stay in the manifest with the flag <code>unreadable</code> and are used for "
        "nothing.</p>"
        + table_html(("File", "Why"), items[:MAX_LINES])
        + _hidden(len(items), min(len(items), MAX_LINES)),
    )


def _furthest(found: Audit) -> Iterable[Section]:
    checks = found.input_checks
    if checks is None or not checks.furthest:
        return
    row_of = {row.path: row for row in found.manifest.rows}
    thumbs = []
    for path in checks.furthest:
        why = ", ".join((*checks.refused.get(path, ()), *("unusual",) * (path in checks.unusual)))
        far = f" {checks.distances[path]:.2f}" if path in checks.distances else ""
        thumbs.append(_thumb(found.manifest.file(row_of[path]), f"{path}{far} {why}".strip()))
    limit = f"; beyond {checks.limit:.2f} it refuses an image" if checks.limit else ""
    yield Section(
        "Furthest from brain MRI",
        f"<p>The {len(thumbs)} images that lie furthest from what the model {escape(checks.model)} "
        f"was trained on, with their distance{limit}. <code>not-brain-mri</code>: it would refuse "
        "them. <code>unusual</code>: much further than the rest of this cohort. Look whether each "
        "is a slice of a brain at all; odd frames and strong contrast bring real ones here too, "
        "and a model that was trained on a picture finds it less far.</p>"
        f'<div class="thumbs">{"".join(thumbs)}</div>',
    )


def _left_out(found: Audit) -> Iterable[Section]:
    notes = found.manifest.notes
    cohorts = {"": notes.passed_over, **found.against}
    lines = [
        (
            (f"{name}: " if name else "") + REASONS[reason][1],
            str(count),
            str(passed.scans_of(reason)),
            some_of(passed.paths(reason), 8, total=count),
        )
        for name, passed in cohorts.items()
        for reason, count in passed.counts.items()
    ]
    if lines:
        yield Section(
            "Left out of the folder",
            table_html(("What", "Number", "May be scans", "Files"), lines, numeric=(1, 2))
            + "<p>Nothing here was looked at; audit.json lists them all.</p>",
        )


def _shortcuts(found: Audit) -> Iterable[Section]:
    if not found.shortcuts:
        return
    html = (
        "<p>Each dot is a classifier that never sees the scan, only what is named beside it; "
        "groups are never parted between its training and its testing. At 0.5 it guesses. "
        "What it reaches above that, a network may reach for the same reason, and it will be lost "
        "on images from elsewhere.</p>"
    )
    display = ShortcutDisplay(found.shortcuts)
    if all(one.auc is None for one in found.shortcuts):
        html += "<p>Too few groups per class to measure: at least two of each are needed.</p>"
    else:
        words = "; ".join(f"{one.sees}: {one.auc.value:.2f}" for one in found.shortcuts if one.auc)
        html += figure_html(
            draw(
                display,
                "Area under the ROC curve with 95 % interval, counting each group once. Round and "
                "orange: a clear shortcut (the interval lies above 0.6).",
                alt=f"AUC of the shortcut probes. {words}",
            )
        )
        html += f"<p>{_shortcut_advice(found)}</p>"
    yield Section("Shortcuts", html)


def _shortcut_advice(found: Audit) -> str:
    clear = {one.probe for one in found.shortcuts if one.clear}
    words = []
    if "metadata" in clear:
        words.append(
            "Size and format tell the classes apart. A network does not see them directly, but "
            "sees what comes with them: sharpness, compression, cropping."
        )
    if "trivial-paper" in clear and "trivial-shortcut-free" not in clear:
        words.append(
            "The head crop, padding and intensity window remove most of what stretching to a "
            "square leaves: use a recipe that has them."
        )
    if "trivial-shortcut-free" in clear:
        words.append(
            "Brightness and shape tell the classes apart even after the head crop: believe only "
            "results on images from another source."
        )
    if not words:
        words.append(
            "No clear shortcut of these kinds. Others (sequence, plane, scanner) are not measured "
            "here; only images from another source show them."
        )
    return " ".join(words)


def _duplicates(found: Audit, duplicates: Sequence[Sequence[Row]]) -> Iterable[Section]:
    if not duplicates:
        return
    exact = sum(len(paths) - 1 for paths in found.exact_duplicates)
    yield Section(
        "Copies of one picture",
        f"<p>{counted(len(duplicates), 'set')} of images show one picture each: the same file, or "
        "re-encoded, resized, cropped, framed, turned, mirrored or with another contrast. "
        f"{counted(exact, 'file')} repeat{'s' if exact == 1 else ''} another byte for byte. Look "
        "through them: every set should show one picture.</p>"
        + _galleries(found.manifest, duplicates, with_labels=False),
    )


def _oddities(found: Audit) -> Iterable[Section]:
    meanings = {
        "disguised": "the name's ending belongs to another format; some tools refuse such files",
        "not-brain-mri": "the packaged model would refuse it as no brain MRI slice",
        "unusual": "lies much further from what the packaged model knows than the rest does",
        "colour": "has really coloured pixels: banners, marks or colour maps",
        "tiny": "an edge under 64 pixels",
    }
    lines = []
    for flag, meaning in meanings.items():
        rows = [row for row in found.manifest.rows if flag in row.flags]
        if rows:
            names = some_of([row.path for row in rows], 12)
            labels = [sum(row.label == label for row in rows) for label in (1, 0)]
            lines.append((flag, str(len(rows)), str(labels[0]), str(labels[1]), meaning, names))
    if lines:
        header = ("Flag", "Images", "Tumour", "No tumour", "Meaning", "Files")
        yield Section(
            "Odd files",
            "<p>Usable, but worth a look, above all where they belong to one class.</p>"
            + table_html(header, lines, numeric=(1, 2, 3)),
        )


def _balance(found: Audit) -> Section:
    images = sum(counts["images"] for counts in found.classes.values())
    header = ("Class", "Images", "Share", "Groups", "Images per group")
    lines = [
        (
            name.capitalize(),
            str(counts["images"]),
            f"{counts['images'] / images:.0%}",
            str(counts["groups"]),
            f"{counts['images'] / counts['groups']:.2f}" if counts["groups"] else "–",
        )
        for name, counts in found.classes.items()
    ]
    share = max(counts["images"] for counts in found.classes.values()) / images
    modes: dict[str, list[int]] = {}
    for row in found.manifest.usable.rows:
        modes.setdefault(row.mode, [0, 0])[row.label] += 1
    return Section(
        "Class balance and modes",
        table_html(header, lines, numeric=(1, 2, 3, 4))
        + f"<p>Always naming the larger class is right in {share:.0%} of these images: "
        "compare every accuracy with that.</p>"
        + table_html(
            ("Mode", "Tumour", "No tumour"),
            [(mode, str(counts[1]), str(counts[0])) for mode, counts in sorted(modes.items())],
            numeric=(1, 2),
        ),
    )


def _groups(found: Audit) -> Iterable[Section]:
    lines = [*found.words_on_groups(), *found.manifest.notes.words_on_groups()]
    if found.manifest.joined:
        lines.append(in_words(found.manifest.joined))
    if lines:
        yield Section("Groups", "".join(f"<p>{escape(line)}</p>" for line in lines))


def _next(found: Audit, manifest: Path) -> Section:
    steps = []
    if found.label_conflicts:
        steps.append("Settle the label conflicts, then run the audit again.")
    if found.tumour_type_conflicts:
        steps.append("Settle the tumour type conflicts, if types are to be told apart.")
    if found.shared_prefixes:
        steps.append("Say which images are of one patient, if the file names tell: see Groups.")
    if found.unreadable:
        steps.append("Replace the unreadable files, if they matter.")
    if any(len(paths) > 1 for paths in found.groups.values()):
        steps.append(
            "If you know more (one patient, one series), give those images one name in the column "
            "<code>group</code> of <code>manifest.csv</code>. If two different pictures were taken "
            "for one, give one of them another name in the columns <code>group</code> and "
            "<code>picture</code>."
        )
    where = escape(shlex.quote(str(manifest)))
    if found.overlap:
        steps.append(
            f"Leave out the {counted(len(found.overlap), 'image')} of another cohort, if a model "
            "was or will be trained on that one: delete the rows whose column <code>flags</code> "
            f"has <code>overlap</code> from <code>{where}</code>, save it as CSV, and give that "
            "file as data: <code>tumorscope evaluate RUN "
            f"{where}</code>"
        )
    steps.append(
        f"Split by group: <code>tumorscope split {where} --fractions 0.7,0.15,0.15 --seed 0</code>"
    )
    if any(one.clear for one in found.shortcuts):
        steps.append("Test on images from another source before believing a good result.")
    return Section("What to do next", "<ol>" + "".join(f"<li>{s}</li>" for s in steps) + "</ol>")


def _sets_of_copies(found: Audit) -> list[list[Row]]:
    """Return the sets of images that show one picture, the largest first."""
    row_of = {row.path: row for row in found.manifest.rows}
    sets = [[row_of[path] for path in paths] for paths in found.copies]
    return sorted(sets, key=lambda rows: -len(rows))


def _galleries(manifest: Manifest, sets: Sequence[Sequence[Row]], *, with_labels: bool) -> str:
    rows_html: list[str] = []
    pairs_html: list[str] = []
    for rows in sets[:MAX_SETS]:
        thumbs = []
        for row in rows[:MAX_IN_SET]:
            caption = f"{row.path} ({CLASSES[row.label]})" if with_labels else row.path
            thumbs.append(_thumb(manifest.file(row), caption))
        (rows_html if len(rows) > 2 else pairs_html).append(_gallery(thumbs, len(rows)))
    # Pairs are narrow: side by side they make the page half as long.
    return (
        "".join(rows_html)
        + f'<div class="grid">{"".join(pairs_html)}</div>'
        + _hidden(len(sets), min(len(sets), MAX_SETS))
    )


def _gallery(thumbs: Sequence[str], total: int) -> str:
    more = total - len(thumbs)
    rest = f"<p><small>and {more} more of this picture</small></p>" if more > 0 else ""
    return f'<div class="thumbs">{"".join(thumbs)}</div>{rest}'


def _thumb(file: Path, caption: str) -> str:
    words = escape(caption)
    try:
        picture = (
            f'<img src="{thumbnail(read_slice(file).pixels)}" alt="{escape(caption, quote=True)}">'
        )
    except UnreadableImageError:
        picture = ""
    return f"<figure>{picture}<figcaption>{words}</figcaption></figure>"


def _tail(path: str) -> str:
    return "/".join(Path(path).parts[-3:])


def _hidden(total: int, shown: int) -> str:
    if total <= shown:
        return ""
    return f"<p><b>{total - shown} more are not shown here</b>; audit.json lists them all.</p>"

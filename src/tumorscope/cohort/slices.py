"""Volumes → slices as PNG files and a manifest, from which audit, split and training go on."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tumorscope.cohort.cut_volume import Cutting, cut_volume, cutting
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.overwriting import protect_edits
from tumorscope.cohort.row import Row
from tumorscope.cohort.slice_files import write_cut
from tumorscope.cohort.slicing_folder import MANIFEST, Done, SlicingFolder
from tumorscope.cohort.slicing_plan import Plan, digest_of
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.locks import one_writer
from tumorscope.common.progress import track
from tumorscope.common.words import counted
from tumorscope.scans import (
    NotRead,
    Plane,
    Series,
    StudyIndex,
    Window,
    distinct_volumes,
    index_study,
)


@dataclass(frozen=True, slots=True)
class Slicing:
    """What became of volumes.

    Attributes
    ----------
    manifest : Manifest
        All slices in the folder.
    volumes : int
        How many of the volumes have slices there.
    left_out : mapping of str to int
        Slices that were left out, by reason: ``small-lesion``, ``no-head``.
    volumes_left_out : mapping of str to int
        Volumes that were left out, by reason: ``no-mask``, ``several-masks``, ``other-grid``,
        ``mask-unreadable``, ``no-segment``, ``contradiction``, ``not-cut``.
    not_read : tuple of NotRead
        What could not be read, or is no scan.

    Examples
    --------
    >>> import nibabel
    >>> import numpy as np
    >>> rows, columns = np.ogrid[:64, :64]
    >>> away = np.hypot(rows - 32, columns - 32)
    >>> head = np.where(away < 24, 200 - away, 0).astype(np.int16)
    >>> volume = nibabel.Nifti1Image(np.stack([head] * 6, axis=2), np.diag([3, 3, 5, 1]))
    >>> Path("scans/no").mkdir(parents=True)
    >>> nibabel.save(volume, "scans/no/volunteer.nii.gz")
    >>> made = slices("scans", output="slices")
    >>> made.volumes, len(made.manifest)
    (1, 6)
    """

    manifest: Manifest
    volumes: int
    left_out: Mapping[str, int]
    volumes_left_out: Mapping[str, int]
    not_read: tuple[NotRead, ...]

    def to_json(self) -> dict[str, object]:
        """Return counts as plain values."""
        rows = self.manifest.rows
        return {
            "volumes": self.volumes,
            "images": len(rows),
            "tumours": sum(row.label for row in rows),
            "groups": len({row.group for row in rows}),
            "left_out": dict(self.left_out),
            "volumes_left_out": dict(self.volumes_left_out),
            "not_read": dict(Counter(record.reason for record in self.not_read)),
        }


@one_writer
def slices(
    volumes: str | Path,
    *,
    output: str | Path,
    masks: str | None = None,
    tumour_free: Sequence[str] = (),
    every: float | None = None,
    planes: Sequence[Plane] = (),
    min_area: float = 50.0,
    window: str = "percentile",
    group_from: str | Path | None = None,
    source: str | None = None,
    segments: Sequence[str] = (),
) -> Slicing:
    """Cut volumes into slices and write a manifest, labelled by the lesion on each slice.

    See `docs/how-to/cohort-of-volumes.md`. What was cut before in the same way is not cut again.

    Parameters
    ----------
    volumes : path
        Folder of DICOM or NIfTI files, of any nesting; nothing in it is changed.
    output : path
        Folder for ``yes/``, ``no/`` and manifest.csv: new, empty, or with slices cut the same way.
    masks : str, optional
        Which files are masks; see `tumorscope.cohort.volume_names.keys_of_masks`.
    tumour_free : sequence of str
        Patterns of paths of volumes without a tumour, beside those in folders such as ``no``.
    every : float, optional
        Distance of slices in mm; every slice by default.
    planes : sequence of str
        axial, coronal, sagittal; by default that in which each volume was acquired.
    min_area : float
        In mm²; slices with a smaller lesion are left out.
    window : str
        How values become greys: ``percentile``, ``dicom`` or ``LOW,HIGH``.
    group_from : path or str, optional
        Whose volume each is, as for `tumorscope.audit`; else header or path tell.
    source : str, optional
        Name of the cohort; that of the folder by default.
    segments : sequence of str
        Numbers, labels or kinds of those that are lesion, of NIfTI values; all by default.

    Raises
    ------
    InputError, UsageError
        If no slice has a label; if an option cannot be meant, or something else lies there.
    """
    root, folder = Path(volumes), Path(output)
    _refuse_inside(folder, root)
    how = cutting(every=every, planes=planes, min_area=min_area, window=Window.parse(window))
    index, name = index_study(root), source or root.absolute().name
    plan = Plan(root, index, masks, tuple(tumour_free), group_from, segments=segments)
    place = SlicingFolder(folder, {**asdict(how), "window": window, **plan.rules(), "source": name})
    not_read = [*plan.segmentations.not_used, *_without_masks(index)]
    for series in track(plan.scans, "Cutting volumes"):
        not_read += _cut_series(series, plan, how, place, name)
    return _finished(place, plan, tuple(not_read))


def _without_masks(index: StudyIndex) -> list[NotRead]:
    """Return what was not read, but for segmentations, of which the plan says what they are for."""
    masks = {*index.segmentations}
    return [
        record
        for record in index.not_read
        if not (record.reason == "segmentation" and record.path in masks)
    ]


def _refuse_inside(folder: Path, root: Path) -> None:
    if folder.resolve().is_relative_to(root.resolve()):
        raise UsageError(
            f"The slices were to go to {folder}, which lies among the volumes in {root}; "
            "expected a folder outside. Choose another with -o."
        )


def _cut_series(
    series: Series, plan: Plan, how: Cutting, place: SlicingFolder, source: str
) -> list[NotRead]:
    """Cut the volumes of a series that are not cut yet; return what could not be read."""
    path = plan.relative(series.path)
    content = _content(series, [plan.root / mask for mask in plan.masks(series)])
    key = series.series_uid or path
    known = place.done(key, content)
    if known is not None:
        return list(known.not_read)
    not_read: list[NotRead] = []
    rows: list[Row] = []
    left_out: Counter[str] = Counter()
    for found in distinct_volumes(series):
        if isinstance(found, NotRead):
            not_read.append(found)
            continue
        not_read += found.not_read
        mask, reason = plan.mask_for(found, series)
        if reason:
            left_out[f"volume:{reason}"] += 1
            continue
        cuts = cut_volume(found, mask, how, left_out)
        rows += [
            write_cut(
                cut,
                found,
                series,
                path=path,
                group=plan.group(series),
                source=source,
                folder=place.path,
            )
            for cut in cuts
        ]
    place.add(Done(key, content, tuple(rows), dict(left_out), tuple(not_read)))
    return not_read


def _finished(place: SlicingFolder, plan: Plan, not_read: tuple[NotRead, ...]) -> Slicing:
    done = place.all()
    rows = tuple(row for each in done for row in each.rows)
    counts: Counter[str] = Counter()
    for each in done:
        counts.update(each.left_out)
    volumes = {name.removeprefix("volume:"): n for name, n in counts.items() if ":" in name}
    left_out = {name: n for name, n in counts.items() if ":" not in name}
    if not rows:
        place.forget()
        reasons = ", ".join(f"{name}: {count}" for name, count in {**volumes, **left_out}.items())
        raise InputError(
            f"No slice of {counted(len(plan.scans), 'volume')} in {plan.root} has a label "
            f"({reasons}). Expected volumes with lesion masks (--masks '*_seg.nii.gz'), or "
            "ones that are free of tumours, in a folder no/ or named by "
            "--tumour-free PATTERN. Give one of these."
        )
    manifest = Manifest(rows, place.path)
    path = place.path / MANIFEST
    if place.changed or not path.is_file():
        protect_edits(manifest, path)
        manifest.save(path)
    else:
        manifest = Manifest.load(path)
    cut = sum(bool(each.rows) for each in done)
    return Slicing(manifest, cut, left_out, volumes, not_read)


def _content(series: Series, masks: Sequence[Path]) -> str:
    """Return what changes with the files of a series and its masks."""
    files = {series.path, *series.multiframe, *(frame.path for frame in series.frames)}
    states = [
        (path, Path(path).stat().st_size, Path(path).stat().st_mtime_ns)
        for path in sorted([*files, *map(str, masks)])
        if Path(path).exists()
    ]
    return digest_of(json.dumps(states), 16)

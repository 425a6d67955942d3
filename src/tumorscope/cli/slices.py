"""``tumorscope slices``: volumes in, pictures and a manifest out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from tumorscope.cli.app import SHOWN_FAILURES, SOME_FAILED, check_there, emit
from tumorscope.cli.options import Common, Output, Words
from tumorscope.common.columns import aligned
from tumorscope.common.progress import say

if TYPE_CHECKING:
    from tumorscope.cohort.slices import Slicing

WORDS = {
    "small-lesion": "slices with a lesion smaller than --min-area",
    "no-head": "slices with hardly any head",
    "no-mask": "volumes without a mask, which nothing calls free of tumours",
    "several-masks": "volumes that several masks fit",
    "other-grid": "volumes whose mask lies on another grid",
    "mask-unreadable": "volumes whose mask cannot be read",
    "no-segment": "volumes whose mask has no segment as --segment names it",
    "contradiction": "volumes that are called free of tumours, and have a lesion in their mask",
    "not-cut": "volumes with uneven slices, along other planes than their own",
}
"""Reason → what is left out for it."""


def slices(
    volumes: Path,
    /,
    *,
    output: Output,
    masks: str | None = None,
    segment: Words = (),
    tumour_free: Words = (),
    every: float | None = None,
    planes: Annotated[
        tuple[Literal["axial", "coronal", "sagittal"], ...],
        Parameter(negative="", show_default=False, consume_multiple=True),
    ] = (),
    min_area: float = 50.0,
    window: str = "percentile",
    group_from: str | None = None,
    source: str | None = None,
    common: Common | None = None,
) -> int:
    """Cut volumes (DICOM, NIfTI) into slices and a manifest, labelled by lesion masks.

    A slice without a lesion is labelled 0, one with at least --min-area of it 1; between these,
    and where there is hardly any head, it is left out and counted. Slices of one patient are one
    group. Volumes without a mask are free of tumours where a folder above them says so (no/,
    healthy/), or --tumour-free does; others are left out. The same command goes on with what was
    interrupted, and cuts what is new; it needs the extra “dicom”.

    Example:

        tumorscope slices brats/ -o slices/ --masks '*_seg.nii.gz' --every 5
        tumorscope audit slices/manifest.csv -o audit/
        tumorscope split audit/manifest.csv

    Parameters
    ----------
    volumes
        Folder of DICOM or NIfTI files of any nesting; nothing in it is changed.
    output
        Folder for yes/, no/ and manifest.csv, outside of VOLUMES: new, empty, or of this command.
    masks
        Names of the NIfTI files that are masks, * for what they share with their volumes. By
        default those that end in _mask or _seg, and those in folders called masks. DICOM
        segmentations are found by their content and belong to the series that they name; with
        --masks only those that fit it count.
    segment
        Which segment of a DICOM segmentation is lesion: its number, label or kind; which value of a
        NIfTI mask. May be given several times; by default all are, taken together.
    tumour_free
        Volumes without a tumour: a pattern of their paths below VOLUMES; may be given several
        times.
    every
        Distance of slices in mm. By default every slice is taken, and neighbours hardly differ.
    planes
        One or more of axial, coronal and sagittal; by default the plane in which each volume was
        acquired.
    min_area
        Least area in mm² of the lesion on a slice that counts as a tumour.
    window
        What becomes black and white: percentile (the 0.1st and 99.9th of the volume), dicom (as
        the header of each slice says), or two values LOW,HIGH.
    group_from
        Whose volume each is: a regular expression on paths below VOLUMES, or a CSV file with the
        columns path and patient. By default a code of the patient in the header; of NIfTI, what
        folders and names say.
    source
        Name of the cohort in the manifest; that of the folder by default.
    """
    check_there(volumes)
    from tumorscope.cohort.slices import slices as cut

    common = common or Common()
    found = cut(
        volumes,
        output=output,
        masks=masks,
        segments=segment,
        tumour_free=tumour_free,
        every=every,
        planes=planes,
        min_area=min_area,
        window=window,
        group_from=group_from,
        source=source,
    )
    emit(common, {**found.to_json(), "output": str(output)}, _table(found))
    for reason, count in {**found.volumes_left_out, **found.left_out}.items():
        say(f"Left out: {count} {WORDS[reason]}.")
    meant = [record for record in found.not_read if record.unreadable]
    unused = [record for record in found.not_read if record.reason == "segmentation"]
    shown = (meant + unused)[:SHOWN_FAILURES]
    for record in shown:
        say(f"Not read: {record.sentence()}")
    others = len(found.not_read) - len(shown)
    if others:
        say(f"Not read for other reasons, such as being no scans: {others}; --json counts them.")
    if every is None:
        say("Neighbouring slices hardly differ; --every 5 takes fewer.")
    manifest = output / "manifest.csv"
    say(f"Wrote {manifest}. Next: tumorscope audit {manifest} -o audit/")
    return SOME_FAILED if meant or found.volumes_left_out else 0


def _table(found: Slicing) -> str:
    rows = found.manifest.rows
    lines = [["", "slices", "groups", "volumes"]]
    for name, label in (("tumour", 1), ("no tumour", 0)):
        mine = [row for row in rows if row.label == label]
        groups = {row.group for row in mine}
        volumes = {row.extra.get("volume", "") for row in mine}
        lines.append([name, str(len(mine)), str(len(groups)), str(len(volumes))])
    return aligned(lines, right=(1, 2, 3))

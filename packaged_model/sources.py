"""Where the images of the packaged model come from, and which part each source has in it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from packaged_model.masks import mask_beside, paint_outlines
from tumorscope.auditing.audit import audit
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.cohort.scan import scan_folder
from tumorscope.cohort.sentences import on_scan
from tumorscope.common.csv_files import read_csv
from tumorscope.common.files import sha256_of
from tumorscope.common.progress import say
from tumorscope.imaging.find import is_hidden

NEVER_TRAINED = ("stripped_dev",)
"""Sources whose licence allows testing and tuning only."""

HOLD_OUT = (
    ("external_dev", "stripped_dev", "openneuro_ds002748_depression", "neurohacking"),
    (
        "navoneel_253",
        "openfmri_ds000011_t1",
        "alzheimer_kaggle4_6400",
        "open_ms",
        "bme_paediatric",
        "pumi_minitest",
        "antspy_t1_slices",
    ),
    (
        "brats2013",
        "utsw_glioma_t2",
        "ms_baghdad",
        "openfmri_ds000011_t2",
        "oasis2",
        "mp2rage_7t",
    ),
)
"""Sources left out together; more at once cost less time and flatter no result. nichart_demo,
fullhead_singles, mindboggle and pool are always trained on, so there is no result on them."""

EVER_LEFT_OUT = frozenset(name for names in HOLD_OUT for name in names)


def read_manifest(data: Path, *, masks: Path) -> Manifest:
    """Return the images of all sources, audited.

    Lesions have the masks that the column ``mask`` of the list names, or that lie beside the
    images; outlines are painted as masks into the folder `masks`. The source ``outlined`` are
    augmented copies of others, with which they share groups: where those are left out, so are they.
    """
    listed = data / "manifest.csv"
    if listed.is_file():
        outlined = paint_outlines(data, masks)
        rows = [
            Row(
                path=(path := record["path"]),
                sha256=sha256_of(data / path),
                label=int(record["label"]),
                group=record["group"],
                source=record["source"],
                mask=record.get("mask") or outlined.get(path) or mask_beside(data, path),
            )
            for record in read_csv(listed)
        ]
    else:
        rows = []
        for folder in sorted(data.iterdir()):
            if not folder.is_dir() or is_hidden(folder.name):
                continue
            found = scan_folder(folder)
            for line in on_scan(found.notes):
                say(f"{folder.name}: {line}")
            rows += [
                replace(
                    row,
                    path=f"{folder.name}/{row.path}",
                    source=folder.name,
                    mask=row.mask and f"{folder.name}/{row.mask}",
                )
                for row in found.rows
            ]
    return audit(Manifest(tuple(rows), data), probes=False, input_check=False).manifest


def with_splits(manifest: Manifest) -> Manifest:
    """Everything trains but what must not."""
    return manifest.having(
        replace(row, split="testing" if row.source in NEVER_TRAINED else "training")
        for row in manifest.rows
    )


def in_two(manifest: Manifest) -> tuple[Manifest, Manifest]:
    """Return the images never trained on in two: to judge 8-bit weights by, and to report on.

    Every other patient goes to each, so that no result is of images that chose the model's form.
    """
    unseen = [row for row in manifest.rows if row.source in NEVER_TRAINED]
    judging = set(sorted({row.group for row in unseen})[::2])
    return (
        manifest.having(row for row in unseen if row.group in judging),
        manifest.having(row for row in unseen if row.group not in judging),
    )

"""Tumour types: named by folders and manifests, and in conflict where copies disagree."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.fixtures.audits import audit

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.scan import scan_folder
from tumorscope.cohort.split import grouped_folds, split
from tumorscope.cohort.tumour_type import classes_of, type_of_folder
from tumorscope.common.classes import TYPE_CLASSES
from tumorscope.common.errors import InputError

Head = Callable[..., NDArray[np.uint8]]


@pytest.fixture
def cohort(head: Head, tmp_path: Path) -> Path:
    """A public four-class set in small: parts, variants of names, one picture under two types."""
    folders = ("Training/glioma_tumor", "Training/Meningioma", "Training/no_tumor",
               "Testing/pituitary", "Testing/notumor")  # fmt: skip
    for number, name in enumerate(folders):
        (tmp_path / "set" / name).mkdir(parents=True)
        Image.fromarray(head(number)).save(tmp_path / "set" / name / "a.png")
    turned = np.ascontiguousarray(head(0)[:, ::-1])
    Image.fromarray(turned).save(tmp_path / "set" / "Training/Meningioma/same.png")
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("glioma", "glioma"),
        ("Glioma_Tumour", "glioma"),
        ("PITUITARY", "pituitary"),
        ("meningioma_tumor", "meningioma"),
        ("tumor", ""),
        ("yes", ""),
        ("no_tumor", ""),
    ],
)
def test_folders_name_types(name: str, kind: str) -> None:
    assert type_of_folder(name) == kind


def test_parts_of_public_sets_are_joined_and_typed(cohort: Path) -> None:
    found = {row.path: (row.label, row.tumour_type) for row in scan_folder(cohort).rows}
    assert found == {
        "Testing/notumor/a.png": (0, ""),
        "Testing/pituitary/a.png": (1, "pituitary"),
        "Training/Meningioma/a.png": (1, "meningioma"),
        "Training/Meningioma/same.png": (1, "meningioma"),
        "Training/glioma_tumor/a.png": (1, "glioma"),
        "Training/no_tumor/a.png": (0, ""),
    }


def test_copies_under_two_types_are_listed(cohort: Path, tmp_path: Path) -> None:
    found = audit(cohort, probes=False, output=tmp_path / "audit")
    pair = ("Training/Meningioma/same.png", "Training/glioma_tumor/a.png")
    assert list(found.tumour_type_conflicts.values()) == [pair]
    assert found.label_conflicts == {}
    assert found.flags["type-conflict"] == 2
    written = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert list(written["tumour_type_conflicts"].values()) == [list(pair)]
    page = (tmp_path / "audit" / "report.html").read_text("utf-8")
    assert "Tumour type conflicts" in page
    assert "1 picture carries several tumour types." in page


def test_types_survive_the_manifest_and_only_then_have_a_column(
    cohort: Path, tmp_path: Path
) -> None:
    manifest = scan_folder(cohort)
    manifest.save(cohort / "m.csv")
    assert Manifest.load(cohort / "m.csv").rows == manifest.rows
    plain = manifest.having(replace(row, tumour_type="") for row in manifest.rows)
    plain.save(cohort / "plain.csv")
    assert "tumour_type" not in (cohort / "plain.csv").read_text().splitlines()[0]


@pytest.mark.parametrize(
    ("label", "kind", "message"),
    [("1", "none", "one of glioma"), ("0", "glioma", "no tumour"), ("1", "cyst", "one of glioma")],
)
def test_impossible_types_are_refused(tmp_path: Path, label: str, kind: str, message: str) -> None:
    line = f"a.png,{'0' * 64},{label},g,{kind}"
    (tmp_path / "m.csv").write_text(f"path,sha256,label,group,tumour_type\n{line}\n")
    with pytest.raises(InputError, match=message):
        Manifest.load(tmp_path / "m.csv")


def test_none_says_no_tumour(tmp_path: Path) -> None:
    line = f"a.png,{'0' * 64},0,g,none"
    (tmp_path / "m.csv").write_text(f"path,sha256,label,group,tumour_type\n{line}\n")
    assert Manifest.load(tmp_path / "m.csv").rows[0].tumour_type == ""


def test_classes(cohort: Path) -> None:
    manifest = scan_folder(cohort)
    assert [TYPE_CLASSES[index] for index in classes_of(manifest)] == [
        row.tumour_type or "no tumour" for row in manifest.rows
    ]
    without = manifest.having(row for row in manifest.rows if row.tumour_type != "pituitary")
    with pytest.raises(InputError, match="no usable image of the class pituitary"):
        classes_of(without)
    unnamed = manifest.having(replace(row, tumour_type="") for row in manifest.rows)
    with pytest.raises(InputError, match="4 of 6 images show a tumour of unknown type"):
        classes_of(unnamed)


def test_splits_and_folds_hold_every_class(head: Head, tmp_path: Path) -> None:
    for number in range(4):
        for name in ("glioma", "meningioma", "pituitary", "no"):
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(head(number)).save(tmp_path / name / f"{number}.png")
    shutil.rmtree(tmp_path / "no")
    (tmp_path / "no").mkdir()
    for number in range(4, 8):
        Image.fromarray(head(number)).save(tmp_path / "no" / f"{number}.png")
    manifest = scan_folder(tmp_path)
    # Each picture as a group of its own: what is asked here is the balance of classes.
    manifest = manifest.having(replace(row, group=row.path) for row in manifest.rows)
    classes = classes_of(manifest)
    folds = grouped_folds(classes, manifest.groups, folds=4, seed=0)
    assert all(set(classes[folds == fold].tolist()) == {0, 1, 2, 3} for fold in range(4))
    parted = split(manifest, fractions=(0.5, 0.25, 0.25), classes=classes)
    for name in ("training", "tuning", "testing"):
        assert set(classes_of(parted.of_split(name)).tolist()) == {0, 1, 2, 3}
    with pytest.raises(InputError, match="'no tumour' has 4 readable"):
        grouped_folds(classes, manifest.groups, folds=5, seed=0)

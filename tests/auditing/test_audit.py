"""From a folder to groups, flags and findings, also when the folder is bad."""

from __future__ import annotations

import json
import shutil
import struct
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from tests.fixtures.audits import audit

import tumorscope as ts
from tumorscope.auditing import look
from tumorscope.auditing.result import Audit
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import Row
from tumorscope.cohort.scan import scan_folder
from tumorscope.common.errors import InputError, OutputError, UsageError
from tumorscope.detection.detector import PACKAGED

Head = Callable[..., NDArray[np.uint8]]

pytestmark = pytest.mark.usefixtures("few_trees", "unplotted")


def save(file: Path, pixels: NDArray[np.uint8], **options: object) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.ascontiguousarray(pixels)).save(file, **options)


@pytest.fixture
def folder(head: Head, tmp_path: Path) -> Path:
    """Three heads of each class, and copies: a/b bytes, c turned; d in both classes."""
    data = tmp_path / "data"
    save(data / "yes/a.png", head(1))
    save(data / "yes/b.png", head(1))
    save(data / "yes/c.jpg", np.rot90(head(1)), quality=80)
    save(data / "yes/d.png", head(2))
    save(data / "yes/e.png", head(3))
    save(data / "no/d.png", np.pad(head(2)[:, ::-1], 10))
    save(data / "no/f.png", head(4))
    save(data / "no/g.png", head(5))
    return data


def flags(found: Audit) -> dict[str, tuple[str, ...]]:
    return {row.path: row.flags for row in found.manifest.rows}


def group_of(found: Audit, path: str) -> str:
    return next(row.group for row in found.manifest.rows if row.path == path)


def test_copies_share_a_group_and_conflicts_are_named(folder: Path) -> None:
    found = audit(folder, probes=False)
    assert found.exact_duplicates == (("yes/a.png", "yes/b.png"),)
    assert sorted(found.copies) == [
        ("no/d.png", "yes/d.png"),
        ("yes/a.png", "yes/b.png", "yes/c.jpg"),
    ]
    assert len(found.groups) == 5
    assert found.groups[group_of(found, "yes/a.png")] == ("yes/a.png", "yes/b.png", "yes/c.jpg")
    assert found.label_conflicts == {group_of(found, "no/d.png"): ("no/d.png", "yes/d.png")}
    assert flags(found) == {
        "no/d.png": ("near-duplicate", "label-conflict"),
        "no/f.png": (),
        "no/g.png": (),
        "yes/a.png": ("exact-duplicate", "near-duplicate"),
        "yes/b.png": ("exact-duplicate", "near-duplicate"),
        "yes/c.jpg": ("near-duplicate",),
        "yes/d.png": ("near-duplicate", "label-conflict"),
        "yes/e.png": (),
    }
    assert found.classes == {
        "tumour": {"images": 5, "groups": 3},
        "no tumour": {"images": 3, "groups": 3},
    }
    assert found.unreadable == {}
    assert found.shortcuts == ()


def test_the_outputs_say_the_same(folder: Path, tmp_path: Path) -> None:
    found = audit(folder, output=tmp_path / "out")
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "audit.json",
        "manifest.csv",
        "report.html",
    ]
    document = json.loads((tmp_path / "out/audit.json").read_text())
    assert document == json.loads(json.dumps(found.to_json()))
    assert {
        "groups",
        "exact_duplicates",
        "label_conflicts",
        "overlap",
        "shortcuts",
        "classes",
        "unreadable",
    } <= set(document)
    written = Manifest.load(tmp_path / "out/manifest.csv")
    assert [row.group for row in written.rows] == [row.group for row in found.manifest.rows]
    assert [row.flags for row in written.rows] == [row.flags for row in found.manifest.rows]
    written.check_files()


def test_the_same_folder_gives_the_same_audit(folder: Path) -> None:
    assert audit(folder) == audit(str(folder))


def test_other_cohorts_are_looked_through(folder: Path, head: Head, tmp_path: Path) -> None:
    save(tmp_path / "other/yes/x.jpg", np.rot90(head(3)), quality=70)
    save(tmp_path / "other/no/y.png", head(1))
    save(tmp_path / "other/no/z.png", head(8))
    found = audit(folder, against=[tmp_path / "other"], probes=False)
    other = (tmp_path / "other").as_posix()
    assert found.overlap == {
        "yes/a.png": [f"{other}/no/y.png"],
        "yes/b.png": [f"{other}/no/y.png"],
        "yes/c.jpg": [f"{other}/no/y.png"],
        "yes/e.png": [f"{other}/yes/x.jpg"],
    }
    marked = {path for path, held in flags(found).items() if "overlap" in held}
    assert marked == set(found.overlap)


def test_a_manifest_keeps_its_splits_and_sources_and_its_groups_only_grow(folder: Path) -> None:
    given = scan_folder(folder)
    rows = [
        replace(
            row,
            group="patient" if row.path in ("yes/e.png", "yes/a.png", "no/f.png") else row.group,
            split="training",
            source="clinic",
            flags=("overlap",),
        )
        for row in given.rows
    ]
    found = audit(given.having(rows), probes=False)
    together = {group_of(found, f"{name}") for name in ("yes/e.png", "no/f.png", "yes/c.jpg")}
    assert len(together) == 1
    assert len(found.groups) == 3
    assert {row.split for row in found.manifest.rows} == {"training"}
    assert {row.source for row in found.manifest.rows} == {"clinic"}
    # A patient with both labels is no conflict; the old flag is gone, as nothing overlaps.
    assert len(found.label_conflicts) == 1
    assert "overlap" not in {flag for held in flags(found).values() for flag in held}


def test_a_manifest_file_is_audited_where_it_lies(folder: Path, tmp_path: Path) -> None:
    first = audit(folder, output=folder / "audit", probes=False)
    again = audit(folder / "audit/manifest.csv", probes=False)
    assert [row.group for row in again.manifest.rows] == [row.group for row in first.manifest.rows]
    assert [row.flags for row in again.manifest.rows] == [row.flags for row in first.manifest.rows]


def test_odd_files_are_flagged(folder: Path, head: Head) -> None:
    save(folder / "no/small.png", head(6, 48))
    coloured = np.stack([head(7)] * 3, axis=2)
    coloured[:20] = (230, 60, 20)
    save(folder / "no/banner.png", coloured)
    save(folder / "no/grey.png", np.stack([head(9)] * 3, axis=2))
    save(folder / "no/png.png", head(8))
    (folder / "no/png.png").rename(folder / "no/png.jpg")
    found = flags(audit(folder, probes=False))
    assert found["no/small.png"] == ("tiny",)
    assert found["no/banner.png"] == ("colour",)
    assert found["no/png.jpg"] == ("disguised",)
    assert found["no/grey.png"] == ()


def png_bomb() -> bytes:
    """A PNG that says it is 30,000 × 30,000; decoding it would need 0.9 GB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(30_001) * 4)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )


def test_what_cannot_be_read_stays_as_a_row_with_a_reason(folder: Path) -> None:
    whole = (folder / "yes/c.jpg").read_bytes()
    (folder / "no/truncated.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "no/bomb.png").write_bytes(png_bomb())
    (folder / "no/text.jpg").write_text("not an image")
    (folder / "no/empty.png").write_bytes(b"")
    (folder / "no/dangling.png").symlink_to(folder / "nowhere.png")
    found = audit(folder)
    bad = {f"no/{name}" for name in ("truncated.jpg", "bomb.png", "text.jpg", "empty.png")}
    bad.add("no/dangling.png")
    assert set(found.unreadable) == bad
    assert "truncated" in found.unreadable["no/truncated.jpg"]
    assert "30000 × 30000" in found.unreadable["no/bomb.png"]
    rows = {row.path: row for row in found.manifest.rows}
    for path in bad:
        assert rows[path].flags == ("unreadable",)
        assert (rows[path].width, rows[path].mode, rows[path].sha256) == (0, "", "")
    assert len(found.groups) == 5
    assert not bad & {path for paths in found.groups.values() for path in paths}
    assert found.classes["no tumour"] == {"images": 3, "groups": 3}


def test_a_folder_named_like_an_image_is_passed_over(folder: Path) -> None:
    (folder / "no/folder.jpg").mkdir()
    assert len(audit(folder, probes=False).manifest) == 8


def test_a_single_pixel_is_an_image(folder: Path) -> None:
    save(folder / "no/dot.png", np.full((1, 1), 9, np.uint8))
    found = audit(folder)
    assert flags(found)["no/dot.png"] == ("tiny",)
    assert len(found.groups) == 6


def test_duplicate_names_in_both_classes_are_two_images(folder: Path) -> None:
    paths = [row.path for row in audit(folder, probes=False).manifest.rows]
    assert {"yes/d.png", "no/d.png"} <= set(paths)
    assert len(paths) == len(set(paths)) == 8


def test_files_that_vanished_since_the_manifest_are_unreadable(folder: Path) -> None:
    given = scan_folder(folder)
    (folder / "no/g.png").unlink()
    found = audit(given, probes=False)
    assert list(found.unreadable) == ["no/g.png"]


def test_files_that_vanished_keep_their_hash_and_are_found_by_it(
    folder: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    given = scan_folder(folder)
    known = {row.path: row.sha256 for row in given.rows}
    gone = ["no/g.png", "yes/d.png"]
    for path in gone:
        (folder / path).unlink()
    found = audit(given, against=[copy], probes=False, output=tmp_path / "audit")
    assert sorted(found.unreadable) == gone
    assert set(gone) <= set(found.overlap)
    assert not {path for paths in found.exact_duplicates for path in paths} & set(gone)
    again = Manifest.load(tmp_path / "audit" / "manifest.csv")
    assert [row.sha256 for row in again.rows] == [known[row.path] for row in given.rows]
    assert set(audit(copy, against=[again], probes=False).overlap) == set(known)


@pytest.mark.parametrize("content", ["nothing", "texts", "broken", "truncated"])
def test_a_folder_with_nothing_to_audit_is_refused(
    tmp_path: Path, head: Head, content: str
) -> None:
    (tmp_path / "yes").mkdir()
    (tmp_path / "no").mkdir()
    for name in ("yes/a", "no/b"):
        if content == "texts":
            (tmp_path / f"{name}.txt").write_text("words")
        elif content == "broken":
            (tmp_path / f"{name}.jpg").write_text("words")
        elif content == "truncated":
            save(tmp_path / f"{name}.jpg", head(1))
            data = (tmp_path / f"{name}.jpg").read_bytes()
            (tmp_path / f"{name}.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"[Ee]xpected"):
        audit(tmp_path)


def test_each_image_is_opened_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: Counter[str] = Counter()
    whole = Path.open

    def counting(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path.is_relative_to(folder):
            opened[path.name] += 1
        return whole(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", counting)
    audit(folder)
    # The beginning of a PNG is looked at before, for the mark of an overlay.
    assert opened == {"c.jpg": 1, "d.png": 4, **{f"{name}.png": 2 for name in "abefg"}}


def test_a_rule_that_names_nobody_is_refused_before_any_image_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "open_image", lambda *_, **__: pytest.fail("an image was read"))
    with pytest.raises(UsageError, match="names no image"):
        audit(folder, group_from="(patient[0-9]+)")


def test_what_cannot_be_decoded_is_counted_to_no_patient(folder: Path, head: Head) -> None:
    for name in ("P1", "P2"):
        save(folder / f"yes/{name}/a.jpg", head(20 + len(name)), quality=80)
    whole = (folder / "yes/P2/a.jpg").read_bytes()
    (folder / "yes/P2/a.jpg").write_bytes(whole[: len(whole) // 2])
    found = audit(folder, probes=False)
    assert found.manifest.notes.patients == ("P1",)
    assert found.manifest.notes.patient_images == 1
    assert group_of(found, "yes/P1/a.jpg") == "P1"
    assert group_of(found, "yes/P2/a.jpg").startswith("u")


def test_groups_of_rows_made_by_hand_are_kept(folder: Path) -> None:
    (folder / "no/torn.png").write_bytes(b"\x89PNG")
    rows = [Row(f"no/{name}.png", "", 0, "patient") for name in ("f", "g", "torn")]
    found = audit(Manifest((*rows, Row("yes/e.png", "", 1, "other")), folder), probes=False)
    assert [row.group for row in found.manifest.rows] == ["patient"] * 3 + ["other"]
    assert [row.usable for row in found.manifest.rows] == [True, True, False, True]


def test_groups_that_a_manifest_had_joined_are_named(folder: Path) -> None:
    first = audit(folder, probes=False).manifest
    apart = (replace(row, group=f"{index:012x}") for index, row in enumerate(first.rows))
    loaded = first.having(apart)
    assert loaded.joined
    assert audit(loaded, probes=False).to_json()["groups_joined"] == list(map(list, loaded.joined))


def test_an_output_that_cannot_be_written_is_refused_before_the_work(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="Cannot write"):
        audit(folder, output=tmp_path / "file")


def test_noise_images_of_a_tiny_cohort_stay_apart(tiny_cohort: Path) -> None:
    assert len(audit(tiny_cohort, probes=False).groups) == 12


@pytest.fixture(scope="module")
def of_the_real_set(real_data: Path) -> Audit:
    return ts.audit(real_data / "navoneel_253", probes=False)


@pytest.mark.slow
def test_the_real_set_has_199_pictures(of_the_real_set: Audit) -> None:
    """Counted by eye: 123 yes and 76 no, none across classes, 22 sets of identical files."""
    found = of_the_real_set
    assert len(found.groups) == 199
    assert found.classes == {
        "tumour": {"images": 155, "groups": 123},
        "no tumour": {"images": 98, "groups": 76},
    }
    assert found.label_conflicts == {}
    assert len(found.exact_duplicates) == 22
    assert sum(len(paths) - 1 for paths in found.exact_duplicates) == 25
    assert found.flags["disguised"] == 6
    assert {row.mode for row in found.manifest.rows} == {"L", "RGB", "RGBA", "P"}


def test_the_abdomen_in_the_paper_s_data_set_is_to_be_looked_at(of_the_real_set: Audit) -> None:
    if not PACKAGED.is_file():
        pytest.skip("this installation holds no model")
    found = of_the_real_set
    flags = {row.path: row.flags for row in found.manifest.rows}
    assert "unusual" in flags["yes/Y248.JPG"]
    assert found.flags["not-brain-mri"] + found.flags["unusual"] <= 6

"""Masks of lesions: found beside the images of a folder, checked, and kept wherever rows go."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tumorscope.auditing.audit import audit
from tumorscope.auditing.sentences import on_audit
from tumorscope.cohort.arrays import Images, load_images
from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.masks import mask_hashes, settle_masks
from tumorscope.cohort.row import Row
from tumorscope.cohort.scan import scan_folder
from tumorscope.cohort.split import split
from tumorscope.common.errors import InputError, UsageError
from tumorscope.imaging import SHORTCUT_FREE, Preprocessing
from tumorscope.imaging.lesion_mask import pack_mask
from tumorscope.synthetic.phantom import write_phantom_cohort


def paint(path: Path, *, edge: int = 64, inside: int = 255) -> Path:
    """Write a mask that is white in its upper left quarter."""
    mask = np.zeros((edge, edge), np.uint8)
    mask[: edge // 2, : edge // 2] = inside
    path.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(path), mask)
    return path


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drawn") / "scans"
    write_phantom_cohort(folder, n=12, seed=1)
    for path in folder.rglob("*.png"):  # small, which is quicker
        cv2.imwrite(str(path), cv2.resize(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE), (64, 64)))
    return folder


@pytest.fixture
def scans(drawn: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(drawn, tmp_path / "scans"))


def tumours(manifest: Manifest) -> list[Row]:
    return [row for row in manifest.rows if row.label]


def test_a_folder_finds_the_masks_of_its_tumours_and_scans_the_same_images(scans: Path) -> None:
    before = scan_folder(scans)
    beside, mirrored, *_ = tumours(before)
    free = next(row for row in before.rows if not row.label)
    paint(scans / beside.path.replace(".png", "_mask.png"))
    paint(scans / "masks" / Path(mirrored.path).name)
    paint(scans / free.path.replace(".png", "_mask.png"))
    after = scan_folder(scans)
    assert [row.path for row in after.rows] == [row.path for row in before.rows]
    masks = {row.path: row.mask for row in after.rows if row.mask}
    assert masks == {
        beside.path: beside.path.replace(".png", "_mask.png"),
        mirrored.path: f"masks/{Path(mirrored.path).name}",
    }


def test_a_mask_that_fits_both_classes_is_that_of_the_tumour(scans: Path) -> None:
    row = tumours(scan_folder(scans))[0]
    shutil.copy(next((scans / "no").iterdir()), scans / "no" / Path(row.path).name)
    paint(scans / "masks" / Path(row.path).name)
    found = {each.path: each.mask for each in scan_folder(scans).rows if each.mask}
    assert found == {row.path: f"masks/{Path(row.path).name}"}


def test_masks_of_a_folder_that_cannot_be_used_are_left_out_and_said(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small, torn, several, black, good = tumours(scan_folder(scans))[:5]
    paint(scans / small.path.replace(".png", "_mask.png"), edge=32)
    paint(scans / several.path.replace(".png", "_mask_1.png"))
    paint(scans / several.path.replace(".png", "_mask_2.png"))
    paint(scans / black.path.replace(".png", "_mask.png"), inside=1)
    paint(scans / good.path.replace(".png", "_mask.png"))
    (scans / torn.path.replace(".png", "_mask.png")).write_bytes(b"no picture")
    manifest = audit(scans, probes=False, input_check=False).manifest
    assert {row.path for row in manifest.rows if row.mask} == {good.path, black.path}
    said = capsys.readouterr().err
    assert f"1 image has several masks ({several.path})" in said
    assert "2 of 4 masks cannot be used" in said
    assert "it is 32 × 32 pixels, its image 64 × 64" in said
    assert "1 mask outlines no lesion" in said


def test_an_audit_says_how_many_lesions_are_outlined(scans: Path) -> None:
    nobody = audit(scans, probes=False, input_check=False)
    assert not any(line.startswith("Masks") for line in on_audit(nobody))
    for row in tumours(nobody.manifest)[:2]:
        paint(scans / "masks" / Path(row.path).name)
    lines = on_audit(audit(scans, probes=False, input_check=False))
    assert "Masks: 2 of 6 images with a tumour have one, which says where the lesion is." in lines


@pytest.mark.parametrize(
    ("greys", "said"),
    [
        ((0, 64, 255), "1 mask has grey areas (masks/slice"),  # labels 1 and 4 of 16 bits
        ((255, 255, 0), "1 mask covers more than half of its image (masks/slice"),
        ((0, 0, 255), ""),
    ],
)
def test_masks_that_somebody_may_have_meant_otherwise_are_doubted(
    scans: Path, capsys: pytest.CaptureFixture[str], greys: tuple[int, int, int], said: str
) -> None:
    mask = np.full((64, 64), greys[0], np.uint8)
    mask[8:30, 8:30] = greys[1]
    mask[20:28, 20:28] = greys[2]
    (scans / "masks").mkdir()
    row = tumours(scan_folder(scans))[0]
    # Its edges are soft, which is nothing to doubt.
    cv2.imwrite(str(scans / "masks" / Path(row.path).name), cv2.GaussianBlur(mask, (0, 0), 1.0))
    assert [each.path for each in scan_folder(scans).rows if each.mask] == [row.path]
    heard = capsys.readouterr().err
    assert said in heard
    assert bool(said) == bool(heard)


def test_a_mask_that_fits_two_tumours_is_that_of_neither(
    scans: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second, *_ = tumours(scan_folder(scans))
    for row, patient in ((first, "P1"), (second, "P2")):
        (scans / "yes" / patient).mkdir()
        shutil.move(scans / row.path, scans / "yes" / patient / "a.png")
    paint(scans / "masks" / "a.png")
    assert not any(row.mask for row in scan_folder(scans).rows)
    assert "1 mask fits several images with a tumour (masks/a.png)" in capsys.readouterr().err


@pytest.mark.parametrize("turned", [False, True])
def test_a_mask_has_the_size_of_its_image_as_it_is_shown(
    scans: Path, capsys: pytest.CaptureFixture[str], turned: bool
) -> None:
    row = tumours(scan_folder(scans))[0]
    orientation = Image.Exif()
    orientation[0x0112] = 6  # a quarter turn
    wide = Image.open(scans / row.path).convert("L").resize((64, 48))
    (scans / row.path).unlink()
    wide.save(scans / "yes" / "turned.png", exif=orientation)
    mask = np.zeros((64, 48) if turned else (48, 64), np.uint8)
    mask[:20, :20] = 255
    cv2.imwrite(str(scans / "yes" / "turned_mask.png"), mask)
    found = [each.path for each in scan_folder(scans).rows if each.mask]
    assert found == (["yes/turned.png"] if turned else [])
    assert ("it is 64 × 48 pixels, its image 48 × 64" in capsys.readouterr().err) != turned


def masked(scans: Path) -> Manifest:
    """The cohort, all of whose tumours have a mask in a folder beside it."""
    for row in tumours(scan_folder(scans)):
        paint(scans / "masks" / Path(row.path).name)
    return audit(scans, probes=False, input_check=False).manifest


def test_masks_go_where_rows_go_and_their_paths_stay_right(scans: Path, tmp_path: Path) -> None:
    manifest = masked(scans)
    parted = split(manifest, fractions=(0.5, 0.25, 0.25), seed=0)
    for place in (scans / "manifest.csv", tmp_path / "elsewhere" / "manifest.csv"):
        place.parent.mkdir(exist_ok=True)
        parted.save(place)
        loaded = audit(Manifest.load(place), probes=False, input_check=False).manifest
        files = [loaded.mask_file(row) for row in loaded.rows if row.label]
        assert len(files) == 6
        assert all(file is not None and file.is_file() for file in files)
        assert all(loaded.mask_file(row) is None for row in loaded.rows if not row.label)
    assert Manifest.load(scans / "manifest.csv").rows[-1].mask.startswith("masks/")
    assert Path(Manifest.load(place).rows[-1].mask).is_absolute()
    assert not manifest.having(row for row in manifest.rows if not row.label).rows[0].mask


def test_a_manifest_without_masks_has_no_such_column(scans: Path, tmp_path: Path) -> None:
    audit(scans, probes=False, input_check=False).manifest.save(tmp_path / "manifest.csv")
    assert "mask" not in (tmp_path / "manifest.csv").read_text("utf-8").splitlines()[0]


@pytest.mark.parametrize("wrong", ["missing", "small", "torn"])
def test_masks_that_a_manifest_names_must_be_usable(
    scans: Path, tmp_path: Path, wrong: str
) -> None:
    masked(scans).save(tmp_path / "manifest.csv")
    manifest = Manifest.load(tmp_path / "manifest.csv")
    file = manifest.mask_file(tumours(manifest)[0])
    assert file is not None
    if wrong == "missing":
        file.unlink()
    elif wrong == "small":
        paint(file, edge=32)
    else:
        file.write_bytes(b"torn")
    with pytest.raises(InputError, match=r"1 of 6 masks cannot be used: that of .*column mask"):
        audit(manifest, probes=False, input_check=False)
    if wrong == "missing":
        with pytest.raises(InputError, match="1 mask of the manifest cannot be found"):
            list(mask_hashes(manifest))
    else:
        assert len(list(mask_hashes(manifest))) == 6


def test_a_tumour_free_image_has_no_mask(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(
        f"path,sha256,label,group,mask\na.png,{'0' * 64},0,a,a_mask.png\n", encoding="utf-8"
    )
    with pytest.raises(InputError, match=r"line 2: mask is 'a_mask\.png'; expected nothing"):
        Manifest.load(tmp_path / "manifest.csv")


def test_masks_that_somebody_named_are_not_lost_to_another_audit(
    scans: Path, tmp_path: Path
) -> None:
    out = tmp_path / "audit"
    out.mkdir()
    manifest = masked(scans)
    rows = [replace(row, mask=str(scans / row.mask)) if row.mask else row for row in manifest.rows]
    shutil.move(scans / "masks", tmp_path / "mine")
    moved = [replace(row, mask=row.mask.replace("scans/masks", "mine")) for row in rows]
    manifest.having(moved).save(out / "manifest.csv")
    with pytest.raises(UsageError, match="it holds masks"):
        audit(scans, probes=False, input_check=False, output=out)
    # What is gone cannot be lost: somebody deleted masks, and audits again.
    shutil.rmtree(tmp_path / "mine")
    found = audit(scans, probes=False, input_check=False, output=out)
    assert not any(row.mask for row in found.manifest.rows)


@pytest.mark.parametrize("how", [Preprocessing(32), replace(SHORTCUT_FREE, size=48)])
def test_masks_are_read_where_asked_and_placed_like_their_pictures(
    scans: Path, how: Preprocessing
) -> None:
    manifest = settle_masks(masked(scans))
    plain = load_images(manifest, how)
    assert plain.masks == (None,) * 12
    images = load_images(manifest, how, masks=True)
    np.testing.assert_array_equal(images.pixels, plain.pixels)
    for position, label in enumerate(images.labels):
        mask = images.mask(position)
        assert (mask is not None) == bool(label)
        if mask is not None and how.crop == "none":
            assert mask[:16, :16].all()
            assert mask.sum() == 16 * 16


def test_images_and_masks_are_averaged_down_together() -> None:
    pixels = np.zeros((2, 8, 8), np.uint8)
    pixels[0, :4, :4] = 255
    images = Images(pixels, np.array([1, 0]), masks=(pack_mask(pixels[0] > 0), None))
    small = images.shrunk(4)
    found = small.mask(0)
    assert found is not None
    np.testing.assert_array_equal(found, small.pixels[0] > 0)
    assert small.mask(1) is None
    assert images.shrunk(8) is images

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tumorscope.cohort.scan import scan_folder
from tumorscope.common.errors import OutputError, UsageError
from tumorscope.imaging.preprocess import head_box
from tumorscope.synthetic.phantom import (
    COPIES,
    phantom_lesion_mask,
    phantom_slice,
    write_phantom_cohort,
)
from tumorscope.synthetic.phantom_slice import CONTRASTS, phantom


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort") / "phantoms"
    write_phantom_cohort(folder, n=40, seed=4, duplicates=20, shortcut=True)
    return folder


def auc(values: np.ndarray, labels: np.ndarray) -> float:
    """Share of (tumour, no tumour) pairs that `values` puts in order, whichever way round."""
    pairs = values[labels == 1][:, None] - values[labels == 0]
    share = float((pairs > 0).mean() + 0.5 * (pairs == 0).mean())
    return max(share, 1 - share)


@pytest.mark.parametrize("size", [64, 224, 257])
def test_a_slice_has_the_size_asked_for_and_is_the_same_every_time(size: int) -> None:
    first = phantom_slice(tumour=True, seed=3, size=size)
    assert first.pixels.shape == (size, size)
    assert np.array_equal(first.pixels, phantom_slice(tumour=True, seed=3, size=size).pixels)
    assert not np.array_equal(first.pixels, phantom_slice(tumour=True, seed=4, size=size).pixels)


def test_it_is_a_head_on_dark_air() -> None:
    for seed in range(8):
        pixels = phantom_slice(tumour=seed % 2 == 0, seed=seed).pixels
        top, bottom, left, right = head_box(pixels)
        assert 0.65 * 256 < bottom - top <= 256
        assert 0.5 * 256 < right - left < bottom - top + 8
        corners = [pixels[:12, :12], pixels[-12:, :12], pixels[:12, -12:], pixels[-12:, -12:]]
        assert max(float(corner.mean()) for corner in corners) < 25
        assert pixels[96:160, 96:160].mean() > 35


def test_only_tumours_have_a_lesion_and_it_differs_from_the_rest_of_the_brain() -> None:
    assert not phantom_lesion_mask(tumour=False, seed=1).any()
    contrast = []
    for seed in range(12):
        drawn = phantom(tumour=True, seed=seed)
        share = drawn.lesion.mean()
        assert 0.005 < share < 0.15
        assert np.array_equal(drawn.lesion, phantom_lesion_mask(tumour=True, seed=seed))
        inner = drawn.slice.pixels[64:192, 80:176]
        contrast.append(abs(float(drawn.slice.pixels[drawn.lesion].mean()) - np.median(inner)))
    assert np.median(contrast) > 20


def test_all_contrasts_are_drawn() -> None:
    drawn = {phantom(tumour=False, seed=seed, size=64).contrast for seed in range(40)}
    assert drawn == set(CONTRASTS)


def test_brightness_alone_does_not_tell_the_label() -> None:
    labels = np.arange(120) % 2
    means = np.array(
        [
            phantom_slice(tumour=bool(label), seed=seed, size=96).pixels.mean()
            for seed, label in enumerate(labels)
        ]
    )
    assert auc(means, labels) < 0.65


@pytest.mark.parametrize("size", [0, 63, 1025])
def test_impossible_sizes_are_refused(size: int) -> None:
    with pytest.raises(UsageError, match="64 to 1024"):
        phantom_slice(tumour=True, seed=0, size=size)


def test_a_cohort_is_balanced_readable_and_reproducible(tmp_path: Path) -> None:
    write_phantom_cohort(tmp_path / "a", n=6, seed=9)
    write_phantom_cohort(tmp_path / "b", n=6, seed=9)
    write_phantom_cohort(tmp_path / "c", n=6, seed=10)
    a, b, c = (scan_folder(tmp_path / name) for name in "abc")
    assert [row.sha256 for row in a.rows] == [row.sha256 for row in b.rows]
    assert not {row.sha256 for row in a.rows} & {row.sha256 for row in c.rows}
    assert a.labels.sum() == 3
    assert all(not row.flags for row in a.rows)
    assert len({row.sha256 for row in a.rows}) == 6


def test_copies_are_planted_in_both_classes_and_recorded(planted: Path) -> None:
    record = json.loads((planted / "phantom.json").read_text())
    assert len(record["copies"]) == 20
    assert {copy["change"] for copy in record["copies"]} == set(COPIES)
    assert sum(copy["path"].startswith("yes/") for copy in record["copies"]) == 10
    manifest = scan_folder(planted)
    assert len(manifest) == 60
    digests = {row.path: row.sha256 for row in manifest.rows}
    for copy in record["copies"]:
        assert copy["path"].split("/")[0] == copy["copy_of"].split("/")[0]
        identical = digests[copy["path"]] == digests[copy["copy_of"]]
        assert identical == (copy["change"] == "identical")


def test_copies_still_look_like_their_original(planted: Path) -> None:
    record = json.loads((planted / "phantom.json").read_text())
    for copy in record["copies"]:
        thumbs = []
        for name in ("path", "copy_of"):
            with Image.open(planted / copy[name]) as image:
                pixels = np.asarray(image.convert("L"))
            top, bottom, left, right = head_box(pixels)
            head = Image.fromarray(pixels[top:bottom, left:right]).resize((32, 32))
            thumbs.append(np.asarray(head, dtype=float).ravel())
        upright = np.corrcoef(thumbs[0], thumbs[1])[0, 1]
        mirrored = np.corrcoef(thumbs[0].reshape(32, 32)[:, ::-1].ravel(), thumbs[1])[0, 1]
        assert max(upright, mirrored) > 0.8, copy


def test_the_shortcut_shows_in_the_aspect_ratio(planted: Path, tmp_path: Path) -> None:
    rows = [row for row in scan_folder(planted).rows if "slice" in row.path]
    labels = np.array([row.label for row in rows])
    assert auc(np.array([row.width / row.height for row in rows]), labels) > 0.75
    write_phantom_cohort(tmp_path / "plain", n=10, seed=4)
    assert all(row.width == row.height for row in scan_folder(tmp_path / "plain").rows)


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(UsageError, match="holds files already"):
        write_phantom_cohort(tmp_path, n=2, seed=0)
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    write_phantom_cohort(tmp_path / "new", n=2, seed=0)
    assert len(scan_folder(tmp_path / "new")) == 2


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="Cannot write"):
        write_phantom_cohort(tmp_path / "taken" / "inside", n=2, seed=0)


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfile", full)
    with pytest.raises(OutputError, match="No space left"):
        write_phantom_cohort(tmp_path / "out", n=2, seed=0, duplicates=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("n", "duplicates"), [(0, 0), (1, 0), (-5, 0), (4, -1)])
def test_impossible_numbers_are_refused(tmp_path: Path, n: int, duplicates: int) -> None:
    with pytest.raises(UsageError, match="expected"):
        write_phantom_cohort(tmp_path / "out", n=n, seed=0, duplicates=duplicates)
    assert not (tmp_path / "out").exists()

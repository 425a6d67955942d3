"""Local files and addresses are listed in one order, and what is left out is counted."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tumorscope.common.errors import InputError
from tumorscope.detection.ray_batch.listing import Entry, address_of, list_entries
from tumorscope.imaging.passed_over import PassedOver

pytest.importorskip("fsspec", reason="the extra “ray” is not installed")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b/2.png", "b/1.png", "a/x.jpg", "z.png", "b/masks/1.png"):
        (tmp_path / "scans" / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(tmp_path / "scans" / name), np.zeros((8, 8), np.uint8))
    (tmp_path / "scans" / "notes.txt").write_text("no image")
    return tmp_path / "scans"


def names(entries: list[Entry], folder: Path) -> list[str]:
    return [entry.path.removeprefix("file://").removeprefix(f"{folder}/") for entry in entries]


def test_an_address_lists_what_the_folder_lists(folder: Path) -> None:
    local = list(list_entries([folder], passed := PassedOver()))
    remote = list(list_entries([f"file://{folder}"], there := PassedOver()))
    assert (
        names(local, folder) == names(remote, folder) == ["z.png", "a/x.jpg", "b/1.png", "b/2.png"]
    )
    assert [entry.size for entry in local] == [entry.size for entry in remote]
    assert passed.counts["not-an-image"] == there.counts["not-an-image"] == 1
    assert all(entry.remote and entry.version for entry in remote)


def test_one_file_may_be_named(folder: Path) -> None:
    [local] = list_entries([folder / "z.png"], PassedOver())
    [remote] = list_entries([f"file://{folder}/z.png"], PassedOver())
    assert remote.path == f"file://{local.path}"


def test_a_file_that_is_not_there_is_listed_to_be_reported(tmp_path: Path) -> None:
    [entry] = list_entries([tmp_path / "gone.png"], PassedOver())
    assert entry.size == -1


@pytest.mark.parametrize("address", ["file:///nowhere/at/all", "nonsense://x"])
def test_a_place_that_cannot_be_listed_is_named(address: str) -> None:
    with pytest.raises(InputError, match=address.partition(":")[0]):
        list(list_entries([address], PassedOver()))


def test_a_place_without_images_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Found no images"):
        list(list_entries([f"file://{tmp_path}"], PassedOver()))


@pytest.mark.parametrize("path", ["a", "./s3/x", "C:/x", "/s3:/x"])
def test_what_is_no_address_is_a_path(path: str) -> None:
    assert address_of(Path(path)) is None

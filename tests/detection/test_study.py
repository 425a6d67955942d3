"""Whether a folder holds pictures or volumes, by what lies in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tumorscope.detection.study import Inputs, inputs_of


def made(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"\0" * 128 + b"DICM" if name.startswith("IM") else b"x")
    return folder


def holds_volumes(*paths: Path) -> bool:
    return not inputs_of(paths).pictures


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("a.nii.gz",), True),
        (("P1/a.dcm", "b.txt"), True),
        (("IM0001", "IM0002"), True),
        (("a.png",), False),
        (("a.png", "b.nii.gz"), False),
        (("viewer/icon.gif", *(f"{n}.dcm" for n in range(10))), True),
        (("viewer/icon.gif", *(f"{n}.dcm" for n in range(9))), False),
        ((".hidden.dcm", "notes.txt"), False),
    ],
)
def test_folders(tmp_path: Path, names: tuple[str, ...], expected: bool) -> None:
    assert holds_volumes(made(tmp_path, *names)) is expected


def test_files(tmp_path: Path) -> None:
    made(tmp_path, "IM1", "a.nii", "b.png", "c")
    assert holds_volumes(tmp_path / "IM1", tmp_path / "a.nii")
    assert not holds_volumes(tmp_path / "a.nii", tmp_path / "b.png")
    assert not holds_volumes(tmp_path / "c")
    assert not holds_volumes(tmp_path / "nothing.nii")


def test_pictures_that_are_named_are_no_icons(tmp_path: Path) -> None:
    disc = made(tmp_path / "disc", "icon.gif", *(f"{n}.dcm" for n in range(30)))
    picture = made(tmp_path, "a.png") / "a.png"
    assert inputs_of([picture, disc]) == Inputs((picture,), (disc,), icons=1)
    missing = tmp_path / "nothing.png"
    assert inputs_of([disc, missing, disc / "README.txt"]) == Inputs(
        (missing,), (disc, disc / "README.txt"), icons=1
    )

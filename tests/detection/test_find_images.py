"""Which files are found, in which order, and that odd folders end."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tumorscope.common.errors import InputError
from tumorscope.common.names import as_text, printable
from tumorscope.detection.find_images import count_images, find_images


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def names(root: Path, *paths: Path) -> list[str]:
    return [each.path.relative_to(root).as_posix() for each in find_images(paths or (root,))]


def test_order_is_that_of_names_and_only_images_count(tmp_path: Path) -> None:
    touch(
        tmp_path / "b.PNG",
        tmp_path / "a.jpg",
        tmp_path / "z" / "y.tif",
        tmp_path / "c" / "d" / "e.webp",
        tmp_path / "notes.txt",
        tmp_path / ".hidden.png",
        tmp_path / ".git" / "f.png",
    )
    assert names(tmp_path) == ["a.jpg", "b.PNG", "c/d/e.webp", "z/y.tif"]
    assert count_images([tmp_path]) == 4


def test_a_named_file_counts_whatever_it_is_called(tmp_path: Path) -> None:
    touch(tmp_path / "scan.dat")
    missing = tmp_path / "missing.png"
    assert names(tmp_path, tmp_path / "scan.dat", missing) == ["scan.dat", "missing.png"]


def test_nothing_found_says_what_was_looked_for(tmp_path: Path) -> None:
    touch(tmp_path / "notes.txt")
    with pytest.raises(InputError, match=r"Found no images.*\.png"):
        find_images([tmp_path])
    assert count_images([tmp_path]) == 0


def test_loops_of_links_end(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "1.png")
    (tmp_path / "a" / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "b").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "dir.png").symlink_to(tmp_path / "a", target_is_directory=True)
    (tmp_path / "link.png").symlink_to(tmp_path / "a" / "1.png")
    assert names(tmp_path) == ["link.png", "a/1.png"]
    # A link to a folder that is named itself is searched.
    assert [each.path.name for each in find_images([tmp_path / "b"])] == ["1.png"]


def test_odd_names_are_found_and_shown_on_one_line(tmp_path: Path) -> None:
    odd = ["two\nlines.png", "größe µ.png", "-o.png", "semi;colon.png", " .png"]
    touch(*(tmp_path / name for name in odd))
    raw = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    try:
        Path(os.fsdecode(raw)).write_bytes(b"")
        odd.append(os.fsdecode(b"\xff\xfe.png"))
    except OSError:  # a file system that insists on UTF-8
        pass
    found = [each.path.name for each in find_images([tmp_path])]
    assert sorted(found) == sorted(odd)
    for name in found:
        assert "\n" not in printable(name)
        as_text(name).encode()


def test_places_of_results_never_collide(tmp_path: Path) -> None:
    touch(
        tmp_path / "one" / "a.png",
        tmp_path / "one" / "a.jpg",
        tmp_path / "two" / "one" / "a.png",
        tmp_path / "one" / ("x" * 240 + ".png"),
        tmp_path / "one" / ("x" * 239 + "y.png"),
    )
    paths = [tmp_path / "one", tmp_path / "two" / "one", tmp_path / "one" / "a.png"]
    places = [each.place for each in find_images(paths)]
    assert len(set(places)) == len(places) == 6
    assert all(len(os.fsencode(place.name)) < 200 for place in places)


def test_the_folder_of_results_is_passed_over(tmp_path: Path) -> None:
    touch(tmp_path / "a.png", tmp_path / "overlays" / "a.png.png")
    found = find_images([tmp_path], exclude=[tmp_path / "overlays"])
    assert [each.path.name for each in found] == ["a.png"]


def test_a_folder_of_results_that_comes_into_being_is_passed_over(tmp_path: Path) -> None:
    touch(tmp_path / "a" / "a.png", tmp_path / "b" / "b.png")
    (tmp_path / "link").symlink_to(tmp_path / "b")
    found = find_images([tmp_path], exclude=[tmp_path / "link" / "overlays"])
    names = [next(found).path.name]
    touch(tmp_path / "b" / "overlays" / "a.png.png")
    names += [each.path.name for each in found]
    assert names == ["a.png", "b.png"]


def test_deep_folders_do_not_overflow(tmp_path: Path) -> None:
    deep = tmp_path
    for _ in range(400):
        deep = deep / "d"
    deep.mkdir(parents=True)
    touch(deep / "a.png")
    assert len(list(find_images([tmp_path]))) == 1


def test_counting_gives_up_in_time(tmp_path: Path) -> None:
    touch(*(tmp_path / f"{number}.png" for number in range(600)))
    assert count_images([tmp_path], seconds=0.0) is None
    assert count_images([tmp_path], seconds=30.0) == 600

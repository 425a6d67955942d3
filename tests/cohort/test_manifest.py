"""The manifest: what goes in comes out; what is wrong is named with its line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.cohort.manifest import Manifest
from tumorscope.cohort.row import FLAGS, SPLITS, Row
from tumorscope.common.errors import HonestyError, InputError
from tumorscope.common.files import sha256_of

HASH = "a" * 64
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1).filter(
    lambda text: text == text.strip() and "/" not in text and text not in (".", "..")
)


@given(
    name=TEXT,
    group=TEXT,
    label=st.integers(0, 1),
    split=st.sampled_from(["", *SPLITS]),
    size=st.integers(0, 10**5),
    flags=st.lists(st.sampled_from(FLAGS), unique=True),
)
def test_what_is_saved_is_what_is_loaded(
    tmp_path_factory: pytest.TempPathFactory,
    name: str,
    group: str,
    label: int,
    split: str,
    size: int,
    flags: list[str],
) -> None:
    folder = tmp_path_factory.getbasetemp() / "manifest"
    row = Row(name, HASH, label, group, split, "home", size, size + 1, "L", tuple(flags))
    Manifest((row,), folder).save(folder / "manifest.csv")
    assert Manifest.load(folder / "manifest.csv").rows == (row,)


def test_paths_follow_the_manifest_or_stay_absolute(tmp_path: Path) -> None:
    row = Row("yes/a.png", HASH, 1, "g")
    manifest = Manifest((row,), tmp_path / "data")
    manifest.save(tmp_path / "manifest.csv")
    assert Manifest.load(tmp_path / "manifest.csv").rows[0].path == "data/yes/a.png"
    manifest.save(tmp_path / "elsewhere" / "manifest.csv")
    loaded = Manifest.load(tmp_path / "elsewhere" / "manifest.csv")
    assert loaded.rows[0].path == (tmp_path / "data/yes/a.png").as_posix()
    assert loaded.file(loaded.rows[0]) == tmp_path / "data/yes/a.png"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("path,label\na.png,1\n", "lacks the columns sha256, group"),
        ("", "lacks the columns"),
        ("path,sha256,label,group\n", "no rows"),
        (f"path,sha256,label,group\na.png,{HASH},2,g\n", "line 2: label is '2'"),
        (f"path,sha256,label,group\na.png,{HASH},tumour,g\n", "label is 'tumour'"),
        (f"path,sha256,label,group\n,{HASH},1,g\n", "path is ''"),
        (f"path,sha256,label,group\na.png,{HASH},1,\n", "group is ''"),
        ("path,sha256,label,group\na.png,abc,1,g\n", "sha256 is 'abc'"),
        (f"path,sha256,label,group,split\na.png,{HASH},1,g,train\n", "split is 'train'"),
        (f"path,sha256,label,group,flags\na.png,{HASH},1,g,odd\n", "flags is 'odd'"),
        (f"path,sha256,label,group,width\na.png,{HASH},1,g,-3\n", "width is '-3'"),
        (f"path,sha256,label,group\na.png,{HASH},1,g\na.png,{HASH},0,h\n", "names a.png twice"),
        (f"path,sha256,label,group\na.png,{HASH},1,g\n./a.png,{HASH},1,h\n", "names ./a.png twice"),
        (f"path,sha256,label,group\na.png,{'z' * 64},1,g\n", "expected 64 hexadecimal digits"),
        (f"path,sha256,label,group,width\na.png,{HASH},1,g,{'9' * 5000}\n", "number of pixels"),
        (f"path,sha256,label,group,width\na.png,{HASH},1,g,٣\n", "number of pixels"),
        (f"path,sha256,label,group\na\0.png,{HASH},1,g\n", "holds NUL characters"),
        (f"path,sha256,label,group\n{'a' * 200_000},{HASH},1,g\n", "field larger than"),
        (f"path;sha256;label\na.png;{HASH};1\n", "lacks the columns group; it has path, sha256"),
        (f'path,sha256,label,group\n"a.png,{HASH},1,g\nb.png,{HASH},1,g\n', "label is None"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "m.csv").write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=words):
        Manifest.load(tmp_path / "m.csv")


def test_what_is_no_text_or_not_there_is_told(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_bytes(b"\x89PNG\xff\xfe")
    for name in ("m.csv", "nowhere.csv"):
        with pytest.raises(InputError, match="Cannot read the manifest"):
            Manifest.load(tmp_path / name)


def test_files_are_compared_with_their_hashes(tmp_path: Path) -> None:
    for name in ("same", "changed", "gone"):
        (tmp_path / name).write_text(name)
    rows = [Row(name, sha256_of(tmp_path / name), 1, name) for name in ("same", "changed", "gone")]
    manifest = Manifest(tuple(rows), tmp_path)
    manifest.check_files()
    (tmp_path / "changed").write_text("other")
    with pytest.raises(InputError, match=r"1 of 3 images .* changed since the audit: changed"):
        manifest.check_files()
    (tmp_path / "gone").unlink()
    with pytest.raises(InputError, match="no longer exist: gone"):
        manifest.check_files()
    broken = Row("gone", "", 1, "u", flags=("unreadable",))
    Manifest((rows[0], broken), tmp_path).check_files()


def test_divided_groups_are_refused() -> None:
    rows = (Row("a", HASH, 1, "g", "training"), Row("b", HASH, 1, "g", "testing"))
    with pytest.raises(HonestyError, match="1 groups lie in more than one split: g"):
        Manifest(rows, Path()).check_groups()
    with pytest.warns(DeprecationWarning, match="divided_groups"):
        assert Manifest(rows, Path()).parted_groups() == ["g"]
    whole = tuple(replace(row, split="testing") for row in rows)
    Manifest(whole, Path()).check_groups()
    assert len(Manifest(whole, Path()).of_split("testing")) == 2
    assert len(Manifest(whole, Path()).of_split("training", "tuning")) == 0


def test_what_other_programs_write_is_read(tmp_path: Path) -> None:
    text = f"\ufeffnote,group,label,sha256,path\r\nx,g,1,{HASH.upper()},a.png,more\r\n\r\n"
    (tmp_path / "m.csv").write_bytes(text.encode())
    assert Manifest.load(tmp_path / "m.csv").rows == (Row("a.png", HASH, 1, "g"),)


@pytest.mark.parametrize("name", ["new\nline.png", 'a "quoted", name.png', "semi;colon.png"])
def test_odd_file_names_survive(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    manifest = Manifest((Row(name, sha256_of(tmp_path / name), 1, "g"),), tmp_path)
    manifest.save(tmp_path / "m.csv")
    loaded = Manifest.load(tmp_path / "m.csv")
    assert loaded.rows == manifest.rows
    loaded.check_files()


def test_names_with_spaces_around_them_and_line_ends_are_kept(tmp_path: Path) -> None:
    names = [" lead.png", "cr\rx.png", "=1+2.png", "trail.png "]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    rows = tuple(
        Row(name, sha256_of(tmp_path / name), 1, f"g{number}") for number, name in enumerate(names)
    )
    Manifest(rows, tmp_path).save(tmp_path / "manifest.csv")
    loaded = Manifest.load(tmp_path / "manifest.csv")
    assert [row.path for row in loaded.rows] == names
    loaded.check_files()
    (tmp_path / "plain.png").write_bytes(b"x")
    text = (tmp_path / "manifest.csv").read_text().replace("'=1+2.png", "  plain.png ")
    (tmp_path / "manifest.csv").write_text(text, newline="")
    assert Manifest.load(tmp_path / "manifest.csv").rows[2].path == "plain.png"

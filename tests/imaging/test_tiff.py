"""Several pages: a stack is refused, what only accompanies a picture is passed over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tumorscope.common.errors import UnreadableImageError
from tumorscope.imaging import inspect_image, read_slice
from tumorscope.imaging.tiff import pages_of, picture_of

WriteTiff = Callable[..., bytes]

PICTURE = np.random.default_rng(0).integers(0, 256, (64, 48)).astype(np.uint8)
SMALL = PICTURE[::4, ::4]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_stack_is_refused_with_its_number_of_pictures(
    tmp_path: Path, write_tiff: WriteTiff, big: bool, order: str
) -> None:
    data = write_tiff(*[PICTURE] * 5, big=big, order=order)
    (tmp_path / "stack.tif").write_bytes(data)
    for read in (read_slice, inspect_image):
        with pytest.raises(UnreadableImageError, match="it holds 5 pictures; expected one slice"):
            read(tmp_path / "stack.tif")


@pytest.mark.parametrize(
    ("pages", "kinds"),
    [
        ((PICTURE, SMALL), (0, 1)),
        ((SMALL, PICTURE), (1, 0)),
        ((PICTURE, SMALL), (0, 0)),
        ((SMALL, PICTURE), (0, 0)),
        ((PICTURE, PICTURE[::2, ::2], SMALL), (0, 0, 0)),
        ((PICTURE, (PICTURE > 0).astype(np.uint8)), (0, 4)),
    ],
)
def test_a_preview_or_mask_beside_the_picture_is_passed_over(
    tmp_path: Path,
    write_tiff: WriteTiff,
    pages: tuple[np.ndarray, ...],
    kinds: tuple[int, ...],
) -> None:
    (tmp_path / "a.tif").write_bytes(write_tiff(*pages, kinds=kinds))
    np.testing.assert_array_equal(read_slice(tmp_path / "a.tif").pixels, PICTURE)
    info = inspect_image(tmp_path / "a.tif")
    assert (info.width, info.height) == (48, 64)


def test_slices_of_several_sizes_are_a_stack(tmp_path: Path, write_tiff: WriteTiff) -> None:
    (tmp_path / "a.tif").write_bytes(write_tiff(PICTURE, PICTURE[:40], kinds=(0, 0)))
    with pytest.raises(UnreadableImageError, match="it holds 2 pictures"):
        read_slice(tmp_path / "a.tif")


def test_a_stack_behind_one_directory_is_a_stack(tmp_path: Path, write_tiff: WriteTiff) -> None:
    """ImageJ stores large stacks so, and says how many pictures follow in its description."""
    words = b"ImageJ=1.53t\nimages=30\nslices=30\nloop=false\n\0"
    (tmp_path / "a.tif").write_bytes(write_tiff(PICTURE, words=words))
    with pytest.raises(UnreadableImageError, match="it holds 30 pictures"):
        read_slice(tmp_path / "a.tif")


@given(data=st.binary(max_size=300))
def test_any_bytes_have_pages_or_none(data: bytes) -> None:
    page, count = picture_of(pages_of(b"II*\0\x08\0\0\0" + data))
    assert (page is None) == (count == 0)


def test_a_circle_of_directories_ends(write_tiff: WriteTiff) -> None:
    data = bytearray(write_tiff(PICTURE))
    data[-4:] = data[4:8]  # the next directory is this one
    assert len(pages_of(bytes(data))) == 1


def test_a_compression_that_no_library_here_knows_is_named(
    tmp_path: Path, write_tiff: WriteTiff
) -> None:
    (tmp_path / "a.tif").write_bytes(write_tiff(PICTURE, tags={259: 34712}))
    with pytest.raises(UnreadableImageError, match="compressed with JPEG 2000") as caught:
        read_slice(tmp_path / "a.tif")
    assert "truncated" not in str(caught.value)


@pytest.mark.parametrize("lost", [1, 40])
def test_a_stack_that_was_cut_is_not_its_first_page(
    tmp_path: Path, write_tiff: WriteTiff, lost: int
) -> None:
    whole = write_tiff(PICTURE, PICTURE, PICTURE)
    one = write_tiff(PICTURE)
    # The first page is whole, and names a second that lies beyond the end.
    (tmp_path / "cut.tif").write_bytes(whole[: len(one) + PICTURE.nbytes - lost])
    with pytest.raises(UnreadableImageError, match="pictures"):
        read_slice(tmp_path / "cut.tif")

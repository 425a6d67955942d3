"""The same picture as a file, bytes, an array, a Pillow image or a slice is the same finding."""

from __future__ import annotations

import copy
import io
import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import tumorscope
from tumorscope.common.errors import UnreadableImageError, UsageError
from tumorscope.detection.detector import Detector
from tumorscope.detection.finding import Finding
from tumorscope.imaging.inputs import given

PIXELS = np.kron(
    np.random.default_rng(0).integers(60, 200, (12, 10)).astype(np.uint8), np.ones((8, 8), np.uint8)
)
REDDISH = np.stack([PIXELS, PIXELS, PIXELS // 4], axis=2)


def same(one: Finding, other: Finding) -> bool:
    return (one.decision, one.probability, one.reasons, one.logit) == (
        other.decision,
        other.probability,
        other.reasons,
        other.logit,
    )


@pytest.fixture(scope="module")
def detector(tiny_model: Path) -> Detector:
    return Detector.load(tiny_model, threads=2)


GIVEN = {
    "uint8": PIXELS,
    "uint8 with one channel": PIXELS[..., None],
    "colours": REDDISH,
    "rows apart in memory": np.ascontiguousarray(PIXELS.T).T,
    "every second": np.repeat(np.repeat(PIXELS, 2, 0), 2, 1)[::2, ::2],
    "uint16": PIXELS.astype(np.uint16) * 250,
    "uint16, big endian": (PIXELS.astype(np.uint16) * 250).astype(">u2"),
}


@pytest.mark.parametrize("name", GIVEN)
def test_an_array_is_found_as_its_png_is(detector: Detector, tmp_path: Path, name: str) -> None:
    values = GIVEN[name]
    native = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("=")))
    Image.fromarray(native.squeeze()).save(tmp_path / "a.png")
    finding = detector.detect(values)
    assert same(finding, detector.detect(tmp_path / "a.png"))
    assert finding.source == "array"


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_point_values_are_windowed_as_in_a_tiff(
    detector: Detector, tmp_path: Path, dtype: type
) -> None:
    values: NDArray[np.floating] = (PIXELS / 256).astype(dtype)
    Image.fromarray(values.astype(np.float32)).save(tmp_path / "a.tiff")
    assert same(detector.detect(values), detector.detect(tmp_path / "a.tiff"))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P", "1", "I;16", "F", "CMYK"])
def test_a_pillow_image_is_found_as_its_file_is(
    detector: Detector, tmp_path: Path, mode: str
) -> None:
    image = Image.fromarray(PIXELS).convert("I" if mode == "I;16" else mode)
    image = image.convert(mode)
    suffix = "tiff" if mode in ("F", "CMYK") else "png"
    image.save(tmp_path / f"a.{suffix}")
    before = image.tobytes()
    finding = detector.detect(image)
    assert same(finding, detector.detect(tmp_path / f"a.{suffix}"))
    assert image.tobytes() == before
    assert finding.source == "Pillow image"


def test_bytes_are_found_as_their_file_is(detector: Detector, tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg")
    finding = detector.detect((tmp_path / "a.jpg").read_bytes())
    assert same(finding, detector.detect(str(tmp_path / "a.jpg")))
    assert finding.source == "bytes"
    for suffix in ("tiff", "bmp"):  # uncompressed, which Pillow would map into memory by name
        Image.fromarray(PIXELS).save(tmp_path / f"a.{suffix}")
        data = (tmp_path / f"a.{suffix}").read_bytes()
        assert same(detector.detect(data), detector.detect(PIXELS))


def test_a_pillow_image_that_is_still_to_be_read_is_turned_upright(
    detector: Detector, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        scan = given(image).slice
        np.testing.assert_array_equal(scan.pixels, np.rot90(PIXELS, -1))
        assert scan.source == str(tmp_path / "a.png")


def test_an_opened_pillow_image_is_what_its_file_is_where_pillow_reads_that_wrong(
    detector: Detector, tmp_path: Path
) -> None:
    negative, colours = tmp_path / "a.tiff", tmp_path / "a.png"
    twelve = PIXELS.astype(np.uint16) * 16
    Image.fromarray(65535 - twelve).save(negative, tiffinfo={262: 0, 274: 6})
    cv2.imwrite(str(colours), np.stack([twelve] * 3, axis=2))
    for path, upright in ((negative, np.rot90(twelve, -1)), (colours, twelve)):
        expected = given(upright)[0].pixels
        for source in (path, io.BytesIO(path.read_bytes())):
            with Image.open(source) as image:
                for _ in range(2):  # looking changes nothing for the caller
                    np.testing.assert_array_equal(given(image)[0].pixels, expected)
                    assert image.tile
                assert same(detector.detect(image), detector.detect(path))
    Image.fromarray(65535 - twelve).save(negative, tiffinfo={262: 0})
    with Image.open(negative) as image:
        image.load()
        np.testing.assert_array_equal(given(image)[0].pixels, given(twelve)[0].pixels)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (None, "NoneType"),
        (3.5, "float"),
        (io.BytesIO(b""), "what its read\\(\\) returns"),
        ([[1, 2], [3, 4]], "list"),
        (PIXELS > 100, "array of bool"),
        (PIXELS.astype(np.int64), "array of int64"),
        (PIXELS.astype(np.complex64), "array of complex64"),
        (PIXELS[0], r"shape \(80,\)"),
        (np.stack([PIXELS] * 4, axis=2), r"shape \(96, 80, 4\)"),
        (np.stack([PIXELS] * 5), r"shape \(5, 96, 80\)"),
        (np.array([PIXELS, "a"], dtype=object), "array of object"),
    ],
)
def test_what_is_no_image_is_refused_with_what_is(
    detector: Detector, given: Any, words: str
) -> None:
    for ask in (detector.detect, lambda image: list(detector.detect_many([image]))):
        with pytest.raises(UsageError, match=words) as caught:
            ask(given)
        assert "expected" in str(caught.value)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (np.where(PIXELS > 150, np.nan, 1.0), "not finite"),
        (np.full((9, 9), np.inf), "not finite"),
        (np.zeros((0, 5), np.uint8), r"its shape is \(0, 5\)"),
        (b"", "it is empty"),
        (b"%PDF-1.4", "it is a PDF document"),
        (np.broadcast_to(np.uint8(7), (10_000, 10_000)), "10000 × 10000 pixels"),
    ],
)
def test_an_image_that_cannot_be_used_is_one_unreadable_finding(
    detector: Detector, given: tumorscope.Image, words: str
) -> None:
    with pytest.raises(UnreadableImageError, match=words):
        detector.detect(given)
    findings = list(detector.detect_many([PIXELS, given, PIXELS]))
    assert [finding.decision == "unreadable" for finding in findings] == [False, True, False]


def test_many_of_every_kind_come_in_order(detector: Detector, tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    images = [tmp_path / "a.png", PIXELS, Image.fromarray(PIXELS), tumorscope.Slice(PIXELS, "s")]
    findings = list(detector.detect_many(images))
    assert [each.source for each in findings] == [
        str(tmp_path / "a.png"),
        "array",
        "Pillow image",
        "s",
    ]
    assert all(same(each, findings[0]) for each in findings)
    stack = list(detector.detect_many(np.stack([PIXELS] * 3)))
    assert len(stack) == 3


@pytest.mark.parametrize("one", ["a.png", Path("a.png"), b"bytes"])
def test_one_image_is_not_many(detector: Detector, one: Any) -> None:
    with pytest.raises(UsageError, match="received one image"):
        detector.detect_many(one)


@pytest.mark.parametrize("used", [False, True])
def test_a_detector_is_pickled_and_copied(tiny_model: Path, used: bool) -> None:
    detector = Detector.load(tiny_model, threads=1, operating_point="screening")
    expected = Detector.load(tiny_model, operating_point="screening").detect(PIXELS)
    if used:
        detector.detect(PIXELS)
        list(detector.detect_many([PIXELS]))
    for each in (
        pickle.loads(pickle.dumps(detector)),
        copy.copy(detector),
        copy.deepcopy(detector),
    ):
        assert same(each.detect(PIXELS), expected)
        assert (each.threads, each.operating_point) == (1, "screening")


def test_worker_processes_take_a_used_detector(detector: Detector) -> None:
    expected = detector.detect(PIXELS)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        assert same(pool.submit(detector.detect, PIXELS).result(timeout=120), expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_opens_engines_of_its_own(detector: Detector) -> None:
    """The threads of the parent's engine are not in the child, which would wait for them."""
    expected = detector.detect(PIXELS)
    list(detector.detect_many([PIXELS]))
    context = multiprocessing.get_context("fork")
    queue = context.SimpleQueue()

    def work() -> None:
        findings = [detector.detect(PIXELS), *detector.detect_many([PIXELS])]
        queue.put([each.probability for each in findings])

    child = context.Process(target=work)
    child.start()
    child.join(60)
    assert child.exitcode == 0
    assert queue.get() == [expected.probability] * 2
    assert same(detector.detect(PIXELS), expected)

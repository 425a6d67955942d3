"""Parts of the metadata that compute something."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from tumorscope.duplicates.same_pixels import digest_of
from tumorscope.imaging import Preprocessing
from tumorscope.model_file.schema import (
    OperatingPoint,
    PreprocessingSpec,
    Prints,
    TrainingThumbprints,
)


@given(arrays(np.uint8, st.tuples(st.integers(1, 7), st.just(104))))
def test_thumbprints_survive_packing(thumbprints: np.ndarray) -> None:
    seen = TrainingThumbprints.model_validate_json(
        TrainingThumbprints.pack(thumbprints).model_dump_json()
    )
    assert (seen.count, seen.version) == (len(thumbprints), 2)
    assert seen.unpack().dtype == np.uint8
    np.testing.assert_array_equal(seen.unpack(), thumbprints)


@given(arrays(np.int8, st.tuples(st.integers(1, 7), st.just(256))))
def test_thumbprints_of_version_1_survive_packing_nearly(thumbprints: np.ndarray) -> None:
    seen = TrainingThumbprints.model_validate_json(
        TrainingThumbprints.pack(thumbprints).model_dump_json()
    )
    assert (seen.count, seen.version) == (len(thumbprints), 1)
    assert seen.unpack().dtype == np.int8
    np.testing.assert_allclose(seen.unpack(), thumbprints.astype(int), atol=3)


def test_thumbprints_of_starting_weights_are_kept_beside_those_of_the_run() -> None:
    older = Prints.pack(np.full((3, 256), 60, np.int8))
    own = TrainingThumbprints.pack(np.full((2, 104), 9, np.uint8)).model_copy(
        update={"inherited": (older,)}
    )
    seen = TrainingThumbprints.model_validate_json(own.model_dump_json())
    assert (seen.count, seen.total) == (2, 5)
    assert [each.version for each in seen.lists] == [2, 1]


def test_what_the_version_before_wrote_is_read() -> None:
    data = TrainingThumbprints.pack(np.full((2, 256), 60, np.int8)).data
    old = {"version": 1, "count": 2, "packing": "sixths", "data": data}
    assert TrainingThumbprints.model_validate(old).unpack().shape == (2, 256)


@pytest.mark.parametrize(
    ("change", "said"),
    [({"version": 4}, "version 4; expected 1, 2 or 3"), ({"packing": "bytes"}, "not packed so")],
)
def test_thumbprints_of_other_versions_are_refused(change: dict[str, object], said: str) -> None:
    seen = TrainingThumbprints.pack(np.full((2, 256), 60, np.int8)).model_dump()
    with pytest.raises(ValidationError, match=said):
        TrainingThumbprints.model_validate({**seen, **change})


@pytest.mark.parametrize(
    "change",
    [
        {"data": "not base64!"},
        {"data": "AAAA"},
        {"count": 5},
        {"count": 1},
        {"data": ""},
        # 100 MB of zeros in a few bytes: no more is unpacked than two thumbprints need.
        {"data": base64.b64encode(zlib.compress(bytes(100_000_000), 9)).decode()},
    ],
)
def test_damaged_thumbprints_are_refused(change: dict[str, object]) -> None:
    seen = TrainingThumbprints.pack(np.full((2, 256), 60, np.int8)).model_dump()
    with pytest.raises(ValidationError, match=r"do not fill|cannot be unpacked"):
        TrainingThumbprints.model_validate({**seen, **change})


def some_marks(*images: int) -> list[np.ndarray]:
    """Return marks of so many images, two rows each; of image 0, which has no structure, none."""
    rng = np.random.default_rng(3)
    drawn = rng.integers(1, 1 << 63, (max(images) + 1, 2, 12), dtype=np.uint64)
    return [drawn[each] * np.uint64(each > 0) for each in images]


def test_marks_survive_and_say_not_of_which_image_they_are() -> None:
    seen = TrainingThumbprints.of(some_marks(1, 2, 3))
    read = TrainingThumbprints.model_validate_json(seen.model_dump_json())
    assert (read.version, read.count, read.total) == (3, 3, 3)
    assert read.data == TrainingThumbprints.of(some_marks(3, 1, 2)).data
    for mine, theirs in zip(seen.sets().sets, read.sets().sets, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert TrainingThumbprints.of([]).total == 0


def test_digests_survive_but_those_of_images_without_structure() -> None:
    pixels = [np.full((4, 4), grey, np.uint8) for grey in (10, 0, 20)]
    own = TrainingThumbprints.of(some_marks(1, 0, 2), map(digest_of, pixels))
    seen = TrainingThumbprints.model_validate_json(own.model_dump_json())
    assert seen.digests == {digest_of(pixels[0]), digest_of(pixels[2])}
    assert TrainingThumbprints.of(some_marks(1, 2)).digests == frozenset()


@pytest.mark.parametrize("change", [{"data": "AAAA"}, {"data": ""}, {"data": "no base64"}])
def test_damaged_marks_are_refused(change: dict[str, object]) -> None:
    seen = TrainingThumbprints.of(some_marks(1)).model_dump()
    with pytest.raises(ValidationError, match=r"do not fill|cannot be unpacked"):
        TrainingThumbprints.model_validate({**seen, **change})


def test_what_is_withheld_is_not_there() -> None:
    withheld = TrainingThumbprints(withheld=True)
    assert TrainingThumbprints.model_validate_json(withheld.model_dump_json()).withheld
    with pytest.raises(ValidationError, match="withheld"):
        TrainingThumbprints.model_validate(
            {**TrainingThumbprints.of(some_marks(1)).model_dump(), "withheld": True}
        )


@pytest.mark.parametrize("prepared", ["not base64!", "é", "AAAA", "AAAAAAAAAAAAAAAAAAAAAA=="])
def test_damaged_digests_are_refused(prepared: str) -> None:
    seen = TrainingThumbprints.pack(np.full((1, 104), 9, np.uint8)).model_dump()
    with pytest.raises(ValidationError, match=r"do not fill|cannot be unpacked"):
        TrainingThumbprints.model_validate({**seen, "prepared": prepared})


@pytest.mark.parametrize("crop", ["none", "head"])
@pytest.mark.parametrize("fit", ["stretch", "pad"])
@pytest.mark.parametrize("intensity", ["none", "percentile"])
def test_every_preprocessing_survives(crop: str, fit: str, intensity: str) -> None:
    how = Preprocessing(size=96, crop=crop, fit=fit, intensity=intensity)
    assert PreprocessingSpec.model_validate(how.to_dict()).preprocessing == how


def test_it_cannot_be_changed() -> None:
    point = OperatingPoint(threshold=0.5, policy="made up")
    with pytest.raises(ValidationError, match="frozen"):
        point.threshold = 0.1

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

from tumorscope.imaging import Preprocessing
from tumorscope.model_file.schema import HowPrepared, OperatingPoint, Seen


@given(arrays(np.int8, st.tuples(st.integers(0, 7), st.just(256))))
def test_thumbprints_survive_packing(thumbprints: np.ndarray) -> None:
    seen = Seen.model_validate_json(Seen.pack(thumbprints).model_dump_json())
    assert seen.count == len(thumbprints)
    assert seen.unpack().dtype == np.int8
    np.testing.assert_allclose(seen.unpack(), thumbprints.astype(int), atol=3)


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
    seen = Seen.pack(np.full((2, 256), 60, np.int8)).model_dump()
    with pytest.raises(ValidationError, match=r"do not fill|cannot be unpacked"):
        Seen.model_validate({**seen, **change})


@pytest.mark.parametrize("crop", ["none", "head"])
@pytest.mark.parametrize("fit", ["stretch", "pad"])
@pytest.mark.parametrize("intensity", ["none", "percentile"])
def test_every_preprocessing_survives(crop: str, fit: str, intensity: str) -> None:
    how = Preprocessing(size=96, crop=crop, fit=fit, intensity=intensity)  # type: ignore[arg-type]
    assert HowPrepared.model_validate(how.to_dict()).preprocessing == how


def test_it_cannot_be_changed() -> None:
    point = OperatingPoint(threshold=0.5, policy="made up")
    with pytest.raises(ValidationError, match="frozen"):
        point.threshold = 0.1

"""Parts of the metadata that compute something."""

from __future__ import annotations

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
    np.testing.assert_array_equal(seen.unpack(), thumbprints)


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

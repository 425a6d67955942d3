"""The network's input is known again by eight bytes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tumorscope.duplicates.same_pixels import BYTES, digest_of

pictures = arrays(np.uint8, (6, 6), elements=st.integers(0, 255))


@given(pictures, pictures)
def test_equal_pixels_alone_have_one_digest(one: np.ndarray, other: np.ndarray) -> None:
    assert len(digest_of(one)) == BYTES
    assert digest_of(one) == digest_of(one.T.copy().T)
    assert (digest_of(one) == digest_of(other)) == np.array_equal(one, other)

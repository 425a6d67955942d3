"""The value of a rank is that which sorting finds."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tumorscope.scans.selection import values_of_ranks

KINDS = ["uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64"]


@given(st.data())
def test_values_of_ranks(data: st.DataObject) -> None:
    kind = np.dtype(data.draw(st.sampled_from(KINDS)))
    elements = None
    if kind.kind == "f":
        width = 8 * kind.itemsize
        elements = st.floats(width=width, allow_nan=False, allow_infinity=False)
    shape = data.draw(st.tuples(*[st.integers(1, 5)] * 3))
    voxels = data.draw(arrays(kind, shape, elements=elements))
    ranks = data.draw(st.lists(st.integers(0, voxels.size - 1), min_size=1, max_size=3))
    ordered = np.sort(voxels, axis=None)
    assert values_of_ranks(voxels, ranks) == [float(ordered[rank]) for rank in ranks]
    assert values_of_ranks(voxels[:, ::-1].transpose(2, 0, 1), ranks) == [
        float(ordered[rank]) for rank in ranks
    ]


@given(st.data())
def test_values_that_do_not_count(data: st.DataObject) -> None:
    kind = np.dtype(data.draw(st.sampled_from(["uint8", "int16", "float32", "float64"])))
    elements = st.integers(0, 9).map(kind.type)
    voxels = data.draw(arrays(kind, (3, 2, 4), elements=elements))
    rest = np.sort(voxels[(voxels < 3) | (voxels > 5)])
    for rank, value in enumerate(rest):
        assert values_of_ranks(voxels, [rank], (3.0, 5.0)) == [float(value)]

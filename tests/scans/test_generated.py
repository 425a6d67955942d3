"""Studies drawn at random in all that headers may say, against the arithmetic of the headers."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)
from tests.fixtures.dicom_files import Array, enhanced, image, save
from tests.scans.test_planes import ANGLES, rotation

from tumorscope.scans import Volume, index_study, read_volumes, views

UNCOMPRESSED = [
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
]
PACKED = [RLELossless, JPEG2000Lossless, JPEGLSLossless]
SIZE = (32, 33)


@dataclass(frozen=True)
class Case:
    """What the headers of a study say."""

    bits: int
    stored: int
    spare: int
    """Bits below those that count."""
    signed: bool
    inverse: str
    syntax: UID
    rescales: tuple[tuple[float, float], ...]
    order: tuple[int, ...]
    angles: Any
    step: float
    in_one_file: bool
    seed: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    bits = draw(st.sampled_from([8, 16, 16, 16, 32]))
    stored = draw(st.integers(max(2, bits // 2 + 1), bits))
    syntax = draw(st.sampled_from(UNCOMPRESSED + (PACKED if bits == 16 else [])))
    spare = draw(st.integers(0, bits - stored)) if syntax in UNCOMPRESSED else 0
    count = draw(st.integers(1, 5))
    one = st.tuples(st.sampled_from([1.0, 0.5, 2.25, -1.5]), st.sampled_from([0.0, -1024.0, 7.5]))
    rescales = draw(
        st.one_of(
            st.just(((1.0, 0.0),) * count),
            one.map(lambda each: (each,) * count),
            st.tuples(*[one] * count),
        )
    )
    return Case(
        bits,
        stored,
        spare,
        # What is stored in 8 bits is never signed, and JPEG-LS knows no signs.
        draw(st.booleans()) if bits > 8 and syntax != JPEGLSLossless else False,
        draw(st.sampled_from(["", "MONOCHROME1", "INVERSE", "both"])),
        syntax,
        rescales,
        tuple(draw(st.permutations(range(count)))),
        draw(ANGLES),
        draw(st.sampled_from([1.0, 3.3, 6.0])),
        draw(st.booleans()),
        draw(st.integers(0, 2**16)),
    )


def values_of(case: Case) -> Array:
    """(slices, rows, columns): what counts, over the whole range of the bits."""
    low = -(1 << (case.stored - 1)) if case.signed else 0
    kind = np.dtype(f"{'i' if case.signed else 'u'}{case.bits // 8}")
    rng = np.random.default_rng(case.seed)
    drawn = rng.integers(low, low + (1 << case.stored), (len(case.order), *SIZE), dtype=np.int64)
    return drawn.astype(kind)


def in_file(case: Case, values: Array) -> Array:
    """The values among others' bits, as overlays leave them."""
    rng = np.random.default_rng(case.seed + 1)
    unsigned = np.dtype(f"u{case.bits // 8}")
    if case.syntax not in UNCOMPRESSED:
        return values
    mask = ((1 << case.stored) - 1) << case.spare
    others = rng.integers(0, 1 << case.bits, values.shape, dtype=np.uint64) & ~np.uint64(mask)
    counted = (values.astype(np.int64) << case.spare).astype(np.uint64) & np.uint64(mask)
    return (others | counted).astype(unsigned).view(values.dtype)


def datasets(case: Case, values: Array, affine: NDArray[np.float64]) -> list[Dataset]:
    stored = in_file(case, values)
    kind = 1 if case.inverse in ("MONOCHROME1", "both") else 2
    how: dict[str, Any] = {
        "along_row": affine[:3, 2],
        "along_column": affine[:3, 1],
        "stored": case.stored,
        "HighBit": case.stored - 1 + case.spare,
        "PixelRepresentation": int(case.signed),
        "PhotometricInterpretation": f"MONOCHROME{kind}",
        "PresentationLUTShape": "INVERSE" if case.inverse in ("INVERSE", "both") else None,
    }
    places = [affine[:3, 3] + index * affine[:3, 0] for index in case.order]
    if case.in_one_file:
        rescales = [case.rescales[index] for index in case.order]
        return [enhanced(stored[list(case.order)], places, rescales=rescales, **how)]
    return [
        image(
            stored[index],
            number=number + 1,
            position=place,
            RescaleSlope=str(case.rescales[index][0]),
            RescaleIntercept=str(case.rescales[index][1]),
            **how,
        )
        for number, (index, place) in enumerate(zip(case.order, places, strict=True))
    ]


def expected(case: Case, values: Array) -> NDArray[np.float64]:
    slopes, intercepts = (
        np.array(part)[:, None, None] for part in zip(*case.rescales, strict=True)
    )
    rescaled = values.astype(np.float64) * slopes + intercepts
    return rescaled if not case.inverse else rescaled.min() + rescaled.max() - rescaled


@settings(max_examples=40)
@given(cases())
def test_values_and_places_are_those_of_the_headers(case: Case) -> None:
    values = values_of(case)
    affine = rotation(case.angles) @ np.array(
        [[0, 0, 1, -7.5], [0, 1, 0, -9], [case.step, 0, 0, 3], [0, 0, 0, 1]], dtype=float
    )
    with tempfile.TemporaryDirectory() as folder:
        for number, dataset in enumerate(datasets(case, values, affine)):
            save(dataset, Path(folder) / f"{97 * (number + 1) % 101}", syntax=case.syntax)
        index = index_study(folder)
        assert index.not_read == ()
        [volume] = read_volumes(index.series[0])
        assert isinstance(volume, Volume)
        shown = [scan.slice.pixels for scan in views(volume)]
    assert volume.voxels.dtype.isnative
    precise = volume.voxels.dtype.kind in "iu" or case.bits == 32
    wanted = expected(case, values)
    if precise:
        assert np.array_equal(volume.voxels, wanted)
    else:  # float32 holds 24 bits, and the sum around which values are turned is rounded as well
        assert np.abs(volume.voxels - wanted).max() <= 2e-6 * np.abs(wanted).max()
    corners = np.array([origin.position for origin in volume.origins])
    steps = np.arange(len(values))[:, None] * affine[:3, 0]
    assert np.abs(corners - affine[:3, 3] - steps).max() < 1e-6
    assert len(shown) == len(values)


@settings(max_examples=15)
@given(cases())
def test_simpleitk_reads_the_same_where_it_is_right(case: Case) -> None:
    """It inverts around the stored range, and takes the first frame's rescale for all."""
    case = replace(
        case,
        stored=case.bits,
        spare=0,
        inverse="",
        rescales=(case.rescales[0],) * len(case.order),
        in_one_file=False,
        syntax=ExplicitVRLittleEndian,
    )
    values = values_of(case)
    with tempfile.TemporaryDirectory() as folder:
        affine = rotation(case.angles) @ np.array(
            [[0, 0, 1, 0], [0, 1, 0, 0], [case.step, 0, 0, 0], [0, 0, 0, 1]], dtype=float
        )
        for number, dataset in enumerate(datasets(case, values, affine)):
            save(dataset, Path(folder) / f"{number}")
        names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(folder)
        theirs = sitk.GetArrayFromImage(sitk.ReadImage(names))
        [volume] = read_volumes(index_study(folder).series[0])
    assert isinstance(volume, Volume)
    assert np.allclose(theirs, volume.voxels, rtol=1e-6)

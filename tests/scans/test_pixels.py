"""Values come out as they went in, whatever the file's syntax, bits, sign and byte order."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pydicom.encaps
import pytest
import SimpleITK as sitk
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
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
from tests.fixtures.dicom_files import Array, image, save

from tumorscope.scans import NotRead, Volume, index_study, read_volumes

NATIVE = (ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian)
COMPRESSED = (DeflatedExplicitVRLittleEndian, RLELossless, JPEG2000Lossless, JPEGLSLossless)


def read(path: Path) -> Volume | NotRead:
    """The one thing that a file or folder holds."""
    index = index_study(path)
    if index.not_read:
        [found] = index.not_read
        return found
    [series] = index.series
    [volume] = read_volumes(series)
    return volume


def values_of(path: Path) -> Array:
    volume = read(path)
    assert isinstance(volume, Volume), volume
    assert volume.voxels.dtype.isnative
    return volume.voxels[0]


def drawn(allocated: int, stored: int, signed: bool, shape: tuple[int, int] = (33, 40)) -> Array:
    """Values of so many bits, the largest and the smallest among them."""
    low, high = (-(1 << stored - 1), (1 << stored - 1) - 1) if signed else (0, (1 << stored) - 1)
    values = np.random.default_rng(stored).integers(low, high, shape, endpoint=True)
    values[0, 0], values[-1, -1] = low, high
    return values.astype(f"{'i' if signed else 'u'}{allocated // 8}")


@settings(max_examples=60)
@given(
    syntax=st.sampled_from(NATIVE + COMPRESSED),
    bits=st.sampled_from([(8, 8), (16, 8), (16, 12), (16, 13), (16, 16)]),
    signed=st.booleans(),
    bare=st.booleans(),
)
def test_values_survive(syntax: UID, bits: tuple[int, int], signed: bool, bare: bool) -> None:
    allocated, stored = bits
    # pydicom cuts 16 bits of which 8 count to 8 before it writes RLE, and says 16.
    assume(syntax != RLELossless or allocated == 8 or stored > 8)
    values = drawn(allocated, stored, signed)
    with tempfile.TemporaryDirectory() as folder:
        dataset = image(values, stored=stored)
        path = save(dataset, Path(folder) / "a", syntax=syntax, bare=bare and syntax in NATIVE[:2])
        found = values_of(path)
    assert found.dtype == values.dtype
    assert np.array_equal(found, values)


@settings(max_examples=40)
@given(
    syntax=st.sampled_from((*NATIVE, DeflatedExplicitVRLittleEndian, RLELossless)),
    stored=st.integers(2, 15),
    above=st.integers(0, 4),
    signed=st.booleans(),
)
def test_bits_that_do_not_count_are_masked(
    syntax: UID, stored: int, above: int, signed: bool
) -> None:
    high = min(15, stored - 1 + above)
    values = drawn(16, stored, signed)
    bits = values.view(np.uint16) & ((1 << stored) - 1)
    shift = high + 1 - stored
    junk = np.random.default_rng(1).integers(0, 1 << 16, bits.shape, dtype=np.uint16)
    counted = np.uint16(((1 << stored) - 1) << shift)
    mixed = (bits << shift) | (junk & ~counted)
    with tempfile.TemporaryDirectory() as folder:
        path = save(image(mixed), Path(folder) / "a", syntax=syntax)
        dataset = pydicom.dcmread(path)
        dataset.BitsStored, dataset.HighBit = stored, high
        dataset.PixelRepresentation = int(signed)
        dataset.save_as(path)
        found = values_of(path)
    assert np.array_equal(found, values)


@pytest.mark.parametrize("syntax", NATIVE)
@pytest.mark.parametrize("signed", [False, True])
def test_values_of_32_bits(tmp_path: Path, syntax: UID, signed: bool) -> None:
    values = drawn(32, 32, signed)
    assert np.array_equal(values_of(save(image(values), tmp_path / "a", syntax=syntax)), values)


@pytest.mark.parametrize("syntax", [*NATIVE, JPEG2000Lossless, RLELossless])
def test_other_readers_agree(tmp_path: Path, syntax: UID) -> None:
    values = drawn(16, 12, True)
    path = save(image(values, stored=12), tmp_path / "a.dcm", syntax=syntax)
    assert np.array_equal(pydicom.dcmread(path).pixel_array, values)
    assert np.array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path)))[0], values)
    assert np.array_equal(values_of(path), values)


@pytest.mark.parametrize(
    "name",
    [
        "JPEGExtendedProcess2_4",
        "JPEGExtendedProcess3_5",
        "JPEGSpectralSelectionProcess6_8",
        "JPEGFullProgressionProcess10_12",
        "JPEGLosslessProcess14",
        "JPEGLosslessProcess14_1",
        "JPEGLSNearLossless",
        "JPEG2000",
    ],
)
def test_every_jpeg_that_gdcm_writes_is_read(tmp_path: Path, name: str) -> None:
    """Also 12 bits lossy (4.51), and what has been retired (4.52, 4.53, 4.55)."""
    ramp: NDArray[np.uint16] = (np.add.outer(np.arange(16), np.arange(24)) * 100).astype(np.uint16)
    plain = save(image(ramp, stored=12), tmp_path / "plain" / "a.dcm")
    found = values_of(by_gdcm(plain, tmp_path / "a.dcm", name))
    assert found.dtype == np.uint16
    assert np.abs(found.astype(int) - ramp).max() <= 2


def by_gdcm(plain: Path, path: Path, name: str) -> Path:
    import gdcm

    reader = gdcm.ImageReader()
    reader.SetFileName(str(plain))
    assert reader.Read()
    change = gdcm.ImageChangeTransferSyntax()
    change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, name)))
    change.SetInput(reader.GetImage())
    assert change.Change()
    writer = gdcm.ImageWriter()
    writer.SetFile(reader.GetFile())
    writer.SetImage(change.GetOutput())
    writer.SetFileName(str(path))
    assert writer.Write()
    return path


def test_what_cannot_be_decoded_is_named_with_its_uid(tmp_path: Path) -> None:
    path = save(image(drawn(16, 12, False)), tmp_path / "a", syntax=RLELossless)
    dataset = pydicom.dcmread(path)
    for uid in ("1.2.840.10008.1.2.4.100", "1.2.840.10008.1.2.4.94", "1.2.3.4"):
        dataset.file_meta.TransferSyntaxUID = UID(uid)
        dataset.save_as(path, implicit_vr=False, little_endian=True)
        found = read(path)
        assert isinstance(found, NotRead)
        assert (found.reason, uid in found.detail) == ("transfer-syntax", True)


@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless])
def test_pixels_of_another_size_than_the_header_promises(tmp_path: Path, syntax: UID) -> None:
    """Decoders believe the pixels' own header, which may ask for any amount of memory."""
    path = save(image(drawn(16, 12, False, (64, 48))), tmp_path / "a", syntax=syntax)
    dataset = pydicom.dcmread(path)
    dataset.Rows = 32
    dataset.save_as(path)
    found = read(path)
    assert isinstance(found, NotRead)
    assert found.reason == "damaged"
    assert "64 × 48 × 1 values where the header promises 32 × 48 × 1" in found.detail


@pytest.mark.parametrize("syntax", [RLELossless, JPEG2000Lossless, JPEGLSLossless])
def test_compressed_pixels_that_are_cut_short(tmp_path: Path, syntax: UID) -> None:
    path = save(image(drawn(16, 16, False, (64, 64))), tmp_path / "a", syntax=syntax)
    for share in (0.3, 0.6, 0.9):
        path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
        found = read(path)
        assert isinstance(found, NotRead)
        assert found.reason == "damaged"


def test_a_large_image_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = save(image(drawn(16, 16, False)), tmp_path / "a", syntax=RLELossless)
    dataset = pydicom.dcmread(path)
    dataset.Rows = dataset.Columns = 40_000
    dataset.save_as(path)
    found = read(path)
    assert isinstance(found, NotRead)
    assert found.reason == "too-large"


def test_a_syntax_that_is_not_the_one_it_says(tmp_path: Path) -> None:
    """Implicit value representations under the name of explicit ones, as some writers have it."""
    path = save(image(drawn(16, 12, False)), tmp_path / "a", syntax=ImplicitVRLittleEndian)
    data = path.read_bytes()
    name, other = (uid.encode() for uid in (ImplicitVRLittleEndian, ExplicitVRLittleEndian))
    stated = name.ljust(18, b"\0")
    assert data.count(stated) == 1
    length = data.index(stated) - 2
    more = len(other) + 1 - len(stated)
    renamed = data[:length] + bytes([len(stated) + more, 0]) + other + b"\0"
    group = int.from_bytes(data[140:144], "little") + more
    renamed = renamed[:140] + group.to_bytes(4, "little") + renamed[144:]
    path.write_bytes(renamed + data[length + 2 + len(stated) :])
    assert np.array_equal(values_of(path), drawn(16, 12, False))


@pytest.mark.parametrize("slope", [2.0, 0.1, -1.5])
@pytest.mark.parametrize("signed", [False, True])
def test_slope_and_intercept(tmp_path: Path, slope: float, signed: bool) -> None:
    values = drawn(16, 12, signed)
    elements: dict[str, Any] = {"RescaleSlope": str(slope), "RescaleIntercept": "-1024"}
    found = values_of(save(image(values, stored=12, **elements), tmp_path / "a"))
    assert found.dtype == np.float32
    assert np.allclose(found, values.astype(float) * slope - 1024, rtol=1e-6)


def test_a_slope_of_zero_or_none_is_no_slope(tmp_path: Path) -> None:
    values = drawn(16, 12, False)
    for slope in ("0", ""):
        dataset = image(values, stored=12, RescaleSlope=slope, RescaleIntercept="5")
        assert np.array_equal(values_of(save(dataset, tmp_path / "a")), values)


def test_a_rescale_beyond_all_numbers(tmp_path: Path) -> None:
    found = read(save(image(drawn(16, 12, False), RescaleSlope="1e300"), tmp_path / "a"))
    assert isinstance(found, NotRead)
    assert found.reason == "damaged"


def test_a_look_up_table_of_the_modality(tmp_path: Path) -> None:
    values = drawn(8, 8, False)
    table = pydicom.Dataset()
    table.LUTDescriptor = [256, 0, 16]
    table.ModalityLUTType = "US"
    table.LUTData = [3 * entry + 7 for entry in range(256)]
    table["LUTData"].VR = "US"
    table["LUTDescriptor"].VR = "US"
    dataset = image(values, ModalityLUTSequence=pydicom.Sequence([table]))
    assert np.array_equal(values_of(save(dataset, tmp_path / "a")), values.astype(float) * 3 + 7)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize(
    "elements",
    [
        {"PhotometricInterpretation": "MONOCHROME1"},
        {"PresentationLUTShape": "INVERSE"},
        {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"},
    ],
)
def test_white_is_zero_is_inverted_once_around_what_is_there(
    tmp_path: Path, signed: bool, elements: dict[str, str]
) -> None:
    values = drawn(16, 10, signed)
    window = {"WindowCenter": "101", "WindowWidth": "201"}
    volume = read(save(image(values, stored=16, **elements, **window), tmp_path / "a"))
    assert isinstance(volume, Volume)
    total = int(values.min()) + int(values.max())
    assert np.array_equal(volume.voxels[0], total - values.astype(int))
    assert volume.origins[0].window == (total - 200.5, total - 0.5)


def test_the_window_that_the_header_states(tmp_path: Path) -> None:
    values = drawn(16, 12, False)
    cases = {("LINEAR", "100", "51"): (74.5, 124.5), ("LINEAR_EXACT", "100", "50"): (75.0, 125.0)}
    for (function, centre, width), expected in cases.items():
        elements = {"VOILUTFunction": function, "WindowCenter": centre, "WindowWidth": width}
        volume = read(save(image(values, **elements), tmp_path / "a"))
        assert isinstance(volume, Volume)
        assert volume.origins[0].window == expected


@pytest.mark.parametrize("syntax", [*NATIVE, *COMPRESSED])
@pytest.mark.parametrize("beginning", [400, 700, 900, 1000, 1500])
def test_headers_longer_than_what_is_read_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, syntax: UID, beginning: int
) -> None:
    monkeypatch.setattr("tumorscope.scans.dicom_file.BEGINNING", beginning)
    values = drawn(16, 12, False)
    dataset = image(values, stored=12)
    dataset.add_new(0x00091001, "UN", bytes(400))
    assert np.array_equal(values_of(save(dataset, tmp_path / "a", syntax=syntax)), values)


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51"])
def test_lossy_jpeg_of_8_bits(tmp_path: Path, uid: str) -> None:
    ramp = np.add.outer(np.arange(64), np.arange(80)).astype(np.uint8)
    packed = io.BytesIO()
    Image.fromarray(ramp).save(packed, "JPEG", quality=95)
    data = packed.getvalue()
    as_jpeg(ramp, data, tmp_path / "a", uid)
    assert np.abs(values_of(tmp_path / "a").astype(int) - ramp).max() <= 3
    middle = data.find(b"\xff\xda") + 80
    as_jpeg(ramp, data[:middle] + data[middle + 20 :], tmp_path / "a", uid)
    found = read(tmp_path / "a")
    assert isinstance(found, NotRead)
    assert (found.reason, found.detail) == (
        "damaged",
        "its JPEG data end before or after its picture",
    )


def as_jpeg(values: Array, data: bytes, path: Path, uid: str) -> None:
    dataset = pydicom.dcmread(save(image(values), path))
    dataset.PixelData = pydicom.encaps.encapsulate([data])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    dataset.file_meta.TransferSyntaxUID = UID(uid)
    dataset.save_as(path)

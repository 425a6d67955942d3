"""NIfTI-1 and -2 files → volumes in the patient space of DICOM: left, posterior, superior."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import UnreadableImageError
from tumorscope.common.names import printable
from tumorscope.scans.dicom_file import need, silent
from tumorscope.scans.file_checks import check_there
from tumorscope.scans.grid import (
    Shape,
    check_affine,
    check_grid,
    damage,
    kept_type,
    next_volume,
    slice_axis,
    volume_of_grid,
)
from tumorscope.scans.in_flight import bytes_of_grid, room_for
from tumorscope.scans.not_read import REASONS, NotReadError
from tumorscope.scans.nrrd import NRRD_ENDINGS, volumes_of_nrrd
from tumorscope.scans.remark import Remark
from tumorscope.scans.units import to_millimetres
from tumorscope.scans.volume import Volume

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Header, Nifti1Image

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

_UNITS: Mapping[int, tuple[str, float]] = {1: ("metres", 1e3), 3: ("microns", 1e-3)}
"""Code of a header's unit of length → its name, and how many millimetres it has."""


def read_nifti(path: str | Path) -> Iterator[Volume]:
    """Read the volumes of a NIfTI or NRRD file: one, or of a file with several each.

    The sform counts where its code is not 0, else the qform. The slice axis is the one that the
    header names, else a single or the coarsest one, else the one nearest to feet–head.

    Parameters
    ----------
    path : str or Path
        ``.nii``, ``.nii.gz`` or the ``.hdr`` of a pair; NIfTI-1, NIfTI-2 or Analyze, of either byte
        order; ``.nrrd``, or the ``.nhdr`` of a pair.

    Yields
    ------
    Volume
        With values after the scaling that the header states; a slope of 0 or NaN states none.

    Raises
    ------
    UnreadableImageError
        If it is no such file, damaged, too large, in colour or complex.
    MissingExtraError
        If the extra “dicom” is not installed.

    Examples
    --------
    >>> import nibabel, numpy as np
    >>> values = np.arange(24, dtype=np.int16).reshape(4, 3, 2)
    >>> nibabel.save(nibabel.Nifti1Image(values, np.diag([-1.0, -1.0, 5.0, 1.0])), "scan.nii.gz")
    >>> [volume] = read_nifti("scan.nii.gz")
    >>> volume.voxels.shape, volume.spacing
    ((2, 3, 4), (5.0, 1.0, 1.0))
    """
    need("read DICOM and NIfTI")
    source = os.fspath(path)
    try:
        yield from volumes_of_file(source)
    except NotReadError as error:
        why, advice = REASONS[error.reason]
        detail = f" ({error.detail})" if error.detail else ""
        said = f"{why}{detail}. {advice or 'Give a volume of greys'}."
        raise UnreadableImageError(f"Cannot read {printable(source)}: {said}", why=said) from None


def volumes_of_file(path: str) -> Iterator[Volume]:
    """Do what `read_nifti` does, but say in this room's own way what cannot be read."""
    yield from (volumes_of_nrrd if path.lower().endswith(NRRD_ENDINGS) else _volumes)(path)


def _volumes(path: str) -> Iterator[Volume]:
    with damage():
        image = _opened(path)
        shape = _shape_of(image)
        header = image.header
        dtype = header.get_data_dtype()
        _check(image, shape, dtype)
        affine, remarks = _affine_of(image, shape)
        stated = header.get_dim_info()[2] if hasattr(header, "get_dim_info") else None
        axis = slice_axis(affine, shape, stated)
        # Of the header nibabel has taken them away; here 1 and 0 stand for none, 0 and NaN.
        slope, intercept = float(image.dataobj.slope), float(image.dataobj.inter)
        many = shape[3]
        with image.file_map["image"].get_prepare_fileobj("rb") as file:
            file.seek(image.dataobj.offset)
            kept = kept_type(shape[:3], dtype, (slope, intercept))
            for index in range(many):
                with room_for(bytes_of_grid(shape[:3], kept)):
                    values, finite = next_volume(file, shape[:3], dtype, (slope, intercept))
                    more = () if finite else (Remark("not-finite"),)
                    yield volume_of_grid(
                        path, values, affine, axis, (index + 1, many), (*remarks, *more)
                    )


def _opened(path: str) -> Nifti1Image:
    import nibabel

    check_there(path)
    with silent():
        image = nibabel.load(path)
    if not isinstance(image, nibabel.Nifti1Image | nibabel.Nifti1Pair | nibabel.AnalyzeImage):
        raise NotReadError("not-dicom", f"it is of nibabel's class {type(image).__name__}")
    return image


def _header_as_stored(image: Nifti1Image) -> Nifti1Header:
    """Return the header before nibabel mends it."""
    holder = image.file_map.get("header", image.file_map["image"])
    with holder.get_prepare_fileobj("rb") as file:
        return type(image.header).from_fileobj(file, check=False)


def _shape_of(image: Nifti1Image) -> Shape:
    """Return columns, rows, slices and volumes."""
    shape = [int(length) for length in image.shape]
    if min(shape, default=0) < 1 or len(shape) < 2:
        raise NotReadError("damaged", f"its shape is {tuple(shape)}")
    if len([length for length in shape[4:] if length > 1]):
        raise NotReadError("derived", f"a value has several parts: its shape is {tuple(shape)}")
    columns, rows, slices, volumes = (*shape[:4], 1, 1)[:4]
    return columns, rows, slices, volumes


def _check(image: Nifti1Image, shape: Shape, dtype: np.dtype[np.generic]) -> None:
    check_grid(shape, dtype)
    begin = int(image.dataobj.offset)
    # nibabel takes 0 at its word, and the header for values.
    if begin < image.header.sizeof_hdr and "header" not in image.file_map:
        raise NotReadError("damaged", f"its values begin at byte {begin}, within its header")
    name = image.file_map["image"].filename
    if name is not None and not str(name).lower().endswith((".gz", ".bz2", ".zst")):
        promised = int(image.dataobj.offset) + math.prod(shape) * dtype.itemsize
        size = Path(name).stat().st_size
        if size < promised:
            raise NotReadError(
                "damaged", f"it has {size:,} bytes where the header promises {promised:,}"
            )


def _affine_of(image: Nifti1Image, shape: Shape) -> tuple[NDArray[np.float64], tuple[Remark, ...]]:
    """Return (column, row, slice, 1) → (left, posterior, superior, 1), and what is odd about it."""
    header = image.header
    # nibabel hands lengths on as they are stated, whatever their unit.
    code = int(header["xyzt_units"]) & 7 if "xyzt_units" in header else 0
    unit, factor = _UNITS.get(code, ("mm", 1.0))
    stated = np.asarray(image.affine, dtype=np.float64)
    factors, remarks_on_units = to_millimetres(stated[:3, :3], [factor] * 3, unit)
    codes = [int(header[name]) if name in header else 0 for name in ("sform_code", "qform_code")]
    if not codes[0]:
        sides = _header_as_stored(image)["pixdim"][1:4]
        if any(side == 0 and length > 1 for side, length in zip(sides, shape[:3], strict=True)):
            raise NotReadError("geometry", "it states no size of its voxels")
    remarks, millimetres = [*remarks_on_units], float(factors[0])
    if not any(codes):
        remarks.append(Remark("no-orientation"))
    elif all(codes):
        with silent():
            apart = np.abs(image.get_sform() - image.get_qform()) * millimetres
        limit = 0.1 * millimetres * min(np.linalg.norm(image.get_sform()[:3, :3], axis=0))
        if apart[:3, :3].max() > limit or apart[:3, 3].max() > 1.0:
            remarks.append(Remark("form-conflict", f"up to {apart.max():.2g} mm"))
    affine = np.diag([*factors, 1.0]) @ stated
    check_affine(affine)
    return _RAS_TO_LPS @ affine, tuple(remarks)

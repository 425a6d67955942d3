"""NIfTI-1 and -2 files → volumes in the patient space of DICOM: left, posterior, superior."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import UnreadableImageError
from tumorscope.common.names import printable
from tumorscope.scans.dicom_file import need, short, silent
from tumorscope.scans.file_checks import check_file
from tumorscope.scans.not_read import REASONS, NotReadError
from tumorscope.scans.remark import Remark
from tumorscope.scans.volume import MAX_VOXELS, SliceOrigin, Volume

if TYPE_CHECKING:
    from nibabel.nifti1 import Nifti1Image

MAX_VOLUMES = 20_000

COARSE = 1.2
"""An axis whose voxels are so many times as long as the next longest is the one across slices."""

_RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def read_nifti(path: str | Path) -> Iterator[Volume]:
    """Read the volumes of a NIfTI file: one, or of a file with several each.

    The sform counts where its code is not 0, else the qform. The slice axis is the one that the
    header names, else a single or the coarsest one, else the one nearest to feet–head.

    Parameters
    ----------
    path : str or Path
        ``.nii``, ``.nii.gz`` or the ``.hdr`` of a pair; NIfTI-1, NIfTI-2 or Analyze, of either byte
        order.

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
        yield from volumes_of_nifti(source)
    except NotReadError as error:
        why, advice = REASONS[error.reason]
        detail = f" ({error.detail})" if error.detail else ""
        said = f"{why}{detail}. {advice or 'Give a volume of greys'}."
        raise UnreadableImageError(f"Cannot read {printable(source)}: {said}", why=said) from None


def volumes_of_nifti(path: str) -> Iterator[Volume]:
    """Do what `read_nifti` does, but say in this room's own way what cannot be read."""
    with _damage():
        image = _opened(path)
        shape = _shape_of(image)
        dtype = image.header.get_data_dtype()
        _check(image, shape, dtype)
        affine, remarks = _affine_of(image)
        axis = _slice_axis(image, affine, shape)
        # Of the header nibabel has taken them away; here 1 and 0 stand for none, 0 and NaN.
        slope, intercept = float(image.dataobj.slope), float(image.dataobj.inter)
        many = shape[3]
        with image.file_map["image"].get_prepare_fileobj("rb") as file:
            file.seek(image.dataobj.offset)
            for index in range(many):
                raw = _next(file, shape[:3], dtype)
                values, finite = _scaled(raw, slope, intercept)
                more = () if finite else (Remark("not-finite"),)
                yield _volume(path, values, affine, axis, (index + 1, many), (*remarks, *more))


@contextlib.contextmanager
def _damage() -> Iterator[None]:
    """Say in this room's way what nibabel, gzip, zlib and the system say, each in its own."""
    try:
        yield
    except (NotReadError, MemoryError, KeyboardInterrupt, GeneratorExit):
        raise
    except FileNotFoundError as error:
        raise NotReadError("cannot-open", short(error)) from None
    except Exception as error:
        raise NotReadError("damaged", short(error)) from None


def _opened(path: str) -> Nifti1Image:
    import nibabel

    check_file(Path(path).stat())
    with silent():
        image = nibabel.load(path)
    if not isinstance(image, nibabel.Nifti1Image | nibabel.Nifti1Pair | nibabel.AnalyzeImage):
        raise NotReadError("not-dicom", f"it is of nibabel's class {type(image).__name__}")
    return image


def _shape_of(image: Nifti1Image) -> tuple[int, int, int, int]:
    """Return columns, rows, slices and volumes."""
    shape = [int(length) for length in image.shape]
    if min(shape, default=0) < 1 or len(shape) < 2:
        raise NotReadError("damaged", f"its shape is {tuple(shape)}")
    if len([length for length in shape[4:] if length > 1]):
        raise NotReadError("derived", f"a value has several parts: its shape is {tuple(shape)}")
    columns, rows, slices, volumes = (*shape[:4], 1, 1)[:4]
    return columns, rows, slices, volumes


def _check(image: Nifti1Image, shape: tuple[int, int, int, int], dtype: np.dtype[np.void]) -> None:
    if dtype.fields is not None:
        raise NotReadError("colour")
    if dtype.kind == "c":
        raise NotReadError("phase", "complex values")
    if dtype.kind not in "iuf":
        raise NotReadError("derived", f"values of type {dtype}")
    voxels = shape[0] * shape[1] * shape[2]
    if voxels > MAX_VOXELS or shape[3] > MAX_VOLUMES:
        raise NotReadError("too-large", " × ".join(map(str, shape)))
    name = image.file_map["image"].filename
    if name is not None and not str(name).lower().endswith((".gz", ".bz2", ".zst")):
        promised = int(image.dataobj.offset) + voxels * shape[3] * dtype.itemsize
        size = Path(name).stat().st_size
        if size < promised:
            raise NotReadError(
                "damaged", f"it has {size:,} bytes where the header promises {promised:,}"
            )


def _affine_of(image: Nifti1Image) -> tuple[NDArray[np.float64], tuple[Remark, ...]]:
    """Return (column, row, slice, 1) → (left, posterior, superior, 1), and what is odd about it."""
    remarks = []
    header = image.header
    codes = [int(header[name]) if name in header else 0 for name in ("sform_code", "qform_code")]
    if not any(codes):
        remarks.append(Remark("no-orientation"))
    elif all(codes):
        with silent():
            apart = np.abs(image.get_sform() - image.get_qform())
        limit = 0.1 * min(np.linalg.norm(image.get_sform()[:3, :3], axis=0))
        if apart[:3, :3].max() > limit or apart[:3, 3].max() > 1.0:
            remarks.append(Remark("form-conflict", f"up to {apart.max():.2g} mm"))
    affine = np.asarray(image.affine, dtype=np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise NotReadError("geometry", "its affine maps space onto a plane, or to nowhere")
    return _RAS_TO_LPS @ affine, tuple(remarks)


def _slice_axis(
    image: Nifti1Image, affine: NDArray[np.float64], shape: tuple[int, int, int, int]
) -> int:
    single = [axis for axis in range(3) if shape[axis] == 1]
    if len(single) == 1:
        return single[0]
    header = image.header
    stated = header.get_dim_info()[2] if hasattr(header, "get_dim_info") else None
    if stated is not None:
        return int(stated)
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    shortest, middle, longest = np.sort(lengths)
    if longest > COARSE * middle and longest > COARSE * shortest:
        return int(np.argmax(lengths))
    return int(np.argmax(np.abs(affine[2, :3] / lengths)))


def _next(file: BinaryIO, shape: tuple[int, ...], dtype: np.dtype[np.void]) -> NDArray[np.generic]:
    """Return the next volume of a file, shape (columns, rows, slices)."""
    promised = int(np.prod(shape)) * dtype.itemsize
    data = file.read(promised)
    if len(data) < promised:
        raise NotReadError("damaged", f"{len(data):,} of {promised:,} bytes of a volume")
    values: NDArray[np.generic] = np.frombuffer(data, dtype=dtype).reshape(shape, order="F")
    return values.astype(dtype.newbyteorder("="), copy=False)


def _scaled(
    values: NDArray[np.generic], slope: float, intercept: float
) -> tuple[NDArray[np.generic], bool]:
    """Return values after their scaling, and whether all were finite; those not become 0."""
    wide = values.dtype.itemsize > 4 or (values.dtype.kind in "iu" and values.dtype.itemsize > 2)
    if (slope, intercept) != (1.0, 0.0):
        scaled = np.empty_like(values, dtype=np.float64 if wide else np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for index in range(values.shape[2]):  # a whole volume of float64 would be large
                scaled[..., index] = values[..., index].astype(np.float64) * slope + intercept
        values = scaled
    elif values.dtype.kind == "f" and values.dtype.itemsize == 2:
        values = values.astype(np.float32)
    elif values.dtype.itemsize > 8:
        values = values.astype(np.float64)
    if values.dtype.kind != "f" or np.isfinite(values).all():
        return values, True
    return np.nan_to_num(values, posinf=0.0, neginf=0.0), False


def _volume(
    path: str,
    values: NDArray[np.generic],
    affine: NDArray[np.float64],
    axis: int,
    part: tuple[int, int],
    remarks: tuple[Remark, ...],
) -> Volume:
    rest = [other for other in (2, 1, 0) if other != axis]
    order = [axis, *rest]
    voxels = values.transpose(order)
    turned = affine.copy()
    turned[:, :3] = affine[:, order]
    # Slices ascend along the normal, as those of DICOM do.
    normal = np.cross(turned[:3, 2], turned[:3, 1])
    normal /= np.linalg.norm(normal)
    if turned[:3, 0] @ normal < 0:
        voxels = voxels[::-1]
        turned[:3, 3] += turned[:3, 0] * (len(voxels) - 1)
        turned[:3, 0] *= -1
    corners = turned[:3, 3] + np.arange(len(voxels))[:, None] * turned[:3, 0]
    places = [(float(one[0]), float(one[1]), float(one[2])) for one in corners]
    unit = turned[:3, :3] / np.linalg.norm(turned[:3, :3], axis=0)
    sheared = np.abs(unit.T @ unit - np.eye(3)).max() > 0.02
    tilt = (Remark("tilt", "the affine is sheared"),) if sheared else ()
    return Volume(
        voxels=voxels,
        affine=turned,
        positions=corners @ normal,
        regular=not sheared,
        origins=tuple(SliceOrigin(path, "", None, place) for place in places),
        path=path,
        part=part,
        remarks=(*remarks, *tilt),
    )

"""Evidence map → a surface over the slice that it belongs to, where the network saw each part."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.imaging.preprocess import Placement, Preprocessing, placement
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.schema import Metadata

FAINTEST = 1e-6
"""Share of the whole below which shares are not told apart: 16-bit floats know hardly less."""

SAMPLES = 16
"""Along each side of a cell, where a surface is summed."""


def temperature_of(metadata: Metadata) -> float | None:
    """Return the temperature with which a model's dense head pools; None for other heads."""
    network = metadata.recipe.get("network")
    if not isinstance(network, dict) or network.get("head") != "dense":
        return None
    temperature = network.get("temperature", 1.0)
    return float(temperature) if isinstance(temperature, int | float) else None


def evidence_field(
    evidence: NDArray[np.float32],
    scan: Slice,
    how: Preprocessing,
    *,
    shape: tuple[int, int],
    temperature: float | None = None,
) -> NDArray[np.float32]:
    """Enlarge an evidence map to lie on its slice.

    The surface is a quadratic B-spline: each point is a mean of the cells around it, nine at most.
    So an even map stays even, no value leaves those of the cells, which would draw blue rings
    around red that no evidence stands for, and the greatest lies between cells where several
    share it.

    The cells of a dense head are shares of one sum, by ``softmax(r · l)`` of its local logits l.
    There the spline enlarges the logarithms, which is r · l up to a constant, and the softmax is
    taken of the surface: the same formula for a finer grid. The sum is that of the map, and no
    place stands out from another by a greater factor than cells do. Over less than a cell,
    the surface may be higher than the cell.

    Parameters
    ----------
    evidence : ndarray of float32, shape (h, w)
        Over the network input.
    scan : Slice
        As it was read.
    how : Preprocessing
        Of the model.
    shape : tuple of int
        Height and width to draw the slice in.
    temperature : float, optional
        r of a dense head, see `temperature_of`; none for other heads.

    Returns
    -------
    ndarray of float32, shape `shape`
        Logit per cell; 0 where the network saw nothing of the slice.
    """
    sides = (scan.pixels.shape[0], scan.pixels.shape[1])
    place = placement(scan, how)
    return field_at(place, evidence, sides, how.size, shape=shape, temperature=temperature)


def field_at(
    place: Placement,
    evidence: NDArray[np.float32],
    sides: tuple[int, int],
    size: int,
    *,
    shape: tuple[int, int],
    temperature: float | None,
) -> NDArray[np.float32]:
    """Do what `evidence_field` does for a slice whose placement and sides are known.

    Parameters
    ----------
    place : Placement
        Of the slice in the network input.
    evidence, shape, temperature
        As for `evidence_field`.
    sides : tuple of int
        Height and width of the slice.
    size : int
        Edge of the network input.
    """
    (rows, seen_rows), (columns, seen_columns) = (
        _positions(length, evidence.shape[axis], sides[axis], size, place, axis)
        for axis, length in enumerate(shape)
    )
    field = _surface(evidence, rows, columns, shares=temperature is not None)
    field[~seen_rows] = 0.0
    field[:, ~seen_columns] = 0.0
    return field


def scaled(pixels: NDArray[np.uint8], *, longest: int, shortest: int = 1) -> NDArray[np.uint8]:
    """Resize a grey image so that its longer side lies between `shortest` and `longest` pixels.

    Examples
    --------
    >>> scaled(np.zeros((300, 600), np.uint8), longest=200).shape
    (100, 200)
    """
    edge = max(pixels.shape)
    wanted = min(max(edge, shortest), longest)
    if wanted == edge:
        return pixels
    height, width = (max(1, round(side * wanted / edge)) for side in pixels.shape)
    how = cv2.INTER_AREA if wanted < edge else cv2.INTER_CUBIC
    resized: NDArray[np.uint8] = cv2.resize(pixels, (width, height), interpolation=how)
    return resized


def _positions(
    length: int, cells: int, pixels: int, size: int, place: Placement, axis: int
) -> tuple[NDArray[np.floating], NDArray[np.bool_]]:
    """Return where on the map the rows of a picture lie, in cells, and which of them were seen."""
    start, stop = place.box[2 * axis : 2 * axis + 2]
    inner_start = (place.top, place.left)[axis]
    inner = (place.height, place.width)[axis]
    on_slice = (np.arange(length) + 0.5) * (pixels / length)
    on_input = (on_slice - start) * (inner / (stop - start)) + inner_start
    return on_input * (cells / size), (on_slice >= start) & (on_slice < stop)


def _surface(
    evidence: NDArray[np.float32],
    rows: NDArray[np.floating],
    columns: NDArray[np.floating],
    *,
    shares: bool,
) -> NDArray[np.float32]:
    """Return the height of the surface over a map at rows and columns, both in cells."""
    total = float(evidence.sum(dtype=np.float64))
    # A dense head that says no spreads it evenly, so there are no shares.
    if not shares or total <= 0 or evidence.min() < 0:
        return _enlarged(evidence, rows, columns)
    least = np.float32(FAINTEST * total)
    powers = np.log(np.maximum(evidence, least) / evidence.max())
    fine = [(np.arange(SAMPLES * cells) + 0.5) / SAMPLES for cells in evidence.shape]
    whole = np.exp(_enlarged(powers, *fine)).sum(dtype=np.float64) / SAMPLES**2
    surface = np.exp(_enlarged(powers, rows, columns)) * np.float32(total / whole)
    return surface.astype(np.float32, copy=False)


def _enlarged(
    values: NDArray[np.float32], rows: NDArray[np.floating], columns: NDArray[np.floating]
) -> NDArray[np.float32]:
    down, across = (
        _spline(at, cells) for at, cells in zip((rows, columns), values.shape, strict=True)
    )
    return (down @ values @ across.T).astype(np.float32, copy=False)


def _spline(at: NDArray[np.floating], cells: int) -> NDArray[np.float32]:
    """Return the weight of each cell at positions in cells: (n, cells), a quadratic B-spline.

    Beyond the rim the outermost cell goes on. OpenCV's warps would not do: they round coordinates
    to a 32nd, which shows as steps at this enlargement.
    """
    inside = np.clip(at, 0.0, cells)
    away = np.abs(inside[:, None] - (np.arange(-1, cells + 1) + 0.5)[None, :])
    near, far = 0.75 - away * away, 0.5 * np.square(np.maximum(1.5 - away, 0.0))
    padded = np.where(away < 0.5, near, far)
    weights: NDArray[np.float32] = padded[:, 1:-1].astype(np.float32)
    weights[:, 0] += padded[:, 0]
    weights[:, -1] += padded[:, -1]
    return weights

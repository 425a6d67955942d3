"""Two normalised heads → how well they agree once one is laid upon the other.

Heads are alike in outline and layout, so a correlation of whole images cannot tell one patient
from the next. The folds of the brain can: after registration they agree in nearly every part of
two copies of a picture, and in few parts of two pictures.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates.normalised_head import (
    COARSE_EDGE,
    FINE_EDGE,
    NormalisedHead,
    pixel_map,
)

BLOCK = 16
STEP = 8
MIN_CONTRAST = 0.2
"""Blocks with less structure (background) say nothing."""

MIN_BLOCKS = 24
"""Of 121; a smaller overlap proves nothing."""

UNCERTAIN = (0.5, 0.9)
"""Agreements after the coarse registration between which the fine one is worth its time.

Of copies that started from the right view, the coarse one alone leaves none below 0.79.
"""

_CRITERIA = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 30, 1e-3)
_REFINE = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 15, 1e-3)


def agreement(still: NormalisedHead, moving: NormalisedHead, start: NDArray[np.float32]) -> float:
    """Register `moving` to `still` and measure how far their structure agrees, part by part.

    An affine map is refined from `start` by maximising the enhanced correlation coefficient
    (Evangelidis and Psarakis, 2008), coarse then fine. They are then compared in overlapping
    blocks of 16 × 16; the result is the least of three: the median correlation of all blocks, that
    of the inner blocks (skulls agree where brains do not), and the 20th percentile of all plus 0.15
    (a banner or an arrow may spoil some blocks, not every fifth).

    Parameters
    ----------
    still, moving : NormalisedHead
        The two images.
    start : ndarray of float32, shape (2, 2)
        First guess, a `view_matrix` of `moving`.

    Returns
    -------
    float
        −1 to 1; 0 where they cannot be registered or overlap too little.
    """
    try:
        _, coarse = cv2.findTransformECC(
            still.coarse,
            moving.coarse,
            pixel_map(start, COARSE_EDGE, COARSE_EDGE),
            cv2.MOTION_AFFINE,
            _CRITERIA,
            None,
            3,
        )
        matrix = _doubled(coarse)
        rough = _blockwise(still.fine, moving.fine, matrix)
        if not UNCERTAIN[0] < rough < UNCERTAIN[1]:
            return rough
        _, matrix = cv2.findTransformECC(
            still.fine, moving.fine, matrix, cv2.MOTION_AFFINE, _REFINE, None, 3
        )
    except cv2.error:  # it raises where the images have nothing in common
        return 0.0
    return max(rough, _blockwise(still.fine, moving.fine, matrix))


def _doubled(coarse: NDArray[np.float32]) -> NDArray[np.float32]:
    ratio = FINE_EDGE / COARSE_EDGE
    centre, centre_fine = (COARSE_EDGE - 1) / 2, (FINE_EDGE - 1) / 2
    shift = coarse[:, :2] @ np.array([centre, centre]) + coarse[:, 2] - centre
    fine = coarse.copy()
    fine[:, 2] = shift * ratio + centre_fine - coarse[:, :2] @ np.array([centre_fine, centre_fine])
    return fine.astype(np.float32)


def _blockwise(
    still: NDArray[np.float32], moving: NDArray[np.float32], matrix: NDArray[np.float32]
) -> float:
    size = (FINE_EDGE, FINE_EDGE)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(moving, matrix, size, flags=flags)
    inside = cv2.warpAffine(np.ones_like(moving), matrix, size, flags=flags)
    mean_still, mean_moved = _block_means(still), _block_means(moved)
    spread_still = np.sqrt(np.maximum(_block_means(still * still) - mean_still**2, 0.0))
    spread_moved = np.sqrt(np.maximum(_block_means(moved * moved) - mean_moved**2, 0.0))
    covariance = _block_means(still * moved) - mean_still * mean_moved
    telling = (_block_means(inside) > 0.9) & (np.minimum(spread_still, spread_moved) > MIN_CONTRAST)
    if np.count_nonzero(telling) < MIN_BLOCKS:
        return 0.0
    correlation = covariance / np.maximum(spread_still * spread_moved, 1e-6)
    everywhere = correlation[telling]
    inner = correlation[2:-2, 2:-2][telling[2:-2, 2:-2]]
    if inner.size < MIN_BLOCKS // 3:
        return 0.0
    return float(min(np.median(everywhere), np.median(inner), np.percentile(everywhere, 20) + 0.15))


def _block_means(values: NDArray[np.float32]) -> NDArray[np.float32]:
    means = cv2.blur(values, (BLOCK, BLOCK), anchor=(0, 0))
    last = FINE_EDGE - BLOCK + 1
    result: NDArray[np.float32] = means[:last:STEP, :last:STEP]
    return result

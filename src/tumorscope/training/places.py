"""Which places of a network's map show the lesion: what a loss on places is measured against."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

LESION, NONE, UNKNOWN = 1.0, 0.0, -1.0
"""What a place may be; a place that is unknown counts in no loss."""

COVERED, TOUCHED = 0.3, 0.03
"""A place shows a lesion where more than the first share of it is covered, and none where no more
than the second is. Between the two nobody can say."""


def places_of(
    mask: NDArray[np.bool_] | None, label: int, grid: tuple[int, int]
) -> NDArray[np.float32]:
    """Return what each place of a map shows.

    Parameters
    ----------
    mask : ndarray of bool, shape (height, width), or None
        Where the lesion is in the picture that trains; None where nobody knows. A mask of nothing,
        such as one whose lesion was moved out of the picture, is not known either.
    label : int
        Of the picture; 0 is no tumour.
    grid : tuple of int
        Height and width of the map.

    Returns
    -------
    ndarray of float32, shape `grid`
        1 lesion, 0 none, −1 unknown.

    Examples
    --------
    >>> lesion = np.zeros((8, 8), np.bool_)
    >>> lesion[:4, :5] = lesion[4, 0] = True
    >>> places_of(lesion, 1, (2, 4))
    array([[ 1.,  1.,  1.,  0.],
           [-1.,  0.,  0.,  0.]], dtype=float32)
    >>> float(places_of(None, 0, (2, 2)).max()), float(places_of(None, 1, (2, 2)).max())
    (0.0, -1.0)
    """
    if not label:
        return np.full(grid, NONE, dtype=np.float32)
    if mask is None or not mask.any():
        return np.full(grid, UNKNOWN, dtype=np.float32)
    share = cv2.resize(mask.astype(np.float32), grid[::-1], interpolation=cv2.INTER_AREA)
    places = np.where(share > COVERED, LESION, np.where(share > TOUCHED, UNKNOWN, NONE))
    # A lesion smaller than a place lies in the one that it covers most of.
    if not (places == LESION).any():
        places.flat[int(share.argmax())] = LESION
    return places.astype(np.float32)

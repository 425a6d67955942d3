"""Is this a copy of an image that a model was trained on? Every command asks here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates import mark_sets, thumbprint
from tumorscope.duplicates.enrolment import USUAL
from tumorscope.duplicates.frequencies import frequencies
from tumorscope.duplicates.mark_sets import MarkSets
from tumorscope.duplicates.recognition import Recogniser
from tumorscope.duplicates.same_pixels import digest_of
from tumorscope.duplicates.thumbprint_v1 import WholeImages
from tumorscope.imaging import prepare
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.schema import TrainingThumbprints

LEAST_SIDE = 96
"""What a network is given serves for marks where its sides have as many pixels."""


class SeenImages:
    """The images that a model file knows; threads may share it.

    Copies are found even if they were re-encoded, resized, had their contrast changed, lie on a
    border, are cropped by up to a tenth of each side or to the head, mirrored or turned by
    quarters; in files with thumbprints of version 1, not the cropped ones.

    Parameters
    ----------
    seen : TrainingThumbprints
        From the metadata of a model file.
    """

    def __init__(self, seen: TrainingThumbprints) -> None:
        self.count = 0 if seen.withheld else seen.total
        self._withheld = seen.withheld
        self._digests = seen.digests
        self._marks: list[MarkSets] = []
        self._searches: list[Recogniser | WholeImages] = []
        new, old = [], []
        for each in seen.lists:
            if each.version == mark_sets.VERSION:
                self._marks.append(each.sets())
            elif each.version == thumbprint.VERSION:
                new.append(each.unpack().view(np.uint8))
            else:
                old.append(each.unpack().view(np.int8))
        if new:
            self._searches.append(Recogniser(np.concatenate(new)))
        if old:
            self._searches.append(WholeImages(np.concatenate(old)))

    def holds(self, scan: Slice, prepared: NDArray[np.uint8] | None = None) -> bool | None:
        """Whether a slice is known; None where nobody can tell.

        So it is where the file knows no image, and where it was told not to keep its own: it may
        still know those of its starting weights.

        Parameters
        ----------
        scan : Slice
            The picture.
        prepared : ndarray of uint8, shape (size, size), optional
            What the network is given of it, which saves preparing it again.
        """
        if not self._marks and not self._searches:
            return None
        if prepared is not None and self._digests and digest_of(prepared) in self._digests:
            return True
        found = self._has_marks(scan, prepared) or any(
            each.is_copy(scan) for each in self._searches
        )
        return found or (None if self._withheld else False)

    def _has_marks(self, scan: Slice, prepared: NDArray[np.uint8] | None) -> bool:
        if not self._marks:
            return False
        if prepared is None or len(prepared) < LEAST_SIDE:
            prepared = prepare(scan, USUAL)
        asked = frequencies(prepared)
        return any(each.holds(asked) for each in self._marks)

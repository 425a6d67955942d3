"""Is this a copy of an image that a model was trained on? Every command asks here."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tumorscope.duplicates import thumbprint
from tumorscope.duplicates.recognition import Recogniser
from tumorscope.duplicates.same_pixels import digest_of
from tumorscope.duplicates.thumbprint_v1 import WholeImages
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.schema import TrainingThumbprints


class SeenImages:
    """The images that a model file knows by their thumbprints; threads may share it.

    Copies are found even if they were re-encoded, resized, had their contrast changed, lie on a
    border, are cropped by up to a tenth of each side or to the head, mirrored or turned by
    quarters; of thumbprints of version 1, not the cropped ones.

    Parameters
    ----------
    seen : TrainingThumbprints
        From the metadata of a model file.
    """

    def __init__(self, seen: TrainingThumbprints) -> None:
        self.count = seen.total
        self._digests = seen.digests
        self._searches: list[Recogniser | WholeImages] = []
        new, old = [], []
        for each in seen.lists:
            prints = each.unpack()
            if each.version == thumbprint.VERSION:
                new.append(prints.view(np.uint8))
            else:
                old.append(prints.view(np.int8))
        if new:
            self._searches.append(Recogniser(np.concatenate(new)))
        if old:
            self._searches.append(WholeImages(np.concatenate(old)))

    def holds(self, scan: Slice, prepared: NDArray[np.uint8] | None = None) -> bool | None:
        """Whether a slice is known; None where the file knows no image, and nobody can tell.

        Parameters
        ----------
        scan : Slice
            The picture.
        prepared : ndarray of uint8, shape (size, size), optional
            What the network is given of it: a picture that is known as it is is told by that in
            a hundredth of the time.
        """
        if not self._searches:
            return None
        if prepared is not None and self._digests and digest_of(prepared) in self._digests:
            return True
        return any(each.is_copy(scan) for each in self._searches)

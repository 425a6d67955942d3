"""Labelled images to calibrate and to judge a converted model on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tumorscope.assessment.ask import prepare_for
from tumorscope.cohort.manifest import Manifest
from tumorscope.common.errors import InputError
from tumorscope.common.progress import say
from tumorscope.model_file.onnx_file import ModelFile


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Labelled images, prepared for a model.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (n, size, size)
    labels : ndarray of int64, shape (n,)
        Reference standard: 1 tumour, 0 no tumour.
    groups : ndarray of str, shape (n,)
        Images that must stay together.
    seen : ndarray of bool, shape (n,), or None
        Which the model was trained on; None where its file knows no image.
    refused : ndarray of bool, shape (n,), or None
        Which are refused before a model is asked; None where none are.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]
    seen: NDArray[np.bool_] | None
    refused: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def of(self, positions: NDArray[np.int64]) -> Sample:
        """Return the images at `positions`.

        Examples
        --------
        >>> labels = np.array([0, 1, 1])
        >>> sample = Sample(np.zeros((3, 8, 8), np.uint8), labels, labels.astype(str), labels > 0)
        >>> sample.of(np.array([0, 2])).known
        1
        """
        return Sample(
            self.pixels[positions],
            self.labels[positions],
            self.groups[positions],
            None if self.seen is None else self.seen[positions],
            None if self.refused is None else self.refused[positions],
        )

    @property
    def known(self) -> int | None:
        """How many of the images the model was trained on; None where nobody can tell."""
        return None if self.seen is None else int(self.seen.sum())


def load_sample(manifest: Manifest, model: ModelFile) -> Sample:
    """Read the usable images of a manifest and prepare them as the model asks.

    Raises
    ------
    InputError
        If none is usable.
    """
    usable = manifest.usable
    if not usable.rows:
        raise InputError(
            f"None of the {len(manifest)} calibration images can be read. Expected labelled brain "
            "MRI slices. Give other images with --calibration."
        )
    prepared = prepare_for(model, usable)
    refused = np.array([bool(reasons) for reasons in prepared.refusals], dtype=np.bool_)
    return Sample(prepared.pixels, usable.labels, usable.groups, prepared.seen, refused)


def say_what_is_known(sample: Sample, name: str) -> None:
    """Say where the images make for an easy comparison, because the model was trained on them.

    Parameters
    ----------
    sample : Sample
        The images to judge by.
    name : str
        Of the model's file.
    """
    if sample.known is None:
        say(
            f"Whether {name} was trained on the images to judge by cannot be told: it holds no "
            "thumbprints."
        )
    elif 2 * sample.known > len(sample):
        say(
            f"{sample.known} of the {len(sample)} images to judge by are known to the model from "
            "training, where it is surer than elsewhere: others would test the conversion harder."
        )

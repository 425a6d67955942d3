"""The answer for one series: what was decided, by which slices, and what was not looked at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from tumorscope.detection.finding import Finding
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.series_rule import SeriesLevel
from tumorscope.scans.not_read import NotRead
from tumorscope.scans.remark import Remark
from tumorscope.scans.volume import SliceOrigin

Triple = tuple[float, float, float]

SeriesDecision = Literal["tumour", "no tumour", "abstain", "refused"]

SERIES_REASONS = (
    "not-brain-mri",
    "few-slices",
    "no-positions",
    "missing-slices",
    "refused-slices",
    "no-series-rule",
    "plane-not-measured",
    "uncertain",
    "seen",
)
"""Codes of reasons, in the order in which a finding lists them."""

_WORDS = {
    "not-brain-mri": "None of its slices looks like a slice of a brain MRI.",
    "few-slices": "It has too few slices that look like brain MRI to confirm each other.",
    "no-positions": "Its headers do not say where its slices lie, so neighbours are not known.",
    "missing-slices": "Slices are missing or cannot be read, where a tumour would not be seen.",
    "refused-slices": "Slices within the head did not look like brain MRI, so nothing was said of "
    "what they show.",
    "no-series-rule": "The model file holds no rule for series; look at its slices one by one.",
    "plane-not-measured": "The rule for series was not measured on slices of this plane.",
    "uncertain": "Its score lies between those of most series without a tumour and those that are "
    "called tumour.",
    "seen": "The model was trained on some of these slices or copies of them, so this answer says "
    "nothing about how well the model works.",
}


@dataclass(frozen=True, slots=True, eq=False)
class SliceFinding:
    """What a model says about one slice of a series, and where it lies.

    Attributes
    ----------
    finding : Finding
        As for any picture.
    index : int
        Its place among all slices of the plane, from 0, also where only some were looked at.
    position : float
        In mm along the normal, ascending towards head, back or left.
    centre : tuple of float
        In patient space (left, posterior, superior), in mm.
    path, sop_instance_uid : str
        The file; the UID is empty for NIfTI and for slices across the acquired ones.
    frame : int, optional
        Of a multi-frame file, from 1.
    curve : float, optional
        Of the smoothed curve there; None where the model holds no rule for series.
    picture : Slice, optional
        Of key slices.
    """

    finding: Finding
    index: int
    position: float
    centre: Triple
    path: str
    sop_instance_uid: str
    frame: int | None
    curve: float | None = None
    picture: Slice | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class SeriesFinding:
    """What a model says about one series, or one volume of it.

    Attributes
    ----------
    path : str
        Of its first file.
    study_uid, series_uid : str
        Of DICOM; else empty.
    part : tuple of int
        Which volume of its series, and how many there are.
    decision : {"tumour", "no tumour", "abstain", "refused"}
    score : float or None
        The highest value of the smoothed curve, in log-odds of a slice's threshold; None where no
        slice could be asked about. It is no probability.
    reasons : tuple of str
        Codes, see `SERIES_REASONS`.
    level : SeriesLevel or None
        By which it was decided.
    plane, sequence : str
        Of its slices; the sequence as far as the header says, else empty.
    window : str
        How values became greys.
    key_slices : tuple of SliceFinding
        Those that carry the answer, with their pictures: around the highest place of the curve.
    slices : tuple of SliceFinding
        All that were looked at, ascending.
    passed_over : tuple of NotRead
        What of the series could not be read.
    remarks : tuple of Remark
        What is odd about the volume.
    seen : bool or None
        Whether the model was trained on some of the slices; None where nobody looked.
    model, operating_point : str
        Who answered.
    ms : float
        Milliseconds from volume to finding.
    origins : tuple of SliceOrigin
        Where each slice of the volume came from, also of those that were not looked at.
    directions : tuple of tuple of float
        Which way of patient space (left, posterior, superior) points to the right of the pictures,
        and which down; unit vectors.
    """

    path: str
    study_uid: str
    series_uid: str
    part: tuple[int, int]
    decision: SeriesDecision
    score: float | None
    reasons: tuple[str, ...]
    level: SeriesLevel | None
    plane: str
    sequence: str
    window: str
    key_slices: tuple[SliceFinding, ...]
    slices: tuple[SliceFinding, ...]
    passed_over: tuple[NotRead, ...]
    remarks: tuple[Remark, ...]
    seen: bool | None
    model: str
    operating_point: str
    ms: float
    description: str = field(default="", repr=False)
    origins: tuple[SliceOrigin, ...] = field(default=(), repr=False)
    directions: tuple[Triple, Triple] = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))

    @property
    def words(self) -> str:
        """The finding in sentences for people, without the research-use notice."""
        why = [_WORDS[code] for code in self.reasons if code in _WORDS]
        if self.decision == "refused":
            return " ".join(["No answer: the model should not be asked about this series.", *why])
        if self.decision == "abstain" or self.score is None or self.level is None:
            return " ".join(["No answer: the model cannot tell.", *why])
        given = f"Its score is {self.score:.2f}"
        if self.decision == "tumour":
            key = self.key_slices[0] if self.key_slices else None
            where = "" if key is None else f", most at {key.position:.0f} mm"
            return " ".join(
                [
                    f"The model finds signs of a tumour{where}.",
                    f"{given}; series are called “tumour” at {self.level.tumour:.2f} and above.",
                    *why,
                ]
            )
        return " ".join(
            [
                "The model finds no signs of a tumour.",
                f"{given}; series are called “no tumour” below {self.level.no_tumour:.2f}.",
                "A no-tumour result is not a clean bill of health.",
                *why,
            ]
        )


def with_paths(
    found: SeriesFinding,
    *,
    path: Callable[[str], str],
    of_slice: Callable[[SliceFinding], SliceFinding],
) -> SeriesFinding:
    """Return a finding whose files are called otherwise, as people know them.

    Its origins stay, so that results can still be made of it.

    Parameters
    ----------
    found : SeriesFinding
        What was found.
    path : callable
        What the series, or a file of it that was not read, is called, by its path.
    of_slice : callable
        Changes a slice.
    """
    return replace(
        found,
        path=path(found.path),
        slices=tuple(map(of_slice, found.slices)),
        key_slices=tuple(map(of_slice, found.key_slices)),
        passed_over=tuple(replace(each, path=path(each.path)) for each in found.passed_over),
    )

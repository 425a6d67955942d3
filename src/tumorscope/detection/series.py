"""A volume → its slices → their findings → one finding for the series."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tumorscope.common.errors import InputError
from tumorscope.common.names import printable
from tumorscope.detection.finding import Finding
from tumorscope.detection.key_slices import key_slices, known_slices, pictures_of
from tumorscope.detection.looking import USUALLY, Looking
from tumorscope.detection.series_finding import SeriesDecision, SeriesFinding, SliceFinding
from tumorscope.imaging.inputs import Image
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.schema import Metadata
from tumorscope.model_file.series_rule import SeriesLevel
from tumorscope.scans import (
    NotRead,
    ScanSlice,
    Series,
    StudyIndex,
    Volume,
    directions,
    distinct_volumes,
    index_study,
    views,
)
from tumorscope.scans.head import HEAD_AREA, head_area


class Answering(Protocol):
    """What is needed of a `tumorscope.Detector`, which itself stands on this module."""

    operating_point: str
    threads: int

    @property
    def metadata(self) -> Metadata:
        """What the model file says about itself."""
        ...

    @property
    def model_id(self) -> str:
        """Name of the model, and hash of its graph."""
        ...

    def unlooking(self) -> Answering:
        """Return the same without the look whether images are known."""
        ...

    def knows(self, scan: Slice) -> bool | None:
        """Return whether the model was trained on a slice."""
        ...

    def detect_many(
        self, images: Iterable[Image], *, batch: int | None = None
    ) -> Iterator[Finding]:
        """Yield the findings for many images in their order."""
        ...


def series_finding(
    detector: Answering, source: Volume | str | os.PathLike[str], *, how: Looking = USUALLY
) -> SeriesFinding:
    """Return the finding for a volume, or for the one series at a path."""
    return detect_volume(detector, the_volume(source), how=how)


def the_volume(source: Volume | str | os.PathLike[str]) -> Volume:
    """Return the one volume that a path holds.

    Raises
    ------
    InputError
        If it holds none that can be read, or several.
    """
    if isinstance(source, Volume):
        return source
    path = os.fspath(source)
    index = index_study(path)
    volumes: list[Volume] = []
    left_out: list[NotRead] = []
    for found in (each for series in index.series for each in distinct_volumes(series)):
        if isinstance(found, NotRead):
            left_out.append(found)
            continue
        volumes.append(found)
        if len(volumes) > 1:  # and perhaps thousands more
            break
    if len(volumes) == 1:
        return volumes[0]
    left_out += index.not_read
    why = f" Not read: {left_out[0].sentence()}" if left_out and not volumes else ""
    raise InputError(
        f"Received {printable(path)}, which holds {'several' if volumes else 'no'} volumes that "
        f"can be read; expected one.{why} Give one series, or go through all of them with "
        "detect_study."
    )


def detect_study(
    detector: Answering,
    source: StudyIndex | str | os.PathLike[str],
    *,
    how: Looking = USUALLY,
) -> Iterator[SeriesFinding | NotRead]:
    """Yield a finding for each volume below a path, and what is not read, one volume at a time.

    Parameters
    ----------
    detector : Detector
        What answers.
    source : path or StudyIndex
        A folder of any nesting, or one file, of DICOM or NIfTI; or what `index_study` found there.
    how : Looking
        Plane, distance of slices, window.

    Yields
    ------
    SeriesFinding or NotRead
        In the order of studies and series; what is no series behind them.
    """
    index = source if isinstance(source, StudyIndex) else index_study(os.fspath(source))
    for series in index.series:
        yield from detect_volumes(detector, series, how=how)
    yield from index.not_read


def detect_volumes(
    detector: Answering, series: Series, *, how: Looking = USUALLY
) -> Iterator[SeriesFinding | NotRead]:
    """Yield a finding for each volume of a series, and what of it is not read."""
    for found in distinct_volumes(series):
        if isinstance(found, NotRead):
            yield found
            continue
        finding = detect_volume(detector, found, how=_possible(found, how))
        yield replace(finding, description=series.description)


def detect_volume(detector: Answering, volume: Volume, *, how: Looking = USUALLY) -> SeriesFinding:
    """Return the finding for one volume.

    Raises
    ------
    InputError
        If it cannot be cut along that plane, as its slices are uneven.
    """
    began = time.perf_counter()
    shown = _Shown()
    asked = detector if how.every is None else detector.unlooking()
    pictures = shown.passing(views(volume, how.plane, window=how.window, every=how.every))
    found = [
        _slice_finding(finding, scan)
        for finding, scan in zip(
            asked.detect_many(pictures, batch=how.batch), shown.scans, strict=False
        )
    ]
    plane = shown.scans[0].plane
    slices, score = _with_curve(detector, found, shown.depths(plane))
    placed = not any(remark.code == "instance-order" for remark in volume.remarks)
    decision, reasons, level = _decided(detector, slices, score, plane, placed=placed)
    keys = key_slices(slices)
    looked = known_slices(slices, keys) if how.every is not None else {each.index for each in keys}
    drawn = pictures_of(looked, volume, how, shown.scans[0].window)
    if how.every is not None:
        slices = _with_seen(slices, _known(detector, drawn))
    seen = _any_seen(slices)
    return SeriesFinding(
        path=volume.path,
        study_uid=volume.study_uid,
        series_uid=volume.series_uid,
        part=volume.part,
        decision=decision,
        score=score,
        reasons=(*reasons, "seen") if seen else reasons,
        level=level,
        plane=plane,
        sequence=volume.acquisition.sequence,
        window=str(how.window),
        key_slices=tuple(replace(each, picture=drawn[each.index]) for each in keys),
        slices=slices,
        passed_over=volume.not_read,
        remarks=volume.remarks,
        seen=seen,
        model=detector.model_id,
        operating_point=detector.operating_point,
        ms=1000.0 * (time.perf_counter() - began),
        origins=volume.origins,
        directions=directions(volume, how.plane),
    )


class _Shown:
    """Slices on their way to the detector: their places are kept, their pixels are not."""

    def __init__(self) -> None:
        self.scans: list[ScanSlice] = []
        self._heads: list[bool] = []

    def passing(self, scans: Iterator[ScanSlice]) -> Iterator[Slice]:
        for scan in scans:
            self._heads.append(head_area(scan) >= HEAD_AREA)
            picture = scan.slice
            self.scans.append(replace(scan, slice=_NOTHING))
            yield picture

    def depths(self, plane: str) -> NDArray[np.float64] | None:
        """Return how far below the vertex each axial slice lies, in mm."""
        if plane != "axial":
            return None
        positions = np.array([scan.position for scan in self.scans])
        heads = np.array(self._heads)
        top = positions[heads].max() if heads.any() else positions[-1]
        depths: NDArray[np.float64] = top - positions
        return depths


_NOTHING = Slice(np.zeros((1, 1), np.uint8), "")


def _possible(volume: Volume, how: Looking) -> Looking:
    """Return how a volume among others is looked at: as acquired, where it cannot be cut."""
    return how if volume.regular else replace(how, plane=None)


def _slice_finding(finding: Finding, scan: ScanSlice) -> SliceFinding:
    return SliceFinding(
        finding=finding,
        index=scan.index,
        position=scan.position,
        centre=scan.centre,
        path=scan.path,
        sop_instance_uid=scan.sop_instance_uid,
        frame=scan.frame,
    )


def _with_curve(
    detector: Answering, found: list[SliceFinding], depths: NDArray[np.float64] | None
) -> tuple[tuple[SliceFinding, ...], float | None]:
    rule = detector.metadata.series
    asked = [each.finding.probability for each in found]
    if rule is None or all(value is None for value in asked):
        return tuple(found), None
    probabilities = np.array([np.nan if value is None else value for value in asked])
    curve = rule.curve(np.array([each.position for each in found]), probabilities, depths)
    slices = tuple(
        replace(each, curve=float(value)) for each, value in zip(found, curve, strict=True)
    )
    return slices, float(curve.max())


def _decided(
    detector: Answering,
    slices: tuple[SliceFinding, ...],
    score: float | None,
    plane: str,
    *,
    placed: bool,
) -> tuple[SeriesDecision, tuple[str, ...], SeriesLevel | None]:
    rule = detector.metadata.series
    if all(each.finding.probability is None for each in slices):
        return "refused", ("not-brain-mri",), None
    if rule is None or score is None:
        return "abstain", ("no-series-rule",), None
    level = next((level for name, level in rule.levels.items() if name == plane), None)
    if level is None:
        return "abstain", ("plane-not-measured",), None
    if len(slices) < rule.least:
        return "abstain", ("few-slices",), level
    if not placed:
        return "abstain", ("no-positions",), level
    decision = level.decide(score)
    return decision, ("uncertain",) if decision == "abstain" else (), level


def _known(detector: Answering, drawn: Mapping[int, Slice]) -> dict[int, bool | None]:
    with ThreadPoolExecutor(detector.threads, thread_name_prefix="tumorscope") as pool:
        return dict(zip(drawn, pool.map(detector.knows, drawn.values()), strict=True))


def _with_seen(
    slices: tuple[SliceFinding, ...], known: Mapping[int, bool | None]
) -> tuple[SliceFinding, ...]:
    found = []
    for each in slices:
        seen = known.get(each.index)
        reasons = (*each.finding.reasons, "seen") if seen else each.finding.reasons
        finding = replace(each.finding, seen=seen, reasons=reasons)
        found.append(replace(each, finding=finding))
    return tuple(found)


def _any_seen(slices: tuple[SliceFinding, ...]) -> bool | None:
    looked = [each.finding.seen for each in slices if each.finding.seen is not None]
    return any(looked) if looked else None

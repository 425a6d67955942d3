"""A volume → its slices → their findings → one finding for the series."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from tumorscope.common.errors import InputError, SurroundingsError
from tumorscope.common.names import printable
from tumorscope.common.words import counted
from tumorscope.detection.answering import Answering
from tumorscope.detection.asked_slices import ask_slices
from tumorscope.detection.key_slices import key_slices, known_slices, pictures_of
from tumorscope.detection.looking import USUALLY, Looking
from tumorscope.detection.series_finding import SeriesDecision, SeriesFinding, SliceFinding
from tumorscope.imaging.slice import Slice
from tumorscope.model_file.series_rule import WIDEST, SeriesLevel, refused_within
from tumorscope.scans import (
    NotRead,
    Series,
    StudyIndex,
    Volume,
    directions,
    distinct_volumes,
    index_study,
    thinned_volume,
)
from tumorscope.scans.in_flight import NO_MEMORY


def series_finding(
    detector: Answering, source: Volume | str | os.PathLike[str], *, how: Looking = USUALLY
) -> SeriesFinding:
    """Return the finding for a volume, or for the one series at a path.

    Raises
    ------
    InputError
        If it cannot be read, or cannot be cut along that plane.
    SurroundingsError
        If the memory does not suffice to look at all of its slices.
    """
    volume = the_volume(source, how)
    try:
        return detect_volume(detector, volume, how=how)
    except MemoryError as error:
        slices = counted(len(volume.stack_origins), "slice")
        raise SurroundingsError(
            f"The memory does not suffice to look at the volume {printable(volume.path)} of "
            f"{slices}. Expected more free memory than there is, as a tumour might lie in any "
            "slice that is not looked at. End other programs, or look at slices that lie "
            "further apart (every)."
        ) from error


def the_volume(source: Volume | str | os.PathLike[str], how: Looking = USUALLY) -> Volume:
    """Return the one volume that a path holds; the slices that are looked at alone.

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
    found_there = (
        found
        for series in index.series
        for found in distinct_volumes(series, every=how.every, plane=how.plane)
    )
    for found in found_there:
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
    for found in distinct_volumes(series, every=how.every, plane=how.plane):
        if isinstance(found, NotRead):
            yield found
            continue
        try:
            finding = detect_volume(detector, found, how=_possible(found, how))
        except MemoryError:
            identity = (found.study_uid, found.series_uid)
            yield NotRead("too-large", found.path, NO_MEMORY, len(found.origins), *identity)
            continue
        yield replace(finding, description=series.description)


def detect_volume(detector: Answering, volume: Volume, *, how: Looking = USUALLY) -> SeriesFinding:
    """Return the finding for one volume.

    Raises
    ------
    InputError
        If it cannot be cut along that plane, as its slices are uneven.
    MemoryError
        If the memory does not suffice to look at all of its slices.
    """
    began = time.perf_counter()
    volume = thinned_volume(volume, how.every, how.plane)
    asked = ask_slices(detector, volume, how)
    slices, plane = asked.slices, asked.plane
    if any(each.finding.unreadable for each in slices):
        raise MemoryError  # for nothing else; without them, a tumour might not be seen
    score = None if asked.curve is None else float(asked.curve.max())
    placed = not any(remark.code == "instance-order" for remark in volume.remarks)
    decision, reasons, level = _decided(detector, slices, score, plane, placed=placed)
    if decision == "no tumour" and (unseen := _unseen(volume, slices)):
        decision, reasons = "abstain", (unseen,)
    keys = key_slices(slices)
    looked = known_slices(slices, keys) if how.every is not None else {each.index for each in keys}
    drawn = pictures_of(looked, volume, how, asked.window)
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
        origins=volume.stack_origins,
        directions=directions(volume, how.plane),
    )


def _possible(volume: Volume, how: Looking) -> Looking:
    """Return how a volume among others is looked at: as acquired, where it cannot be cut."""
    return how if volume.regular else replace(how, plane=None)


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
    # Refused slices count as far below, so that a series of nothing else would be tumour-free.
    if sum(each.finding.probability is not None for each in slices) < rule.least:
        return "abstain", ("few-slices",), level
    if not placed:
        return "abstain", ("no-positions",), level
    decision = level.decide(score)
    return decision, ("uncertain",) if decision == "abstain" else (), level


def _unseen(volume: Volume, slices: tuple[SliceFinding, ...]) -> str:
    """Return why a tumour may lie where no slice was answered, or nothing."""
    if _in_part(volume):
        return "missing-slices"
    positions = np.array([each.position for each in slices])
    refused = np.array([each.finding.probability is None for each in slices])
    return "refused-slices" if refused_within(positions, refused) else ""


def _in_part(volume: Volume) -> bool:
    """Return whether slices are missing or unreadable, of more than one slice stands for at most.

    Missing between others, or at an end, where the headers tell of it.

    What lies in a narrower gap is too thin to be called a tumour, however it looks.
    """
    if len(volume.positions) < 2:
        return volume.cut_off > WIDEST
    steps = np.diff(volume.positions)
    gap = any(remark.code == "gap" for remark in volume.remarks) and steps.max() > WIDEST
    lost = sum(record.images for record in volume.not_read) * float(np.median(steps))
    return bool(gap or lost + volume.cut_off > WIDEST)


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

"""The work of ``tumorscope predict``: pictures, volumes or both in, their rows out."""

from __future__ import annotations

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from tumorscope.cli.app import SOME_FAILED, emit
from tumorscope.cli.predict_screen import Row, is_screen, screen
from tumorscope.cli.predict_tally import Tally
from tumorscope.cli.predict_volumes import Volumes, delivery_of, tell_delivery
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.extras import MissingExtraError, require
from tumorscope.common.limits import check_whole
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import say, track
from tumorscope.imaging.passed_over import PassedOver, Reason

if TYPE_CHECKING:
    from tumorscope.cli.options import Common
    from tumorscope.detection.detector import Detector
    from tumorscope.detection.find_images import Found
    from tumorscope.detection.in_processes import Processes
    from tumorscope.detection.looking import Looking
    from tumorscope.detection.outputs import Opened, Outputs
    from tumorscope.detection.study import Inputs
    from tumorscope.detection.study_results import Found as FoundSeries
    from tumorscope.scans import StudyIndex
    from tumorscope.serving.delivery import Delivery
    from tumorscope.serving.dicomweb import Archive


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What was asked for.

    Attributes
    ----------
    paths : tuple of Path
        As they were named.
    outputs : Outputs
        What is written.
    volumes : Volumes
        What was asked for of volumes.
    resume : bool
        Whether an interrupted batch goes on.
    batch : int, optional
        Images per run of the engine.
    common : Common
        Options of every command.
    archive : Archive, optional
        Where DICOM results are stored.
    addressed : callable
        Changes the paths of a finding to those that people know.
    """

    paths: tuple[Path, ...]
    outputs: Outputs
    volumes: Volumes
    common: Common
    resume: bool = False
    batch: int | None = None
    archive: Archive | None = None
    addressed: Callable[[FoundSeries], FoundSeries] = field(default=lambda found: found)


@dataclass(frozen=True, slots=True)
class _Plan:
    """What is looked at, and how its rows look."""

    request: Request
    detector: Detector
    pictures: Iterator[Found] | None
    count_pictures: Callable[[], int | None]
    index: StudyIndex | None
    how: Looking | None
    by_slice: bool
    columns: Mapping[str, type]


def predict_files(request: Request, load: Callable[[], Detector]) -> int:
    """Answer for each picture and each series, and return the exit code."""
    from tumorscope.detection.outputs import open_outputs

    outputs, common = request.outputs, request.common
    if request.resume and request.volumes.dicom_results is not None:
        raise UsageError(
            "Received --resume with --dicom-results; expected one of them, as a log does not say "
            "which results were written. Leave --resume out: results that are there already are "
            "written as the same files."
        )
    outputs.check(request.paths, resume=request.resume)
    passed = PassedOver(keep=_kept())
    plan, icons = _planned(request, load, passed)
    detector, tally = plan.detector, Tally()
    delivery = None
    if plan.index is not None:
        delivery = delivery_of(detector, plan.index, request.volumes.dicom_results, request.archive)
    with (
        _processes(plan) as (plan, processes),
        open_outputs(
            detector,
            outputs=outputs,
            named=request.paths,
            resume=request.resume,
            columns=plan.columns,
            options={} if plan.index is None else _options(plan),
        ) as opened,
    ):
        show, collected = screen(  # no heading above what is refused
            common, outputs.table, columns=plan.columns, pictures=plan.pictures is not None
        )
        _pictures(plan, opened, processes, tally, show)
        page = _series(plan, opened, tally, show, delivery)
    lines = [*passed.words()]
    if plan.pictures is not None:
        lines += tally.words_of_pictures(detector.model_id)
    if plan.index is not None:
        lines += tally.words_of_series(detector.model_id)
    if icons:
        were = "picture was" if icons == 1 else "pictures were"
        lines.append(
            f"{icons} {were} not looked at, as files of volumes are ten times as many; name "
            "pictures, or a folder of them, to have them looked at."
        )
    lines += [f"Wrote {path}" for path in dict.fromkeys((*_written(plan), page)) if path]
    for line in lines:
        say(line)
    if delivery is not None:
        tell_delivery(delivery)
    say(RESEARCH_USE_ONLY)
    if common.json:
        emit(common, _document(plan, tally, passed, collected, delivery), "")
    tally.check(volumes=plan.index is not None)
    if delivery is not None:
        delivery.check()
    refused = delivery is not None and bool(delivery.refused)
    return SOME_FAILED if tally.failed or passed.scans or refused else 0


def _planned(
    request: Request, load: Callable[[], Detector], passed: PassedOver
) -> tuple[_Plan, int]:
    """Look what there is, and return how to go about it, and how many icons are left."""
    from tumorscope.detection.find_images import count_images, find_images
    from tumorscope.detection.study import Inputs, inputs_of

    exclude = [] if request.outputs.overlays is None else [request.outputs.overlays]
    inputs = inputs_of(request.paths, exclude=exclude)
    if inputs.pictures and inputs.volumes and not _reads_volumes():
        inputs = Inputs(request.paths, ())
    if not inputs.volumes:
        request.volumes.refuse_given()
    if request.batch is not None:
        check_whole("batch", request.batch, at_least=1)
    pictures = None
    if inputs.pictures:
        others = _Others(passed, frozenset(map(str, inputs.volumes))) if inputs.volumes else passed
        try:
            pictures = find_images(inputs.pictures, exclude=exclude, passed=others)
        except InputError:
            if not inputs.volumes:
                raise
    detector = load()
    plan = _of_volumes(request, inputs, detector, exclude, has_pictures=pictures is not None)
    plan = replace(
        plan,
        pictures=pictures,
        count_pictures=lambda: count_images(inputs.pictures, exclude=exclude),
    )
    return plan, inputs.icons


def _of_volumes(
    request: Request,
    inputs: Inputs,
    detector: Detector,
    exclude: Sequence[Path],
    *,
    has_pictures: bool,
) -> _Plan:
    from tumorscope.detection.tables import FINDING_COLUMNS

    def nothing() -> None:
        return None

    if not inputs.volumes:
        return _Plan(request, detector, None, nothing, None, None, False, FINDING_COLUMNS)
    from tumorscope.detection.study_outputs import columns_of
    from tumorscope.scans import index_study

    asked = request.volumes
    how, by_slice = asked.looking(request.batch), asked.slices
    index = index_study(inputs.volumes, exclude=exclude)
    if detector.metadata.series is None and not by_slice:
        say(
            f"The model {detector.model_id} holds no rule for series, so there is a row for each "
            "slice, as with --slices."
        )
        by_slice = True
        how = replace(how, every=asked.every, sparing=False)
    columns = columns_of(
        by_slice=by_slice,
        descriptions=asked.with_descriptions,
        overlays=request.outputs.overlays is not None,
        pictures=has_pictures,
    )
    return _Plan(request, detector, None, nothing, index, how, by_slice, columns)


@contextlib.contextmanager
def _processes(plan: _Plan) -> Iterator[tuple[_Plan, Processes | None]]:
    """Give the same plan, and processes where there are many pictures.

    They are begun before anything is opened, which they would hold open too.
    """
    from tumorscope.detection.in_processes import MANY, begin

    if plan.pictures is None:
        yield plan, None
        return
    first = list(itertools.islice(plan.pictures, MANY))
    plan = replace(plan, pictures=itertools.chain(first, plan.pictures))
    processes = None
    if len(first) == MANY:
        processes = begin(plan.detector, drawing=plan.request.outputs.drawing)
    with processes or contextlib.nullcontext():
        yield plan, processes


def _pictures(
    plan: _Plan,
    opened: Opened,
    processes: Processes | None,
    tally: Tally,
    show: Callable[[Row], object],
) -> None:
    from tumorscope.detection.outputs import picture_results

    if plan.pictures is None:
        return
    results = picture_results(
        opened, plan.detector, plan.pictures, batch=plan.request.batch, processes=processes
    )
    if not sys.stdout.isatty():  # on one screen, rows and a bar would overwrite each other
        results = track(results, "Detecting", total=plan.count_pictures)
    for result in results:
        show(result.values)
        tally.add_picture(result)


def _series(
    plan: _Plan,
    opened: Opened,
    tally: Tally,
    show: Callable[[Row], object],
    delivery: Delivery | None,
) -> Path | None:
    """Go through the series, and return where their page is."""
    if plan.index is None or plan.how is None:
        return None
    from tumorscope.detection.series_finding import SeriesFinding
    from tumorscope.detection.study_outputs import page_of_series, study_results

    request = plan.request
    bare = is_screen(request.common, request.outputs.table) or not plan.index.series
    page = page_of_series(request.outputs.page, pictures=plan.pictures is not None)
    results = study_results(
        opened,
        plan.detector,
        plan.index.series if bare else track(plan.index.series, "Detecting"),
        plan.index.not_read,
        how=plan.how,
        by_slice=plan.by_slice,
        descriptions=request.volumes.with_descriptions,
        page=page,
        addressed=request.addressed,
    )
    for result in results:
        tally.add_series(result)
        if delivery is not None and isinstance(result.finding, SeriesFinding):
            delivery.add(result.finding)
        for row in result.rows:
            show(row)
    return page


def _written(plan: _Plan) -> tuple[Path, ...]:
    outputs = plan.request.outputs
    return (outputs if plan.pictures is not None else replace(outputs, page=None)).given


def _document(
    plan: _Plan,
    tally: Tally,
    passed: PassedOver,
    collected: list[Row],
    delivery: Delivery | None,
) -> dict[str, object]:
    output = plan.request.outputs.table
    found: dict[str, object] = {"notice": RESEARCH_USE_ONLY, "model": plan.detector.model_id}
    if plan.pictures is not None:
        found |= {
            "operating_point": plan.detector.operating_point,
            "decisions": dict(tally.pictures),
            "seen": tally.seen,
            "resumed": tally.resumed,
            "passed_over": passed.to_json(),
        }
    if plan.index is not None:
        # Beside pictures their counts have the plain names.
        beside = "" if plan.pictures is None else "series_"
        found |= {
            "series": tally.series.total(),
            f"{beside}decisions": dict(tally.series),
            f"{beside}seen": tally.seen_series,
            "not_read": dict(tally.not_read),
        }
        if tally.resumed_series:
            found["resumed_series"] = tally.resumed_series
    found |= {"findings": collected} if output is None else {"output": str(output)}
    return found if delivery is None else {**found, "dicom_results": delivery.to_json()}


def _options(plan: _Plan) -> dict[str, object]:
    """Return what decides the rows of volumes, for the log."""
    how, request = plan.how, plan.request
    return {
        "plane": None if how is None else how.plane,
        "every": None if how is None else how.every,
        "window": "" if how is None else str(how.window),
        "slices": plan.by_slice,
        "descriptions": request.volumes.with_descriptions,
        "columns": list(plan.columns),
        "table": request.outputs.table.suffix.lower() if request.outputs.table else "",
    }


class _Others(PassedOver):
    """What is passed over beside volumes, which are looked at after the pictures."""

    def __init__(self, others: PassedOver, volumes: frozenset[str]) -> None:
        super().__init__()
        self._others, self._volumes = others, volumes

    def add(
        self, reason: Reason, path: str | PurePath, *, kind: str = "", scan: bool = False
    ) -> None:
        """Count one, unless it is a file of a volume."""
        if str(path) not in self._volumes:
            self._others.add(reason, path, kind=kind, scan=scan)


def _kept() -> int:
    from tumorscope.detection.find_images import KEPT

    return KEPT


def _reads_volumes() -> bool:
    try:
        require("dicom", to="read DICOM and NIfTI")
    except MissingExtraError:
        return False
    return True

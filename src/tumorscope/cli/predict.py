"""``tumorscope predict``: files and folders in, one row per image or series out."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tumorscope.cli.app import SHOWN_FAILURES, SOME_FAILED, emit
from tumorscope.cli.options import Common, Flag, OptionalOutput, OptionalWhole, Paths
from tumorscope.cli.predict_dicomweb import FromArchive, predict_dicomweb
from tumorscope.cli.predict_volumes import Plane, Volumes, predict_volumes
from tumorscope.common.errors import InputError, UsageError
from tumorscope.common.names import printable
from tumorscope.common.notice import RESEARCH_USE_ONLY
from tumorscope.common.progress import say, track

if TYPE_CHECKING:
    from tumorscope.detection.detector import Detector
    from tumorscope.detection.engines import EngineName
    from tumorscope.detection.records import Result


ON_SCREEN = ("decision", "probability", "ms", "seen", "path")
"""What a terminal has room for; a file or a pipe gets every column."""


def predict(
    paths: Paths = (),
    /,
    *,
    model: Path | None = None,
    output: OptionalOutput = None,
    overlays: Path | None = None,
    report: Path | None = None,
    operating_point: str = "balanced",
    engine: Literal["onnxruntime", "openvino", "litert"] | None = None,
    batch: OptionalWhole = None,
    threads: OptionalWhole = None,
    fast: Flag = False,
    skip_seen_check: Flag = False,
    resume: Flag = False,
    slices: Flag = False,
    plane: Plane | None = None,
    every: float | None = None,
    window: str = "percentile",
    with_descriptions: Flag = False,
    dicom_results: Path | None = None,
    dicomweb: str | None = None,
    study: str | None = None,
    series: str | None = None,
    dicomweb_headers: Path | None = None,
    store: Flag = False,
    ray: str | None = None,
    workers: OptionalWhole = None,
    common: Common | None = None,
) -> int:
    """Tell tumour from no tumour on brain MRI (pictures, DICOM, NIfTI), or say why not.

    Decisions are tumour, no tumour, abstain (the model cannot tell), refused (not a brain MRI
    slice) and unreadable. A file that cannot be read is a row with its reason (exit code 4), and
    the others are done. Other files in a folder are counted by reason; the exit code is 4 too
    where they look like scans, such as DICOM files, or where a folder that was named holds no
    image.

    Volumes (DICOM, NIfTI; extra “dicom”) have one row per series, decided by neighbouring slices
    together. Folders hold volumes where there are no pictures in them, or hardly any.

    Example:

        tumorscope predict scan.jpg --model model.onnx
        tumorscope predict scans/ --model model.onnx -o findings.csv --report findings.html
        tumorscope predict STUDY/ -o findings.csv --report study.html
        tumorscope predict STUDY/ --dicom-results results/
        tumorscope predict --dicomweb https://pacs.example/dicom-web --study 1.2.3 --store
        tumorscope predict s3://bucket/slices -o s3://bucket/findings --ray auto

    Parameters
    ----------
    paths
        Images or volumes, or folders that are searched to any depth.
    model
        A model file (.onnx, .xml or .tflite), or packaged (the default), the one in the package.
    output
        Table to write: .csv, .parquet or .jsonl. What is finished is kept in a log beside it, so
        that --resume can go on. Without, the table goes to standard output.
    overlays
        Folder for one picture per image: red pushed towards tumour, blue away from it. It may lie
        in a folder that is searched, and is passed over there.
    report
        Page to write (.html): a card with picture, evidence, decision and reasons for each image,
        to sort and filter in a browser. It is one file, and loads nothing from a network.
    operating_point
        Whose threshold decides: balanced, screening, specific, or another that the model stores.
        Around the threshold is a range without an answer, which tumorscope describe MODEL prints.
    engine
        What computes; by default the one that suits the model file.
    batch
        Images per run of the engine; 1 by default. With 4, a folder may take a tenth less time.
    threads
        Cores to use; all by default.
    fast
        Let OpenVINO compute in bfloat16 where the processor can: faster, but probabilities change,
        some by more than a tenth. Other engines ignore it, and a message says so.
    skip_seen_check
        Do not look whether the model was trained on an image or a copy of it, which takes up to
        half of the time. For scans that cannot have been in the training data; the column seen
        stays empty.
    resume
        Go on with an interrupted batch of the same images, model and options. A batch that was
        finished is computed again, because its log is gone.
    slices
        Of volumes: a row per slice instead of one per series. A .jsonl table has both.
    plane
        Of volumes: axial, coronal or sagittal, instead of the plane in which each was acquired.
    every
        Of volumes: distance of slices in mm; 3 by default, and every slice with --slices. Where
        nothing comes near the levels of a series, only one in three is asked about.
    window
        Of volumes, what becomes black and white: percentile (the 0.1st and 99.9th of the volume),
        dicom (as the header of each slice says), or two values LOW,HIGH.
    with_descriptions
        Of volumes: also write series descriptions, which may hold names.
    dicom_results
        Of DICOM series: folder for a structured report (SR) and a secondary capture (SC) of each,
        which archives keep and viewers show. Written again, the same answer is the same object.
    dicomweb
        Instead of paths: address of an archive that speaks DICOMweb. A token is taken from the
        environment variable TUMORSCOPE_DICOMWEB_TOKEN; certificates are verified.
    study
        With --dicomweb: Study Instance UID. Its MR series are fetched, and removed afterwards.
    series
        With --study: Series Instance UID, for that series alone.
    dicomweb_headers
        With --dicomweb: file with HTTP headers, one NAME: VALUE a line.
    store
        With --dicomweb: store the results in the archive, beside the study.
    ray
        Address of a Ray cluster, such as ray://head:10001, or local; extra “ray”. Pictures only.
        PATHS may then be addresses such as s3://bucket/prefix, and -o names a folder or address
        for many Parquet tables. What is there is not computed again.
    workers
        With --ray: how many processes of one core each; all cores by default.
    """
    common = common or Common()
    from_archive = FromArchive(
        url=dicomweb, study=study, series=series, headers=dicomweb_headers, store=store
    )
    of_archive = from_archive.check(paths)
    if ray is not None:
        from tumorscope.cli.predict_ray import predict_ray

        refuse_beside_ray(
            {
                "--overlays": overlays,
                "--report": report,
                "--resume": resume,
                "--batch": batch,
                "--threads": threads,
                "--slices": slices,
                "--plane": plane,
                "--every": every,
                "--with-descriptions": with_descriptions,
                "--dicom-results": dicom_results,
                "--dicomweb": dicomweb,
            }
        )
        seen = not skip_seen_check
        detector = _load(model, operating_point, engine, threads=1, fast=fast, check_seen=seen)
        return predict_ray(
            paths, detector, address=ray, workers=workers, output=output, common=common
        )
    asked = Volumes(
        by_slice=slices,
        descriptions=with_descriptions,
        window=window,
        plane=plane,
        every=every,
        dicom_results=dicom_results,
    )

    def load() -> Detector:
        seen = not skip_seen_check
        return _load(model, operating_point, engine, threads=threads, fast=fast, check_seen=seen)

    from tumorscope.detection.study import holds_volumes

    if of_archive or holds_volumes(paths):
        if overlays is not None or resume:
            raise UsageError(
                "Received --overlays or --resume for volumes; expected pictures with these. Leave "
                "it out: --report shows the slices that carry an answer."
            )
        how = asked.looking(batch)
        if of_archive:
            return predict_dicomweb(
                from_archive,
                load,
                volumes=asked,
                how=how,
                output=output,
                report=report,
                common=common,
            )
        return predict_volumes(
            paths,
            load,
            asked=asked,
            how=how,
            output=output,
            report=report,
            common=common,
        )
    asked.refuse_given()
    from tumorscope.detection.find_images import KEPT, count_images, find_images
    from tumorscope.detection.outputs import Outputs, open_results
    from tumorscope.imaging.passed_over import PassedOver

    outputs = Outputs(table=output, overlays=overlays, page=report)
    outputs.check(paths, resume=resume)
    exclude = [] if overlays is None else [overlays]
    passed = PassedOver(keep=KEPT)
    images = find_images(paths, exclude=exclude, passed=passed)
    detector = load()
    tally = _Tally()
    with open_results(
        detector, images, outputs=outputs, named=paths, resume=resume, batch=batch
    ) as results:
        show, collected = _screen(common, output)  # no heading above what is refused
        for result in _tracked(results, lambda: count_images(paths, exclude=exclude)):
            show(result.values)
            tally.add(result)
    for line in (*passed.words(), *tally.words(detector.model_id)):
        say(line)
    for path in outputs.given:
        say(f"Wrote {path}")
    say(RESEARCH_USE_ONLY)
    if common.json:
        document = {
            "notice": RESEARCH_USE_ONLY,
            "model": detector.model_id,
            "operating_point": operating_point,
            "decisions": dict(tally.decisions),
            "resumed": tally.resumed,
            "passed_over": passed.to_json(),
            **({"findings": collected} if output is None else {"output": str(output)}),
        }
        emit(common, document, "")
    tally.check()
    return SOME_FAILED if tally.unreadable or passed.scans else 0


def refuse_beside_ray(given: Mapping[str, object]) -> None:
    """Refuse options, by name, that say nothing where a cluster works."""
    if named := [name for name, value in given.items() if value]:
        raise UsageError(
            f"Received {', '.join(named)} with --ray; expected neither. Workers have one thread, "
            "write tables only, and go on by themselves. Leave them out."
        )


def _load(
    model: Path | None,
    operating_point: str,
    engine: EngineName | None,
    *,
    threads: int | None,
    fast: bool,
    check_seen: bool,
) -> Detector:
    from tumorscope.detection.detector import Detector

    detector = Detector.load(
        model,
        engine=engine,
        operating_point=operating_point,
        threads=threads,
        fast=fast,
        check_seen=check_seen,
    )
    used = detector.identity["engine"]
    if fast and used != "openvino":
        say(f"--fast changes nothing with the engine {used}; it is for --engine openvino.")
    return detector


@dataclass(slots=True)
class _Tally:
    """What is counted of a batch while it goes on."""

    decisions: Counter[str] = field(default_factory=Counter)
    resumed: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def unreadable(self) -> int:
        return self.decisions["unreadable"]

    def add(self, result: Result) -> None:
        decision = str(result.values["decision"])
        self.decisions[decision] += 1
        self.resumed += result.resumed
        if decision == "unreadable" and len(self.failures) < SHOWN_FAILURES:
            reason = str(result.values["reasons"]).removeprefix("unreadable: ")
            self.failures.append(f"Unreadable: {printable(str(result.values['path']))}: {reason}")

    def words(self, model: str) -> Iterator[str]:
        yield from self.failures
        if self.unreadable > len(self.failures):
            yield f"… and {self.unreadable - len(self.failures)} more that cannot be read."
        total = self.decisions.total()
        counts = ", ".join(f"{count} {name}" for name, count in self.decisions.most_common())
        kept = f", {self.resumed} of them from the log" if self.resumed else ""
        yield f"{total} {'image' if total == 1 else 'images'}{kept}: {counts}. Model {model}."

    def check(self) -> None:
        """Raise the error of a batch in which nothing could be read."""
        if self.unreadable and self.unreadable == self.decisions.total():
            one = self.unreadable == 1
            raise InputError(
                f"{'The only file' if one else f'None of the {self.unreadable} files'} could "
                f"{'not ' if one else ''}be read. Expected brain MRI slices as JPEG, "
                "PNG, BMP, GIF, TIFF or WebP. The reasons stand in the column reasons."
            )


def _screen(
    common: Common, output: Path | None
) -> tuple[Callable[[dict[str, object]], object], list[dict[str, object]]]:
    """Return what shows a row: nothing beside a table, a list for JSON, or the screen."""
    collected: list[dict[str, object]] = []
    if output is not None:
        return lambda _: None, collected
    if common.json:
        return collected.append, collected
    if sys.stdout.isatty():
        print("{:<11}{:>11}  {:>7}  {:<5} {}".format(*ON_SCREEN))
        return _print_line, collected
    import csv

    from tumorscope.detection.tables import FINDING_COLUMNS, cells

    table = csv.writer(sys.stdout, lineterminator="\n")
    table.writerow(FINDING_COLUMNS)
    return lambda values: table.writerow(cells(values)), collected


def _print_line(values: dict[str, object]) -> None:
    probability = values["probability"]
    shown = f"{probability:.3f}" if isinstance(probability, float) else "–"
    why = f"  ({values['reasons']})" if values["reasons"] else ""
    print(
        f"{values['decision']:<11}{shown:>11}  {values['ms']:>7.1f}  "
        f"{_yes_no(values['seen']):<5} {printable(str(values['path']))}{why}"
    )


def _tracked(results: Iterator[Result], total: Callable[[], int | None]) -> Iterator[Result]:
    # On one screen, rows and a bar would overwrite each other.
    yield from results if sys.stdout.isatty() else track(results, "Detecting", total=total)


def _yes_no(seen: object) -> str:
    return "?" if seen is None else "yes" if seen else "no"

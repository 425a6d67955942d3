"""``tumorscope predict``: files and folders in, one row per image or series out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tumorscope.cli.options import Common, Flag, OptionalOutput, OptionalWhole, Paths
from tumorscope.cli.predict_dicomweb import FromArchive, predict_dicomweb
from tumorscope.cli.predict_files import Request, predict_files
from tumorscope.cli.predict_volumes import Plane, Volumes
from tumorscope.common.errors import UsageError
from tumorscope.common.progress import say

if TYPE_CHECKING:
    from tumorscope.detection.detector import Detector
    from tumorscope.detection.engines import EngineName


def predict(
    paths: Paths = (),
    /,
    *,
    model: Path | None = None,
    output: OptionalOutput = None,
    overlays: Path | None = None,
    report: Path | None = None,
    operating_point: str = "balanced",
    engine: Literal["onnxruntime", "openvino", "litert", "cuda"] | None = None,
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
    together. Where a folder holds both, pictures come first in the table, and a page of its own
    shows the series. Only where volumes' files are ten times as many as pictures, these count as
    icons of a viewer and are not looked at.

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
        Folder for one picture per image, or per key slice of a series: red pushed towards tumour,
        blue away from it. It may lie in a folder that is searched, and is passed over there.
    report
        Page to write (.html): a card with picture, evidence, decision and reasons for each image,
        to sort and filter in a browser. It is one file, and loads nothing from a network.
    operating_point
        Whose threshold decides: balanced, screening, specific, or another that the model stores.
        Around the threshold is a range without an answer, which tumorscope describe MODEL prints.
    engine
        What computes; by default the one that suits the model file. cuda is ONNX Runtime on an
        NVIDIA graphics card, and needs the package onnxruntime-gpu.
    batch
        Images per run of the engine; 1 by default. With 4, a folder may take a tenth less time.
    threads
        Cores to use; all by default.
    fast
        Let OpenVINO compute in bfloat16 where the processor can: faster, but probabilities change,
        some by more than a tenth. Other engines ignore it, and a message says so.
    skip_seen_check
        Do not look whether the model was trained on an image or a copy of it, which takes some
        time, with older model files up to half of it. For scans that cannot have been in the
        training data; the column seen stays empty.
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
        Of volumes, what becomes black and white: percentile (the 0.1st and 99.9th of the slices
        that are decoded), dicom (as the header of each slice says), or two values LOW,HIGH.
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
        With --ray: how many processes of one core each, and with --engine cuda of one graphics
        card each; all that the cluster has by default.
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
                "--window": window != "percentile",
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

    from tumorscope.detection.outputs import Outputs

    request = Request(
        paths=paths,
        outputs=Outputs(table=output, overlays=overlays, page=report),
        volumes=asked,
        resume=resume,
        batch=batch,
        common=common,
    )
    if of_archive:
        return predict_dicomweb(from_archive, load, request)
    return predict_files(request, load)


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

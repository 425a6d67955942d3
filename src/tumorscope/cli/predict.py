"""``tumorscope predict``: files and folders in, one row per image or series out."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tumorscope.cli.options import Asked, Common, Flag, OptionalOutput, OptionalWhole, Paths
from tumorscope.cli.predict_dicomweb import FromArchive, predict_dicomweb
from tumorscope.cli.predict_files import Request, predict_files
from tumorscope.cli.predict_volumes import Volumes
from tumorscope.common.errors import UsageError
from tumorscope.common.progress import say

if TYPE_CHECKING:
    from tumorscope.detection.detector import Detector


def predict(
    paths: Paths = (),
    /,
    *,
    output: OptionalOutput = None,
    overlays: Path | None = None,
    report: Path | None = None,
    asked: Asked | None = None,
    batch: OptionalWhole = None,
    fast: Flag = False,
    resume: Flag = False,
    volumes: Volumes | None = None,
    from_archive: FromArchive | None = None,
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
    shows the series. Only where volumes' files are ten times as many as pictures, those in folders
    count as icons of a viewer and are not looked at.

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
    output
        Table to write: .csv, .parquet or .jsonl. What is finished is kept in a log beside it, so
        that --resume can go on. Without, the table goes to standard output.
    overlays
        Folder for one picture per image, or per key slice of a series: red pushed towards tumour,
        blue away from it. It may lie in a folder that is searched, and is passed over there.
    report
        Page to write (.html): a card with picture, evidence, decision and reasons for each image,
        to sort and filter in a browser. It is one file, and loads nothing from a network.
    batch
        Images per run of the engine; by default as many as change no number: 1, or 2 in folders.
    fast
        Let OpenVINO compute in bfloat16 where the processor can: faster, but probabilities change,
        some by more than a tenth. Other engines ignore it, and a message says so.
    resume
        Go on with an interrupted batch of the same images, model and options. A batch that was
        finished is computed again, because its log is gone.
    ray
        Address of a Ray cluster, such as ray://head:10001, or local; extra “ray”. Pictures only.
        PATHS may then be addresses such as s3://bucket/prefix, and -o names a folder or address
        for many Parquet tables. What is there is not computed again.
    workers
        With --ray: how many processes of one core each, and with --engine cuda of one graphics
        card each; all that the cluster has by default, and no more cores than it has.
    """
    common, asked = common or Common(), asked or Asked()
    volumes, from_archive = volumes or Volumes(), from_archive or FromArchive()
    of_archive = from_archive.check(paths)
    if ray is not None:
        from tumorscope.cli.predict_ray import predict_ray

        refuse_beside_ray(
            {
                "--overlays": overlays,
                "--report": report,
                "--resume": resume,
                "--batch": batch,
                "--threads": asked.threads,
                **volumes.given(),
                "--dicomweb": of_archive,
            }
        )
        detector = _load(asked, threads=1, fast=fast)
        return predict_ray(
            paths, detector, address=ray, workers=workers, output=output, common=common
        )
    from tumorscope.detection.outputs import Outputs

    request = Request(
        paths=paths,
        outputs=Outputs(table=output, overlays=overlays, page=report),
        volumes=volumes,
        resume=resume,
        batch=batch,
        common=common,
    )
    load = partial(_load, asked, fast=fast)
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


def _load(asked: Asked, *, threads: int | None = None, fast: bool) -> Detector:
    detector = asked.detector(threads=threads, fast=fast)
    used = detector.engine
    if fast and used != "openvino":
        say(f"--fast changes nothing with the engine {used}; it is for --engine openvino.")
    return detector

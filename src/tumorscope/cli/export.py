"""``tumorscope export``: a model file in other formats, each measured before it is kept."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tumorscope.cli.app import check_there, emit, left_out
from tumorscope.cli.options import Common, Output
from tumorscope.common.columns import aligned
from tumorscope.common.errors import UsageError
from tumorscope.common.extras import require
from tumorscope.common.progress import say

if TYPE_CHECKING:
    from tumorscope.conversion.convert import Conversion
    from tumorscope.model_file.onnx_file import ModelFile


def export(
    source: Path,
    /,
    *,
    to: Literal["onnx", "onnx-f16", "onnx-int8", "openvino", "litert", "litert-f16", "litert-int8"],
    output: Output,
    calibration: str | None = None,
    crossval: Path | None = None,
    outlines: Path | None = None,
    common: Common | None = None,
) -> int:
    """Convert a model; keep the result only if it still decides as the original.

    The converted model is run beside the original on labelled images. Where its AUC falls by more
    than 0.005, more than 1 % of decisions change, a probability differs too much or evidence no
    longer adds up to the logit, the next, more careful way is tried; if none passes, nothing is
    written (exit code 5). Whether the images are enough to show that so few decisions change is
    said too.

    Example:

        tumorscope export runs/first --to onnx -o models/
        tumorscope export model.onnx --to onnx-int8 --calibration scans/ -o models/

    Parameters
    ----------
    source
        A model file (.onnx), or the folder of a run made by tumorscope train. A file that
        stores its weights in 8 or 16 bits, as the one in the package does, is converted from what
        it computes with.
    to
        onnx (of a run), onnx-f16 (half the size), onnx-int8 (a third to a half), openvino (.xml
        and .bin), litert, litert-f16 or litert-int8 (.tflite).
    output
        Folder for the converted model and, of all formats but onnx, parity.json.
    calibration
        Labelled images by which the converted model is judged, preferably some that it was not
        trained on: class folders or a manifest.csv. 8-bit formats are calibrated on a part of them.
    crossval
        Of a run exported to onnx: folder of a cross-validation of the same recipe on the same
        images, whose out-of-fold scores decide calibration and operating points.
    outlines
        Of a run exported to onnx: folder of images NAME.png with masks NAME_mask.png beside
        them or in a folder masks, by which the model card tells whether evidence lies on lesions.
    """
    common = common or Common()
    if to == "onnx":
        check_there(source)
        if not source.is_dir():
            raise UsageError(
                f"{source} is to be exported to onnx, and is not a run. Expected the folder of a "
                "run made by `tumorscope train`; a model file is ONNX already."
            )
        require("train", to="export a run")
        made = _model_of_run(source, output, crossval, outlines)
        say(
            "Calibration and operating points come from the scores of the run's own tuning images; "
            "--crossval DIR takes those of a cross-validation, which are more."
            if crossval is None
            else f"Calibration and operating points come from the out-of-fold scores in {crossval}."
        )
        say(f"Wrote {made.path}")
        emit(
            common,
            {
                "model": made.metadata.id,
                "path": str(made.path),
                "bytes": len(made.graph),
                "crossval": None if crossval is None else str(crossval),
            },
            f"model  {made.metadata.id}\nfile   {made.path} ({len(made.graph) / 1e6:.1f} MB)",
        )
        return 0
    if crossval is not None or outlines is not None:
        raise UsageError(
            "--crossval or --outlines was given to convert a model file, whose calibration and "
            "card are fixed. Expected them with --to onnx. Export the run so first, then convert "
            "what that wrote."
        )
    if calibration is None:
        raise UsageError(
            f"--to {to} was asked for without --calibration. Expected labelled images (class "
            "folders or a manifest.csv), on which the converted model is compared with the "
            "original before it is kept. Add --calibration DATA."
        )
    from tumorscope.auditing.prepare import prepare_manifest
    from tumorscope.conversion.convert import convert
    from tumorscope.conversion.formats import require_for
    from tumorscope.conversion.original import check_original
    from tumorscope.conversion.sample import load_sample

    require_for(to)
    model = _read(source)
    check_original(model)
    images = prepare_manifest(calibration)
    sample = load_sample(images, model)
    conversion = convert(model, to, output=output, sample=sample)
    say(f"Wrote {conversion.path} and {output / 'parity.json'}")
    emit(
        common,
        {**conversion.parity, "passed_over": images.notes.passed_over.to_json()},
        _table(conversion),
    )
    return left_out(images.unreadable, images.notes.passed_over)


def _model_of_run(
    run: Path, output: Path, crossval: Path | None = None, outlines: Path | None = None
) -> ModelFile:
    from tumorscope.common.files import output_folder
    from tumorscope.training.export import export_run

    return export_run(
        run, output_folder(output) / "model.onnx", crossval=crossval, outlines=outlines
    )


def _read(source: Path) -> ModelFile:
    from tumorscope.detection.detector import model_path
    from tumorscope.model_file.onnx_file import read_model

    source = model_path(source)
    if not source.is_dir():
        return read_model(source)
    if (source / "model.onnx").is_file():
        return read_model(source / "model.onnx")
    with tempfile.TemporaryDirectory() as folder:
        return _model_of_run(source, Path(folder))


def _table(conversion: Conversion) -> str:
    last = conversion.attempts[-1]
    found = last.parity.metrics
    assert found is not None  # the last attempt passed
    lines = [
        ("file", f"{conversion.path} ({last.bytes / 1e6:.2f} MB)"),
        ("way", f"{last.name} (attempt {len(conversion.attempts)})"),
        ("AUC", f"{found.auc_before:.4f} before, {found.auc_after:.4f} after"),
        (
            "decisions",
            f"{found.changed_decisions} of {found.decisions} change (95 % interval to "
            f"{found.changed_at_most:.1%})",
        ),
        (
            "probability",
            f"differs by {found.max_difference:.2g} at most, {found.mean_difference:.2g} on "
            "average",
        ),
        ("proof", last.proof),
        ("evidence", f"misses the logit by {found.evidence_error:.1g} at most"),
    ]
    return aligned(lines)

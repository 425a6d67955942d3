"""A model file → OpenVINO's intermediate representation, an .xml beside a .bin."""

from __future__ import annotations

from pathlib import Path

from tumorscope.common.errors import OutputError
from tumorscope.common.extras import require
from tumorscope.common.files import atomic_path
from tumorscope.common.words import one_line
from tumorscope.model_file.onnx_file import ModelFile, without_metadata
from tumorscope.model_file.other_formats import seal_openvino
from tumorscope.model_file.schema import Metadata


def write_openvino(model: ModelFile, path: Path) -> Metadata:
    """Convert a model file; weights stay float32.

    Parameters
    ----------
    model : ModelFile
        From `tumorscope.model_file.onnx_file.read_model`.
    path : Path
        Of the .xml; the .bin goes beside it under the same stem.

    Returns
    -------
    Metadata
        As written.

    Raises
    ------
    MissingExtraError
        If OpenVINO is not installed.
    OutputError
        If it cannot be written.
    """
    require("openvino", to="export to openvino")
    import openvino

    # OpenVINO would copy what the ONNX file says of itself, which is true of another graph.
    converted = openvino.Core().read_model(without_metadata(model.graph))
    try:
        openvino.save_model(converted, path, compress_to_fp16=False)
    except RuntimeError as error:  # "iostream error", where a disk is full
        said = one_line(error, 200)
        raise OutputError(
            f"OpenVINO cannot write to {path.parent} ({said}). Expected a place with room that "
            "you may write to. Free space, or choose another with -o."
        ) from error
    sealed, metadata = seal_openvino(
        path.read_bytes(), path.with_suffix(".bin").read_bytes(), model.metadata
    )
    with atomic_path(path) as temporary:
        temporary.write_bytes(sealed)
    return metadata

"""The small form of the model in the package: weights stored in 8 bits, arithmetic in float32.

A form that computes in 8 bits would answer sooner, and nothing could be exported from it. After the
recipe's last phase the kernels are on the values that 8 bits hold, so that storing them so changes
next to nothing; `tumorscope export` makes what computes in 8 bits from it.
"""

from __future__ import annotations

from pathlib import Path

from tumorscope.assessment.ask import ask
from tumorscope.conversion.formats import FORMATS
from tumorscope.conversion.int8 import WEIGHTS_ONLY, weights_only
from tumorscope.conversion.parity import compare, proof, violations
from tumorscope.conversion.sample import Sample
from tumorscope.detection.engines import open_engine
from tumorscope.model_file.onnx_file import ModelFile, write_model


def pack(model: ModelFile, path: Path, sample: Sample) -> str:
    """Write the smallest form that decides as the model does; return what was done to it.

    Raises
    ------
    SystemExit
        If none does.
    """
    before = ask(open_engine(model, "onnxruntime"), sample.pixels)
    path.parent.mkdir(exist_ok=True)
    for way, smallest in WEIGHTS_ONLY.items():
        stored = model.metadata.model_copy(update={"precision": "int8"})
        written = write_model(path, weights_only(model.graph, smallest=smallest), stored)
        after = ask(open_engine(written, "onnxruntime"), sample.pixels)
        parity = compare(before, after, labels=sample.labels, metadata=model.metadata)
        against = violations(parity, FORMATS["onnx-int8"].limits)
        said = "; ".join(against) or proof(parity, FORMATS["onnx-int8"].limits)
        print(f"{way}: {path.stat().st_size / 1e6:.2f} MB. {said}")
        if not against:
            return way
    path.unlink()
    raise SystemExit("No form in 8 bits decides as the model does.")

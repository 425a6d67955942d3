#!/usr/bin/env bash
# OpenVINO pads with 0 where an ONNX model pads with a value that it works out itself.
#
# Versions   openvino 2026.4.1, onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6; CPU
# Input      ReduceMin → Pad: a 3 × 3 image of values between −20 and −12 gets a border of its least
#            value; the same with that value as a constant in the file
# Expected   a border of −20 from both: constant_value of Pad is an input like any other (ONNX, Pad-13:
#            "a scalar value to be used if the mode chosen is constant")
# Behaviour  0 without a word, where the value is worked out by the graph; −20 where it is a constant,
#            and from ONNX Runtime in both
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
	openvino==2026.4.1 onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime
import openvino
from onnx import TensorProto, helper, numpy_helper

image = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3) - 20
pads = numpy_helper.from_array(np.array([0, 0, 1, 1, 0, 0, 1, 1]), "pads")
least = numpy_helper.from_array(np.float32(-20).reshape(()), "least")
corners = {}
for what, nodes, constants in (
    ("a constant", [], [pads, least]),
    ("worked out", [helper.make_node("ReduceMin", ["x"], ["least"], keepdims=0)], [pads]),
):
    graph = helper.make_graph(
        [*nodes, helper.make_node("Pad", ["x", "pads", "least"], ["y"])],
        "pad",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 1, 3, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 1, 5, 5])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    file = model.SerializeToString()
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    compiled = openvino.compile_model(openvino.Core().read_model(file), "CPU")
    outputs = session.run(None, {"x": image})[0], compiled([image])[0]
    assert (outputs[0][0, 0, 1:4, 1:4] == image).all() and (outputs[1][0, 0, 1:4, 1:4] == image).all()
    corners[what] = tuple(float(each[0, 0, 0, 0]) for each in outputs)
    print(f"value {what}: border {corners[what][0]} from ONNX Runtime, {corners[what][1]} from OpenVINO")
sys.exit(corners != {"a constant": (-20, -20), "worked out": (-20, 0)})
PYTHON
echo "as described"

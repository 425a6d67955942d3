#!/usr/bin/env bash
# ONNX Runtime computes with the bytes of a big-endian array as if they were little-endian.
#
# Versions   onnxruntime 1.32.0, onnx 1.23.2, nibabel 5.4.2, numpy 2.4.6; a little-endian machine
# Input      a NIfTI file of float32 in big-endian order, as older tools write it, read by nibabel
#            (dtype ">f4") and given to a model of one node, Mul by 2
# Expected   1, 2, 3 become 2, 4, 6, as in numpy; or an error, as for an array of another type
# Behaviour  numbers about 1e-40 or without meaning, and no word; OrtValue.ortvalue_from_numpy likewise.
#            numpy.ascontiguousarray does not help, astype(array.dtype.newbyteorder("=")) does
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
	onnxruntime==1.32.0 onnx==1.23.2 nibabel==5.4.2 numpy==2.4.6
venv/bin/python -W error - <<'PYTHON'
import sys

import nibabel
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

values = np.array([1, 2, 3], np.float32).reshape(3, 1, 1)
header = nibabel.Nifti1Header(endianness=">")
header.set_data_dtype(np.float32)
nibabel.save(nibabel.Nifti1Image(values, np.eye(4), header), "a.nii")
read = np.asarray(nibabel.load("a.nii").dataobj)
assert read.dtype == ">f4" and (read == values).all()

shape = ["a", "b", "c"]
graph = helper.make_graph(
    [helper.make_node("Mul", ["x", "two"], ["y"])],
    "double",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
    [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
    [numpy_helper.from_array(np.float32(2).reshape(()), "two")],
)
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(
    model.SerializeToString(), providers=["CPUExecutionProvider"]
)
right = {}
for what, array in {
    "as read": read,
    "contiguous": np.ascontiguousarray(read),
    "native": read.astype(read.dtype.newbyteorder("=")),
}.items():
    [doubled] = session.run(None, {"x": array})
    kept = onnxruntime.OrtValue.ortvalue_from_numpy(array).numpy()
    right[what] = bool((doubled == 2 * values).all()), bool((kept == values).all())
    print(f"{what} ({array.dtype.str}): {doubled.ravel()}, OrtValue {kept.ravel()}")
wrong = (False, False)
sys.exit(right != {"as read": wrong, "contiguous": wrong, "native": (True, True)})
PYTHON
echo "as described"

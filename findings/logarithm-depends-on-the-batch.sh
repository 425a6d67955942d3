#!/usr/bin/env bash
# The logarithm of a number has other bits when three others stand beside it in the batch.
#
# Versions   onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6; CPU provider (x86-64), one thread
# Input      a model of one node, Log, of float32 of shape (n, 1); 64 positive numbers
# Expected   the same result for a row alone and in any batch, as Exp gives
# Behaviour  Log gives the same alone and in batches of two and three; in batches of four and more
#            some rows differ, by about 1e-7: enough for a score to depend on what it was worked out
#            together with
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
  onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
venv/bin/python -W error - <<'PYTHON'
import sys

import numpy as np
import onnx
import onnxruntime

options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
values = np.random.default_rng(0).uniform(0.1, 4, (64, 1)).astype(np.float32)


def session(kind):
    x, y = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["n", 1]) for name in "xy"
    )
    graph = onnx.helper.make_graph([onnx.helper.make_node(kind, ["x"], ["y"])], kind, [x], [y])
    opsets = [onnx.helper.make_opsetid("", 18)]
    model = onnx.helper.make_model(graph, opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(model)
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


other = {}
for kind in ("Exp", "Log"):
    run = session(kind)

    def inferred(rows):
        return run.run(None, {"x": rows})[0]

    alone = np.concatenate([inferred(row[None]) for row in values])
    for size in (1, 2, 3, 4, 5, 64):
        batches = [inferred(values[at : at + size]) for at in range(0, 64, size)]
        other[kind, size] = int((np.concatenate(batches) != alone).sum())
        print(f"{kind}, {size} in a batch: {other[kind, size]} of 64 rows differ")
apart = float(np.abs(np.concatenate(batches) - alone).max())
print(f"by {apart:.1g} at most")
differ = {case for case, rows in other.items() if rows}
sys.exit(differ != {("Log", 4), ("Log", 5), ("Log", 64)} or apart > 3e-7)
PYTHON
echo "as described"

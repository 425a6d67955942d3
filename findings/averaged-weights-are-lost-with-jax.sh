#!/usr/bin/env bash
# Keras 3.15.1 with JAX: with averaged weights (use_ema), fit works once; the second fit raises.
#
# Versions   keras 3.15.1, jax 0.10.2, numpy 2.4.6
# Input      a linear layer, eight rows of ones, Adam with and without use_ema, fit twice
# Expected   the second fit trains on, as it does without averages, and with TensorFlow
# Behaviour  fit ends by giving the weights the values of their averages; both then share one buffer,
#            and the next step hands that buffer to JAX twice, to be reused: it raises. After a
#            predict between the two, the averages can no longer be read either ("Array has been
#            deleted"). Assigning a copy of each weight to itself after fit cures it
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
	keras==3.15.1 jax==0.10.2 numpy==2.4.6
cat > averages.py <<'PYTHON'
import keras
import numpy as np

rows, targets = np.ones((8, 4), np.float32), np.zeros((8, 1), np.float32)


def goes_on(averaged: bool, cured: bool = False) -> bool:
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(use_ema=averaged), "mse")
    model.fit(rows, targets, verbose=0)
    for variable in model.trainable_variables if cured else ():
        variable.assign(np.array(variable))
    try:
        model.fit(rows, targets, verbose=0)
        said = "trains on"
    except Exception as error:
        said = f"raises {type(error).__name__}"
    print(f"use_ema={averaged}, copied={cured}: the second fit {said}")
    return said == "trains on"


found = goes_on(False), goes_on(True), goes_on(True, cured=True)
print("as described" if found == (True, False, True) else "otherwise")
PYTHON
said=$(KERAS_BACKEND=jax KERAS_HOME="$place" venv/bin/python averages.py 2> /dev/null)
echo "$said"
[[ $said == *"as described"* ]]

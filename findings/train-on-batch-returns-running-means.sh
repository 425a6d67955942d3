#!/usr/bin/env bash
# Keras 3.12.0: train_on_batch returns the mean loss of all batches since the last reset, not that of
# the batch it was given; Keras 3.15.1 returns that of the batch.
#
# Versions   keras 3.12.0 and 3.15.1 with jax 0.7.2, numpy 2.3.5
# Input      one batch of a linear regression, given five times with a learning rate that halves its
#            loss each time
# Expected   from the second call on, the loss before that step, as evaluated by hand; the loss of an
#            epoch is else a mean over all epochs before it, when somebody writes a training loop
# Behaviour  3.12.0 returns the running mean of the losses, 3.15.1 the losses
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
cat > steps.py <<'PYTHON'
import keras
import numpy as np

keras.utils.set_random_seed(0)
inputs = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
targets = 3 * inputs
model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1, use_bias=False)])
model.compile(keras.optimizers.SGD(0.5), loss="mse")
true, returned = [], []
for _ in range(5):
    # Keras' own forward pass before the step, in numpy.
    outputs = inputs * np.asarray(model.layers[0].kernel)[0, 0]
    true.append(float(((outputs - targets) ** 2).mean()))
    returned.append(float(model.train_on_batch(inputs, targets)))
means = np.cumsum(true) / np.arange(1, 6)
print("true    ", np.round(true, 4), "\nreturned", np.round(returned, 4))
if np.allclose(returned, true, rtol=1e-3):
    print("returns the losses")
elif np.allclose(returned, means, rtol=1e-3):
    print("returns running means")
PYTHON
failed=0
for pair in "3.12.0:returns running means" "3.15.1:returns the losses"; do
	version=${pair%%:*}
	python3 -m venv "venv-$version"
	"venv-$version/bin/python" -m pip install --quiet --disable-pip-version-check \
		"keras==$version" jax==0.7.2 numpy==2.3.5
	said=$(KERAS_BACKEND=jax KERAS_HOME="$place" "venv-$version/bin/python" steps.py 2> /dev/null)
	echo "Keras $version"
	echo "$said"
	[[ $said == *"${pair#*:}"* ]] || failed=1
done
[ "$failed" = 0 ] && echo "as described"
exit "$failed"

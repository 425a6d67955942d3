#!/usr/bin/env bash
# OpenCV's INTER_AREA takes many times as long to go from 512 to 224 pixels, as networks want them,
# as to go from 512 to 256, although it then makes fewer pixels.
#
# Versions   opencv-python-headless 5.0.0.93, numpy 2.4.6
# Input      one grey uint8 image of 512 × 512, resized on one thread
# Expected   512 → 224 takes about as long as 512 → 256, or less: both read every pixel once
# Behaviour  512 → 224 takes more than eight times as long (thirty to forty on a server with AVX-512),
#            and 512 → 170 too; exact halves have a path of their own, and whole ratios (512 → 128) lie
#            between. Halving first and then going on linearly is faster, but gives other pixels
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
	opencv-python-headless==5.0.0.93 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
import time

import cv2
import numpy as np

cv2.setNumThreads(1)
image = np.random.default_rng(0).integers(0, 256, (512, 512), dtype=np.uint8)


def least(edge: int) -> float:
    times = []
    for _ in range(300):
        began = time.perf_counter()
        cv2.resize(image, (edge, edge), interpolation=cv2.INTER_AREA)
        times.append(time.perf_counter() - began)
    return 1e3 * min(times)


times = {edge: least(edge) for edge in (256, 224, 170, 128)}
for edge, ms in times.items():
    print(f"512 -> {edge}: {ms:.3f} ms, {ms / times[256]:.1f} times as long as 512 -> 256")
if min(times[224], times[170]) < 8 * times[256]:
    sys.exit("changed: a ratio that is not whole is not many times slower any more")
PYTHON

#!/usr/bin/env bash
# A 16-bit RGB TIFF whose channels lie in planes is decoded to noise by Pillow, without an error.
#
# Versions   Pillow 13.0.0, tifffile 2026.3.3, numpy 2.4.6
# Input      a smooth 100 × 120 ramp in each of three channels, uint16, PlanarConfiguration 2,
#            uncompressed, written by tifffile; and the same with 8 bits
# Expected   mode RGB with the upper bytes, as of 16-bit RGB whose channels are interleaved; or an
#            error
# Behaviour  with 8 bits the pixels are right; with 16 bits their correlation with what was written
#            is below 0.5, and nothing is said
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
	pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
import warnings

import numpy as np
import tifffile
from PIL import Image

warnings.simplefilter("error")
rows, columns = np.mgrid[:120, :100]
ramp = (rows + columns) / 218
right = {}
for bits, top in ((8, 255), (16, 65535)):
    plane = (ramp * top).astype(f"u{bits // 8}")
    for layout in ("contig", "separate"):
        channels = np.stack([plane] * 3, axis=2 if layout == "contig" else 0)
        tifffile.imwrite("a.tif", channels, photometric="rgb", planarconfig=layout)
        assert (tifffile.imread("a.tif") == channels).all()
        with Image.open("a.tif") as image:
            values = np.asarray(image)[..., 1].ravel().astype(float)
        agreement = np.corrcoef(values, plane.ravel())[0, 1]
        print(f"{bits} bits, {layout}: correlation {agreement:.3f}")
        right[bits, layout] = bool(agreement > 0.99)
expected = {(8, "contig"): True, (8, "separate"): True, (16, "contig"): True}
# The last of the four is 16 bits, separate.
sys.exit(right != {**expected, (16, "separate"): False} or not agreement < 0.5)
PYTHON
echo "as described"

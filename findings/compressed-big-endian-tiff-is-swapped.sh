#!/usr/bin/env bash
# Pillow swaps the bytes of every value once too often in a compressed big-endian TIFF of 32-bit floats,
# or of signed integers of 16 or 32 bits.
#
# Versions   Pillow 13.0.0, tifffile 2026.3.3, imagecodecs 2026.3.6, numpy 2.4.6
# Input      a grey ramp as uint8, uint16, int16, int32 and float32, in both byte orders, uncompressed
#            and with deflate, written by tifffile (ImageJ and Bio-Formats write big-endian TIFF)
# Expected   the same values of all four files of a type; or an error
# Behaviour  uint8 and uint16 are right; compressed and big-endian, int16, int32 and float32 are other
#            numbers (1 becomes 16777216 as int32, or 4.6e-41 as float32), without a word. Uncompressed, or
#            little-endian, they are right
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
	pillow==13.0.0 tifffile==2026.3.3 imagecodecs==2026.3.6 numpy==2.4.6
venv/bin/python -W error - <<'PYTHON'
import itertools
import sys

import numpy as np
import tifffile
from PIL import Image

wrong = set()
for kind, order, compression in itertools.product(
    ("uint8", "uint16", "int16", "int32", "float32"), "<>", (None, "zlib")
):
    ramp = np.add.outer(np.arange(40), np.arange(50)).astype(kind)
    tifffile.imwrite(
        "a.tif", ramp, byteorder=order, compression=compression, photometric="minisblack"
    )
    assert (tifffile.imread("a.tif") == ramp).all()
    with Image.open("a.tif") as image:
        values = np.asarray(image)
    if not (values == ramp).all():
        wrong.add((kind, order, compression))
        swapped = bool((values.astype(kind).byteswap() == ramp).all())
        print(f"{kind}, byte order {order}, {compression}: 0, 1, 2 are read as "
              f"{values[0, :3].tolist()}; swapped back they are right: {swapped}")
sys.exit(wrong != {(kind, ">", "zlib") for kind in ("int16", "int32", "float32")})
PYTHON
echo "as described"

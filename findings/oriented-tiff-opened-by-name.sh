#!/usr/bin/env bash
# Pillow returns scrambled pixels of an uncompressed TIFF that is stored on its side (orientation 5 to
# 8), if it is opened by its name; opened from the same bytes, or compressed, it is right.
#
# Versions   Pillow 13.0.0, tifffile 2026.3.3, numpy 2.4.6
# Input      an 8-bit grey TIFF, 100 × 120, stored turned by 90° with the Orientation tag 6
# Expected   the upright picture each time: Image.open promises the same for a name and a file object
# Behaviour  by name: 120 × 100 pixels that are no turn or mirror image of the picture, because the
#            file is mapped into memory with width and height already swapped; else right
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
	pillow==13.0.0 tifffile==2026.3.3 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import io
import sys
from pathlib import Path

import numpy as np
import tifffile
from PIL import Image

upright = np.random.default_rng(0).integers(0, 256, (120, 100)).astype(np.uint8)
stored = np.ascontiguousarray(np.rot90(upright, 1))
right = {}
scrambled = False
for compression in (None, "zlib"):
    tag = (274, "H", 1, 6, True)
    tifffile.imwrite("a.tif", stored, compression=compression, extratags=[tag])
    for how in ("name", "bytes"):
        with Image.open("a.tif" if how == "name" else io.BytesIO(Path("a.tif").read_bytes())) as image:
            pixels = np.asarray(image)
        right[compression, how] = pixels.shape == upright.shape and bool((pixels == upright).all())
        turns = [np.rot90(each, k) for each in (upright, upright.T) for k in range(4)]
        known = any(each.shape == pixels.shape and (each == pixels).all() for each in turns)
        if (compression, how) == (None, "name"):
            scrambled = not known
        print(f"{compression}, by {how}: {pixels.shape}, upright {right[compression, how]}, "
              f"some turn or mirror image {known}")
expected = {(None, "name"): False, (None, "bytes"): True}
sys.exit(not scrambled or right != {**expected, ("zlib", "name"): True, ("zlib", "bytes"): True})
PYTHON
echo "as described"

#!/usr/bin/env bash
# Pillow cannot open a big-endian BigTIFF that OpenCV and tifffile read.
#
# Versions   Pillow 13.0.0, opencv-python-headless 5.0.0.93, tifffile 2026.3.3, numpy 2.4.6
# Input      an 8-bit grey BigTIFF of 48 × 64 pixels, byte order "MM", written by tifffile
# Expected   all three return the pixels, as they do for the byte order "II"; Pillow's list of
#            accepted prefixes names "MM\x00+" too
# Behaviour  Image.open raises UnidentifiedImageError: TiffImagePlugin takes a file for BigTIFF where
#            byte 2 of the header is 43, and in this byte order it is byte 3
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
	pillow==13.0.0 opencv-python-headless==5.0.0.93 tifffile==2026.3.3 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys
import warnings

import cv2
import numpy as np
import tifffile
from PIL import Image, UnidentifiedImageError

pixels = np.arange(48 * 64, dtype=np.uint16).reshape(64, 48).astype(np.uint8)
warnings.simplefilter("ignore")
opened = {}
for order, name in (("<", "II"), (">", "MM")):
    file = f"{name}.tif"
    tifffile.imwrite(file, pixels, bigtiff=True, byteorder=order)
    assert (tifffile.imread(file) == pixels).all()
    assert (cv2.imread(file, cv2.IMREAD_UNCHANGED) == pixels).all()
    try:
        with Image.open(file) as image:
            opened[name] = bool((np.asarray(image) == pixels).all())
    except UnidentifiedImageError as error:
        opened[name] = False
        print(f"Pillow, byte order {name}: {type(error).__name__}")
print("Pillow returns the pixels:", opened)
sys.exit(opened != {"II": True, "MM": False})
PYTHON
echo "as described"

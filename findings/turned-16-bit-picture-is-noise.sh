#!/usr/bin/env bash
# Pillow makes noise of an even 16-bit picture that is rotated with interpolation.
#
# Versions   Pillow 13.0.0, numpy 2.4.6
# Input      64 × 64 pixels of 1000 as uint16 (mode I;16, as 12- and 16-bit scans in PNG and TIFF have),
#            rotated by 10° with each of the three filters that rotate takes; and the same as mode I
# Expected   1000 in the middle, whatever the filter, as of mode I; or the error that MedianFilter,
#            reduce and quantize raise for this mode, of which Pillow's manual says that its support is
#            limited
# Behaviour  NEAREST is right; with BILINEAR and BICUBIC all of the middle lies below 256, without a
#            word: bytes are interpolated instead of values. resize with the same filters is right
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6
venv/bin/python -W error - <<'PYTHON'
import sys

import numpy as np
from PIL import Image, ImageFilter

even = np.full((64, 64), 1000)
found = {}
for kind in ("uint16", "int32"):
    picture = Image.fromarray(even.astype(kind))
    for sampling in (
        Image.Resampling.NEAREST,
        Image.Resampling.BILINEAR,
        Image.Resampling.BICUBIC,
    ):
        turned = np.asarray(picture.rotate(10, sampling))[20:44, 20:44]
        smaller = np.asarray(picture.resize((40, 40), sampling))
        found[kind, sampling.name] = int(turned.min()), int(turned.max())
        print(f"{picture.mode}, {sampling.name}: rotated {found[kind, sampling.name]}, "
              f"resized {int(smaller.min()), int(smaller.max())}")
        if not (smaller == 1000).all():
            sys.exit("changed: resize is not right any more")
picture = Image.fromarray(even.astype("uint16"))
for refused in (
    lambda: picture.filter(ImageFilter.MedianFilter()),
    lambda: picture.reduce(2),
    lambda: picture.quantize(),
):
    try:
        refused()
    except ValueError as error:
        print(f"refused: {error}")
    else:
        sys.exit("changed: taken now")
wrong = {case for case, (_, highest) in found.items() if highest < 256}
right = {case for case, ends in found.items() if ends == (1000, 1000)}
expected = {("uint16", "BILINEAR"), ("uint16", "BICUBIC")}
sys.exit(not (wrong == expected and right == set(found) - expected))
PYTHON
echo "as described"

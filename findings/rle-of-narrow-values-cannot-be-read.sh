#!/usr/bin/env bash
# Dataset.compress writes RLE that no decoder reads, where values of 16 bits have 8 that count.
#
# Versions   pydicom 3.0.2, pylibjpeg-rle 2.2.0, pylibjpeg 2.1.0, numpy 2.4.6
# Input      an 8 × 8 image, BitsAllocated 16, BitsStored 8 (and 9), little endian, uncompressed
# Expected   compress(RLELossless) and pixel_array give the values back, as with BitsStored 9
# Behaviour  with BitsStored 8 and less the frame holds 8-bit values, while BitsAllocated stays 16;
#            pixel_array raises RuntimeError, with either plugin
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
	pydicom==3.0.2 pylibjpeg-rle==2.2.0 pylibjpeg==2.1.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless

values = np.arange(64, dtype="<u2").reshape(8, 8) * 3
found = []
for stored in (9, 8):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.Rows = data.Columns = 8
    data.BitsAllocated, data.BitsStored, data.HighBit = 16, stored, stored - 1
    data.PixelRepresentation, data.SamplesPerPixel = 0, 1
    data.PhotometricInterpretation = "MONOCHROME2"
    data.PixelData = values.tobytes()
    data["PixelData"].VR = "OW"
    assert (data.pixel_array == values).all()
    data.compress(RLELossless, generate_instance_uid=False)
    try:
        found.append(bool((data.pixel_array == values).all()))
    except RuntimeError as error:
        found.append(str(error).partition(":")[0])
    print(f"BitsStored {stored}, BitsAllocated then {data.BitsAllocated}: {found[-1]}")
said = "Unable to decode as exceptions were raised by all available plugins"
sys.exit(found != [True, said])
PYTHON
echo "as described"

#!/usr/bin/env bash
# pixel_array takes the lowest BitsStored bits of each value, wherever HighBit says that they lie.
#
# Versions   pydicom 3.0.2, numpy 2.4.6
# Input      values of 8 bits in the upper half of 16: BitsStored 8, HighBit 15; the lower half holds
#            an overlay, as older scanners write them
# Expected   the upper half; or a word that it is not understood
# Behaviour  the lower half: the overlay in the place of the image, without a warning
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check pydicom==3.0.2 numpy==2.4.6
venv/bin/python -W error - <<'PYTHON'
import sys

import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

values = np.arange(64, dtype="<u2").reshape(8, 8)
data = Dataset()
data.file_meta = FileMetaDataset()
data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
data.Rows = data.Columns = 8
data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 8, 15, 0
data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
data.PixelData = (values << 8 | 1).tobytes()
data["PixelData"].VR = "OW"
print("stored", values[0].tolist(), "read", data.pixel_array[0].tolist())
sys.exit(not (data.pixel_array == 1).all())
PYTHON
echo "as described"

#!/usr/bin/env bash
# highdicom returns −40 as 4056, until somebody has asked the same image for its pixel_array.
#
# Versions   highdicom 0.28.2, pydicom 3.0.2, numpy 2.4.6
# Input      a CT image of 12-bit signed values in 16 bits (BitsAllocated 16, BitsStored 12, HighBit
#            11, PixelRepresentation 1) whose upper four bits are 0. DICOM allows them to be anything:
#            receivers may not assume that they are zero or repeat the sign (PS3.5, 8.1.1)
# Expected   −40 of get_stored_frame, "interpreted as the correct pixel datatype (according to the pixel
#            representation …)" as its documentation says, and of get_frame; pixel_array gives it
# Behaviour  both give 4056, without a word. The bits allocated are handed to the decoder as bits
#            stored, so that an overlay in the upper bits becomes part of the values too (24536). Once
#            pixel_array was asked for, the frame is taken from there, and both give −40
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
	highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import highdicom
import numpy as np
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

values = np.arange(80).reshape(8, 10) - 40
data = Dataset()
data.file_meta = FileMetaDataset()
data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
data.SOPClassUID, data.SOPInstanceUID = CTImageStorage, "1.2.3.1"
data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = "1.2.3", "1.2.4", "1.2.5"
data.Modality, data.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
data.PatientName = data.PatientID = data.PatientBirthDate = data.PatientSex = ""
data.StudyDate = data.StudyTime = data.StudyID = data.AccessionNumber = ""
data.ReferringPhysicianName = data.Manufacturer = data.KVP = data.PositionReferenceIndicator = ""
data.SeriesNumber = data.InstanceNumber = data.AcquisitionNumber = 1
data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
data.PixelSpacing, data.SliceThickness = [1, 1], 5
data.RescaleSlope, data.RescaleIntercept, data.RescaleType = 1, 0, "HU"
data.Rows, data.Columns = values.shape
data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 1
data.PixelData = (values & 0xFFF).astype("<u2").tobytes()
data["PixelData"].VR = "OW"
data.save_as("a.dcm", enforce_file_format=True)

image = highdicom.imread("a.dcm")
before = int(image.get_stored_frame(1)[0, 0]), int(image.get_frame(1)[0, 0])
right = bool((image.pixel_array == values).all())
after = int(image.get_stored_frame(1)[0, 0]), int(image.get_frame(1)[0, 0])
print("get_stored_frame, get_frame:", before, "| pixel_array right:", right, "| after it:", after)
data.PixelData = (values & 0xFFF | 0x5000).astype("<u2").tobytes()
data.save_as("b.dcm", enforce_file_format=True)
overlaid = int(highdicom.imread("b.dcm").get_stored_frame(1)[0, 0])
print("get_stored_frame, with an overlay in the upper bits:", overlaid)
sys.exit((before, right, after, overlaid) != ((4056, 4056), True, (-40, -40), 24536))
PYTHON
echo "as described"

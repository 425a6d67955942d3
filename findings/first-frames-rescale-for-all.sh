#!/usr/bin/env bash
# SimpleITK rescales every frame of an enhanced object with the slope and intercept of the first.
#
# Versions   SimpleITK 2.5.7, highdicom 0.28.2, pydicom 3.0.2, numpy 2.4.6
# Input      an Enhanced MR image of three frames, which all store 0 … 79, with the rescale slopes 1, 0.5
#            and 0.25 and the intercepts 0, −10 and 100 in their Pixel Value Transformation Sequence (a
#            functional group of each frame: PS3.3, C.7.6.16.2.9)
# Expected   0 … 79, −10 … 29.5 and 100 … 119.75, as highdicom has it; or a warning
# Behaviour  0 … 79 three times, as unsigned 16-bit integers; of the same three frames as single files
#            each is rescaled with its own
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
	SimpleITK==2.5.7 highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import sys

import highdicom
import numpy as np
import SimpleITK
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, MRImageStorage

stored = np.arange(80, dtype="<u2").reshape(8, 10)
rescales = [(1, 0), (0.5, -10), (0.25, 100)]
right = np.stack([stored * slope + intercept for slope, intercept in rescales])


def item(**elements):
    data = Dataset()
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    return [data]


def header(kind, number):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID, data.InstanceNumber = kind, f"1.2.3.{number}", number
    data.StudyInstanceUID, data.SeriesInstanceUID, data.FrameOfReferenceUID = "1.1", "1.2", "1.3"
    data.Modality, data.PatientID, data.PatientName = "MR", "", ""
    data.PatientBirthDate = data.PatientSex = data.StudyDate = data.StudyTime = ""
    data.StudyID = data.AccessionNumber = data.ReferringPhysicianName = data.Manufacturer = ""
    data.SeriesNumber = 1
    data.ImageType = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
    data.Rows, data.Columns = stored.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 16, 15, 0
    return data


def saved(data, frames, path):
    data.PixelData = np.stack([stored] * frames).tobytes()
    data["PixelData"].VR = "OW"
    data.save_as(path, enforce_file_format=True)
    return path


data = header(EnhancedMRImageStorage, 1)
data.NumberOfFrames = 3
data.ContentDate, data.ContentTime, data.PresentationLUTShape = "20200101", "120000", "IDENTITY"
data.BurnedInAnnotation, data.LossyImageCompression = "NO", "00"
data.DimensionOrganizationSequence = item(DimensionOrganizationUID="1.4")
data.DimensionIndexSequence = item(
    DimensionOrganizationUID="1.4",
    DimensionIndexPointer=0x00209057,
    FunctionalGroupPointer=0x00209111,
)
data.SharedFunctionalGroupsSequence = item(
    PixelMeasuresSequence=item(PixelSpacing=[1, 1], SliceThickness=5),
    PlaneOrientationSequence=item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
)
data.PerFrameFunctionalGroupsSequence = [
    item(
        PlanePositionSequence=item(ImagePositionPatient=[0, 0, 5 * index]),
        FrameContentSequence=item(
            StackID="1", InStackPositionNumber=index + 1, DimensionIndexValues=[index + 1]
        ),
        PixelValueTransformationSequence=item(
            RescaleSlope=slope, RescaleIntercept=intercept, RescaleType="US"
        ),
    )[0]
    for index, (slope, intercept) in enumerate(rescales)
]
path = saved(data, 3, "enhanced.dcm")
by_highdicom = highdicom.imread(path).get_frames()
by_itk = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(path))
single = []
for index, (slope, intercept) in enumerate(rescales):
    data = header(MRImageStorage, index + 1)
    data.ImagePositionPatient, data.ImageOrientationPatient = [0, 0, 5 * index], [1, 0, 0, 0, 1, 0]
    data.PixelSpacing, data.SliceThickness = [1, 1], 5
    data.RescaleSlope, data.RescaleIntercept, data.RescaleType = slope, intercept, "US"
    image = SimpleITK.ReadImage(saved(data, 1, f"{index}.dcm"))
    single.append(SimpleITK.GetArrayFromImage(image)[0])
for what, frames in (
    ("meant", right),
    ("highdicom", by_highdicom),
    ("SimpleITK, single files", single),
    ("SimpleITK, enhanced", by_itk),
):
    print(what, [(float(each.min()), float(each.max())) for each in frames])
found = [bool((each == right).all()) for each in (by_highdicom, np.stack(single))]
sys.exit(not (all(found) and by_itk.shape == right.shape and (by_itk == stored).all()))
PYTHON
echo "as described"

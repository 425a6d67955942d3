#!/usr/bin/env bash
# nibabel states a slice spacing of 20 mm instead of 5, if an enhanced object stores its frames
# interleaved: the slices are put into the right order, and the affine does not belong to them.
#
# Versions   nibabel 5.4.2, pydicom 3.0.2, numpy 2.4.6
# Input      an Enhanced MR image of six slices 5 mm apart, stored in the order of an interleaved
#            acquisition (at 0, 10, 20, 5, 15 and 25 mm), each frame with its position, and the same
#            object with its frames in order. "The actual order of the Frames in the object is up to the
#            generating application" (PS3.3, C.7.6.17)
# Expected   the same values, voxel sizes and affine of both (nibabel warns on import that its DICOM
#            readers are experimental; MultiframeWrapper says that it reads Enhanced MR)
# Behaviour  the values are the same (slices sorted by position); voxel_sizes are (1, 1, 20) and the
#            affine puts the slices 20 mm apart. Stored as 10, 25, 0, 5, 20, 15 they are −5 mm apart:
#            the affine runs the wrong way. The ranks of the positions are used as if they were the order
#            that sorts them
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
	nibabel==5.4.2 pydicom==3.0.2 numpy==2.4.6
venv/bin/python -W ignore::UserWarning - <<'PYTHON'
import sys

import numpy as np
from nibabel.nicom.dicomwrappers import wrapper_from_data
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian


def item(**elements):
    data = Dataset()
    for keyword, value in elements.items():
        setattr(data, keyword, value)
    return [data]


def enhanced(order):
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID, data.SOPInstanceUID = EnhancedMRImageStorage, "1.2.3"
    data.Rows, data.Columns, data.NumberOfFrames = 4, 5, len(order)
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
    data.DimensionIndexSequence = item(
        DimensionIndexPointer=0x00209057, FunctionalGroupPointer=0x00209111
    )
    data.SharedFunctionalGroupsSequence = item(
        PixelMeasuresSequence=item(PixelSpacing=[1, 1], SliceThickness=5),
        PlaneOrientationSequence=item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0]),
    )
    data.PerFrameFunctionalGroupsSequence = [
        item(
            PlanePositionSequence=item(ImagePositionPatient=[0, 0, 5 * place]),
            FrameContentSequence=item(
                StackID="1", InStackPositionNumber=place + 1, DimensionIndexValues=[place + 1]
            ),
        )[0]
        for place in order
    ]
    pixels = np.stack([np.full((4, 5), 100 * place, "<u2") for place in order])
    data.PixelData = pixels.tobytes()
    data["PixelData"].VR = "OW"
    return wrapper_from_data(data)


plain = enhanced(range(6))
found = []
for order in ([0, 1, 2, 3, 4, 5], [0, 2, 4, 1, 3, 5], [2, 5, 0, 1, 4, 3]):
    image = enhanced(order)
    same = bool((image.get_data() == plain.get_data()).all())
    stated, along = float(image.voxel_sizes[2]), float(image.affine[2, 2])
    print(f"{order}: values as of frames in order {same}, voxel sizes {image.voxel_sizes}, "
          f"from slice to slice {along} mm")
    found.append((same, stated, along))
sys.exit(found != [(True, 5, -5), (True, 20, -20), (True, -5, 5)])
PYTHON
echo "as described"

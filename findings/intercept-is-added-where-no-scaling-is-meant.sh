#!/usr/bin/env bash
# SimpleITK adds scl_inter of a NIfTI file whose scl_slope is 0, which means that there is no scaling.
#
# Versions   SimpleITK 2.5.7, nibabel 5.4.2, numpy 2.4.6
# Input      a NIfTI-1 file of int16 with scl_slope 0 and scl_inter 5
# Expected   the values as stored: "If the scl_slope field is nonzero, then each voxel value in the
#            dataset should be scaled as y = scl_slope x + scl_inter" (nifti1.h, data scaling)
# Behaviour  each value is 5 more, as float32, without a word; nibabel gives them as stored. With
#            scl_inter 0 both agree
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
	SimpleITK==2.5.7 nibabel==5.4.2 numpy==2.4.6
venv/bin/python -W error - <<'PYTHON'
import struct
import sys
from pathlib import Path

import nibabel
import numpy as np
import SimpleITK

values = np.arange(24, dtype=np.int16).reshape(4, 3, 2)
nibabel.save(nibabel.Nifti1Image(values, np.diag([-2.0, -2.0, 5.0, 1.0])), "a.nii")
plain = Path("a.nii").read_bytes()
found = {}
for intercept in (0, 5):
    scaling = struct.pack("<ff", 0, intercept)  # scl_slope and scl_inter lie at byte 112
    Path("a.nii").write_bytes(plain[:112] + scaling + plain[120:])
    by_nibabel = nibabel.load("a.nii").get_fdata()
    by_itk = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage("a.nii")).T
    more = [np.unique(each - values).tolist() for each in (by_nibabel, by_itk)]
    print(f"scl_slope 0, scl_inter {intercept}: more than stored by {more[0]} (nibabel), "
          f"{more[1]} (SimpleITK, {by_itk.dtype})")
    found[intercept] = more
sys.exit(found != {0: [[0], [0]], 5: [[0], [5]]})
PYTHON
echo "as described"

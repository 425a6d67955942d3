#!/usr/bin/env bash
# A text of several values cannot be written, if one of them is empty and the letters are Japanese.
#
# Versions   pydicom 3.0.2
# Input      OtherPatientIDs ["山田", ""] with SpecificCharacterSet "ISO 2022 IR 87" (and "ISO_IR 192")
# Expected   two values, the second empty
# Behaviour  IndexError (string index out of range) with "ISO 2022 IR 87"; as expected with
#            "ISO_IR 192". A file from elsewhere that holds such a text is read, and fails when it
#            is written once its value was looked at
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check pydicom==3.0.2
venv/bin/python -W error - <<'PYTHON'
import io
import sys

from pydicom import Dataset

found = []
for charset in ("ISO_IR 192", "ISO 2022 IR 87"):
    data = Dataset()
    data.SpecificCharacterSet = charset
    data.OtherPatientIDs = ["山田", ""]
    stream = io.BytesIO()
    try:
        data.save_as(stream, implicit_vr=False, little_endian=True)
        found.append("written" if b"\\" in stream.getvalue() else "?")
    except IndexError:
        found.append("IndexError")
print(found)
sys.exit(found != ["written", "IndexError"])
PYTHON
echo "as described"

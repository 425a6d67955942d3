#!/usr/bin/env bash
# The OSError of a data set that finds no room on the disk has neither errno nor a plain message.
#
# Versions   pydicom 3.0.2
# Input      a valid data set with 20 000 bytes of pixels, saved where a file may have 4096 bytes (a
#            limit of the process; a disk or a quota that runs full does the same with ENOSPC)
# Expected   the OSError of the system: errno EFBIG, "File too large", as open(...).write(...) gives,
#            so that a program can tell a full disk from other faults
# Behaviour  an OSError whose errno is None and whose text holds a whole traceback; the errno is to be
#            found in __cause__ only
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check pydicom==3.0.2
venv/bin/python -W error - <<'PYTHON'
import errno
import resource
import sys

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

data = Dataset()
data.SOPClassUID, data.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
data.Rows, data.Columns, data.SamplesPerPixel = 100, 200, 1
data.BitsAllocated = data.BitsStored = 8
data.HighBit, data.PixelRepresentation = 7, 0
data.PhotometricInterpretation = "MONOCHROME2"
data.PixelData = bytes(20_000)
data.file_meta = FileMetaDataset()
data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian


def write(path):
    with open(path, "wb") as stream:
        stream.write(bytes(20_000))


def fault(save):
    try:
        save("a.dcm")
    except OSError as error:
        return error
    sys.exit("no error")


resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
plain = fault(write)
theirs = fault(lambda path: data.save_as(path, enforce_file_format=True))
lines = str(theirs).splitlines()
print("write:", plain.errno, plain)
print("save_as:", theirs.errno, lines[0], f"(and {len(lines) - 1} lines)")
print("its cause:", theirs.__cause__.errno)
as_described = (
    plain.errno == theirs.__cause__.errno == errno.EFBIG
    and theirs.errno is None
    and "Traceback" in str(theirs)
)
sys.exit(not as_described)
PYTHON
echo "as described"

#!/usr/bin/env bash
# store_instances sends what is no DICOM file, if the data set was made in memory and not read.
#
# Versions   dicomweb-client 0.61.2, pydicom 3.0.2
# Input      a Dataset with file meta information, without the attribute preamble, as
#            pydicom.Dataset() makes it
# Expected   a part of type application/dicom, with preamble, "DICM" and whole file meta information;
#            or an error, as enforce_file_format gives
# Behaviour  neither preamble nor "DICM", without a word
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
  dicomweb-client==0.61.2 pydicom==3.0.2
venv/bin/python -W error - <<'PYTHON'
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from dicomweb_client import DICOMwebClient
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage

bodies = []


class Store(BaseHTTPRequestHandler):
    def do_POST(self):
        bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *words):
        pass


server = HTTPServer(("127.0.0.1", 0), Store)
threading.Thread(target=server.serve_forever, daemon=True).start()
data = Dataset()
data.SOPClassUID, data.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
data.file_meta = FileMetaDataset()
data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
client = DICOMwebClient(f"http://127.0.0.1:{server.server_port}")
client.store_instances([data])
data.preamble = b"\0" * 128
client.store_instances([data])
print("DICM without and with a preamble:", [b"DICM" in body for body in bodies])
sys.exit([b"DICM" in body for body in bodies] != [False, True])
PYTHON
echo "as described"

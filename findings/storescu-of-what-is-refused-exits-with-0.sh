#!/usr/bin/env bash
# pynetdicom's storescu says nothing and exits with 0 when the peer refuses what it was sent.
#
# Versions   pynetdicom 3.0.4, pydicom 3.0.2
# Input      one secondary capture without pixels, sent to a storage SCP of the same machine, which
#            answers Success (0x0000), Out of Resources (0xA700), or takes no such objects; and to a
#            port where nobody listens
# Expected   an exit code other than 0 for all but the first, with a line on stderr
# Behaviour  the refused object leaves no word and exits with 0, as the stored one does; the one that
#            could not be sent leaves a traceback, and exits with 0 too; only a peer that isn't there
#            gives 1
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check \
  pynetdicom==3.0.4 pydicom==3.0.2
venv/bin/python - <<'PYTHON'
import subprocess
import sys

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage

data = Dataset()
data.SOPClassUID, data.SOPInstanceUID = SecondaryCaptureImageStorage, "1.2.3"
data.file_meta = FileMetaDataset()
data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
data.save_as("a.dcm", enforce_file_format=True)


def send(port):
    command = [sys.executable, "-m", "pynetdicom", "storescu", "127.0.0.1", str(port), "a.dcm"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def said(what, done):
    words = done.stdout + done.stderr
    how = "traceback" if "Traceback" in words else words.strip() or "nothing"
    print(f"{what}: exit code {done.returncode}, printed: {how.splitlines()[0]}")
    return done.returncode, how == "nothing", how == "traceback"


seen = []
for what, status, takes in (
    ("stored", 0x0000, SecondaryCaptureImageStorage),
    ("refused", 0xA700, SecondaryCaptureImageStorage),
    ("not taken", 0x0000, CTImageStorage),
):
    peer = AE()
    peer.add_supported_context(takes)
    answer = [(evt.EVT_C_STORE, lambda event, status=status: status)]
    server = peer.start_server(("127.0.0.1", 0), block=False, evt_handlers=answer)
    port = server.socket.getsockname()[1]
    seen.append(said(what, send(port)))
    server.shutdown()
seen.append(said("nobody there", send(port)))
silent, traced = (0, True, False), (0, False, True)
sys.exit(seen != [silent, silent, traced, (1, False, False)])
PYTHON
echo "as described"

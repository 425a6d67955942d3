#!/usr/bin/env bash
# Requests that cannot succeed are repeated for half a minute, as any exception counts as "busy".
#
# Versions   dicomweb-client 0.61.2, retrying 1.3.5, requests 2.32
# Input      an address where nothing listens; set_http_retry_params names the HTTP statuses 408, 429,
#            503 and 504 as what is tried again
# Expected   a ConnectionError at once
# Behaviour  five attempts with 2, 4, 8 and 16 s between them, 30 s in all; a wrong certificate and a
#            redirect likewise. set_http_retry_params(retry=False) ends at once
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check dicomweb-client==0.61.2
venv/bin/python -W error - <<'PYTHON'
import sys
import time

from dicomweb_client import DICOMwebClient
from requests.exceptions import ConnectionError as Refused

took = []
for retry in (True, False):
    client = DICOMwebClient("http://127.0.0.1:9/dicom-web")
    if not retry:
        client.set_http_retry_params(retry=False)
    began = time.monotonic()
    try:
        client.search_for_series("1.2.3")
    except Refused:
        took.append(time.monotonic() - began)
print("seconds", [round(each, 1) for each in took])
sys.exit(not (took[0] > 25 and took[1] < 2))
PYTHON
echo "as described"

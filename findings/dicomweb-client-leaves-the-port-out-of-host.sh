#!/usr/bin/env bash
# The header Host names no port, so that servers which check it, or redirect by it, go astray.
#
# Versions   dicomweb-client 0.61.2, requests 2.32
# Input      a request to http://127.0.0.1:PORT/ (not the default port), not streamed
# Expected   "Host: 127.0.0.1:PORT", as RFC 9110 (7.2) has it and requests alone sends it
# Behaviour  "Host: 127.0.0.1"; right where the answer is streamed (iter_series and others)
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cd "$place"
python3 -m venv venv
venv/bin/python -m pip install --quiet --disable-pip-version-check dicomweb-client==0.61.2
venv/bin/python -W error - <<'PYTHON'
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

from dicomweb_client import DICOMwebClient

hosts = []


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        hosts.append(self.headers["Host"])
        self.send_response(200)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *words):
        pass


server = HTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
port = server.server_port
client = DICOMwebClient(f"http://127.0.0.1:{port}")
client.search_for_series("1.2.3")
client._session.get(f"http://127.0.0.1:{port}/studies")
print("hosts", hosts, "port", port)
sys.exit(hosts != ["127.0.0.1", f"127.0.0.1:{port}"])
PYTHON
echo "as described"

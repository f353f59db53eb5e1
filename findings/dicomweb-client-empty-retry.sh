#!/bin/sh
# dicomweb-client 0.61.2: an upload (STOW-RS) of more than 1 MB that a busy server answers with 503 is tried again with
# an empty body. A server that takes the second request has stored nothing, and the client reports no error.
#
# Large uploads are sent in chunks by a generator, which the first try has used up. Expected: the same bytes twice.
# Seen: all of them, then 0.
#
# Needs python3 and the Python package index. Exits with 0 while it behaves so, with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dicomweb-client==0.61.2 pydicom==3.0.2 numpy==2.4.6
cat > "$folder/check.py" <<'PYTHON'
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pydicom
from dicomweb_client import DICOMwebClient
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

received = []


class BusyOnce(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        size = 0
        while chunk := int(self.rfile.readline(), 16):
            size += len(self.rfile.read(chunk))
            self.rfile.readline()
        self.rfile.readline()
        received.append(size)
        self.send_response(503 if len(received) == 1 else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


image = Dataset()
image.file_meta = FileMetaDataset()
image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, generate_uid()
image.StudyInstanceUID, image.SeriesInstanceUID = generate_uid(), generate_uid()
image.Modality, image.PatientID, image.PatientName = "MR", "", ""
image.Rows = image.Columns = 1024
image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
image.BitsAllocated = image.BitsStored = 16
image.HighBit, image.PixelRepresentation = 15, 0
image.PixelData = bytes(2 * 1024 * 1024)

server = HTTPServer(("127.0.0.1", 0), BusyOnce)
threading.Thread(target=server.serve_forever, daemon=True).start()
DICOMwebClient(f"http://127.0.0.1:{server.server_port}").store_instances([image])
print("dicomweb-client 0.61.2 with pydicom", pydicom.__version__, "- bytes in each request:", received)
sys.exit(0 if len(received) == 2 and received[0] > 2**21 and received[1] == 0 else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

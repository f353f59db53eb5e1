#!/bin/sh
# pydicom 3.0.2: when the disk is full in the middle of an element, the error that comes out has lost its number.
#
# `dcmwrite` raises what the system said once more with the element's tag and a traceback as its text: an OSError whose
# errno is None. Software that tells a full disk (ENOSPC), a missing folder or a lost network drive by errno, to try
# again later, takes it for a fault of the image, and shows the traceback.
# Here a limit on the size of files stands for the full disk: the system's error comes in the middle of the pixels, too.
# Expected: its number, 27 (EFBIG). Seen: None, and "Traceback" in the message.
#
# Needs python3, the Python package index and Linux or macOS. Exits with 0 while it behaves so, with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pydicom==3.0.2
cat > "$folder/check.py" <<'PYTHON'
import errno
import resource
import sys

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

image = Dataset()
image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, generate_uid()
image.Rows = image.Columns = 256
image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
image.BitsAllocated, image.BitsStored, image.HighBit, image.PixelRepresentation = 16, 12, 11, 0
image.PixelData = bytes(2 * 256 * 256)
image.file_meta = FileMetaDataset()
image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian

resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536))
seen, told = "no error", ""
file = open(sys.argv[1], "wb")
try:
    pydicom.dcmwrite(file, image)
except OSError as error:
    seen, told = error.errno, str(error)
try:
    file.close()
except OSError as error:
    print(f"what the system says of the rest, at the end: errno {error.errno}, {error}")
print(f"pydicom {pydicom.__version__}: errno {seen} (EFBIG is {errno.EFBIG}); {told[:60]!r}")
print(f"a traceback in the message: {'Traceback' in told}")
sys.exit(0 if seen is None and "Traceback" in told else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder/image.dcm"

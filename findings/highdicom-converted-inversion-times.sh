#!/bin/sh
# highdicom 0.28.2 converts MR images of an inversion recovery to an object in which their inversion times have moved.
#
# A Legacy Converted Enhanced MR object has no MR Modifier group, where an Enhanced MR object of a scanner has its
# inversion times (PS3.3 C.8.13.5.7); each frame's InversionTime stands among its unassigned converted attributes
# (C.7.6.16.2.25). A reader of Enhanced MR alone finds no times in a converted study and can't fit T1.
# Expected by such a reader: MRModifierSequence with InversionTimes. Seen: none; InversionTime in
# UnassignedPerFrameConvertedAttributesSequence, and all of them right.
#
# Needs python3 and the Python package index. Exits with 0 while it behaves so, with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
cat > "$folder/check.py" <<'PYTHON'
import sys

import highdicom
import numpy as np
import pydicom
from highdicom.legacy import LegacyConvertedEnhancedMRImage
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

TIMES_MS = [100.0, 180.0, 1100.0]
study, series, frame_of_reference = generate_uid(), generate_uid(), generate_uid()


def classic(number, time_ms):
    image = Dataset()
    for keyword, value in {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": study,
        "SeriesInstanceUID": series,
        "FrameOfReferenceUID": frame_of_reference,
        "PatientID": "ID-4711",
        "PatientName": "Doe^Jane",
        "PatientBirthDate": "19570301",
        "PatientSex": "F",
        "StudyDate": "20240229",
        "StudyTime": "101500",
        "StudyID": "S-1",
        "AccessionNumber": "A-1",
        "SeriesNumber": 3,
        "InstanceNumber": number,
        "Modality": "MR",
        "Manufacturer": "Vendor",
        "ImageType": ["ORIGINAL", "PRIMARY", "M"],
        "ImagePositionPatient": [0, 0, 0],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [1.5, 1.5],
        "SliceThickness": 8,
        "InversionTime": time_ms,
        "WindowCenter": 500,
        "WindowWidth": 1000,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": 16,
        "Columns": 16,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelData": np.full((16, 16), number, "<u2").tobytes(),
    }.items():
        setattr(image, keyword, value)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


LegacyConvertedEnhancedMRImage(
    [classic(number, time_ms) for number, time_ms in enumerate(TIMES_MS, start=1)],
    series_instance_uid=generate_uid(),
    series_number=9,
    sop_instance_uid=generate_uid(),
    instance_number=1,
).save_as(sys.argv[1])
converted = pydicom.dcmread(sys.argv[1])
frames = converted.PerFrameFunctionalGroupsSequence
groups = [*converted.SharedFunctionalGroupsSequence, *frames]
modifiers = sum("MRModifierSequence" in each for each in groups)
unassigned = sorted(
    float(item.InversionTime) for frame in frames for item in frame.UnassignedPerFrameConvertedAttributesSequence
)
print(f"highdicom {highdicom.__version__}, pydicom {pydicom.__version__}")
print(f"inversion times of the images, ms: {TIMES_MS}")
print(f"groups with an MR Modifier Sequence: {modifiers}")
print(f"InversionTime among unassigned converted attributes, ms: {unassigned}")
sys.exit(0 if modifiers == 0 and unassigned == TIMES_MS else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder/converted.dcm"

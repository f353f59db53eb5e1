#!/bin/sh
# highdicom 0.28.2 writes a patient's name to standard error where the name has no caret.
#
# A name of one component ("Doe Jane", as many departments type it) is valid (PS3.5 6.2.1.2). An object made for such a
# patient warns and quotes the name: in a service's journal or a worker's log, which were to hold no patient. The source's
# name is taken over by the constructor, so who makes a segmentation or a report never passes it. In a process that Python
# starts anew (multiprocessing "spawn") filters that the parent has set for warnings do not hold.
# Expected: no name in a warning. Seen: UserWarning: The string "Doe Jane" is unlikely to represent ...
#
# Needs python3 and the Python package index. Exits with 0 while it behaves so, with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check highdicom==0.28.2 pydicom==3.0.2 numpy==2.4.6
cat > "$folder/check.py" <<'PYTHON'
import multiprocessing
import sys
import warnings

import highdicom
import numpy as np
import pydicom
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

NAME = "Doe Jane"


def source():
    image = Dataset()
    for keyword, value in {
        "SOPClassUID": MRImageStorage,
        "SOPInstanceUID": generate_uid(),
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "FrameOfReferenceUID": generate_uid(),
        "PatientID": "ID-4711",
        "PatientName": NAME,
        "PatientBirthDate": "19570301",
        "PatientSex": "F",
        "StudyDate": "20240229",
        "StudyTime": "101500",
        "StudyID": "S-1",
        "AccessionNumber": "A-1",
        "SeriesNumber": 3,
        "InstanceNumber": 1,
        "Modality": "MR",
        "ImagePositionPatient": [0, 0, 0],
        "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
        "PixelSpacing": [1.5, 1.5],
        "SliceThickness": 8,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": 16,
        "Columns": 16,
        "BitsAllocated": 16,
        "BitsStored": 12,
        "HighBit": 11,
        "PixelRepresentation": 0,
        "PixelData": bytes(2 * 16 * 16),
    }.items():
        setattr(image, keyword, value)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


def segment(_number=0):
    """What it warns of."""
    heart = SegmentDescription(
        segment_number=1,
        segment_label="Heart",
        segmented_property_category=codes.SCT.AnatomicalStructure,
        segmented_property_type=codes.SCT.Heart,
        algorithm_type="MANUAL",
    )
    with warnings.catch_warnings(record=True) as said:
        if multiprocessing.parent_process() is None:
            warnings.simplefilter("always")
        Segmentation(
            source_images=[source()],
            pixel_array=np.ones((1, 16, 16), np.uint8),
            segmentation_type="BINARY",
            segment_descriptions=[heart],
            series_instance_uid=generate_uid(),
            series_number=9,
            sop_instance_uid=generate_uid(),
            instance_number=1,
            manufacturer="Vendor",
            manufacturer_model_name="Model",
            software_versions="1",
            device_serial_number="1",
        )
    return [str(each.message) for each in said if NAME in str(each.message)]


if __name__ == "__main__":
    print(f"highdicom {highdicom.__version__}, pydicom {pydicom.__version__}")
    here = segment()
    print(f"warnings that quote the name: {len(here)}; the first: {here[0][:60] if here else '-'}...")
    warnings.simplefilter("ignore")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        there = pool.map(segment, [1])[0]
    print(f"in a process started anew, after the parent ignores warnings: {len(there)}")
    sys.exit(0 if here and there else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

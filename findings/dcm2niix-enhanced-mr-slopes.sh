#!/bin/sh
# dcm2niix 1.0.20260724 scales all frames of an Enhanced MR object with the slope of one of them, unless the scanner is a
# Philips.
#
# The standard gives each frame its own slope (Pixel Value Transformation, PS3.3 C.7.6.16.2.9). highdicom 0.28 keeps each
# image's slope so where it converts a series of single images. dcm2niix applies each frame's own slope where the
# manufacturer is Philips; for the same object of another one it takes the last stored frame's for all, without a warning.
# From the single images every slice is right.
# Expected of stored 1000 with the slopes 1, 1.1 and 1.2: 1000, 1100, 1200. Seen for Siemens and GE: 1000 three times.
# The NIfTI file and its JSON file do not tell. What to do: give the software the single images, or the object itself.
#
# Needs python3 and the Python package index. Exits with 0 while it behaves so, with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dcm2niix==1.0.20260724 highdicom==0.28.2 \
    pydicom==3.0.2 nibabel==5.4.2 numpy==2.4.6
cat > "$folder/check.py" <<'PYTHON'
import subprocess
import sys
import tempfile
from pathlib import Path

import nibabel
import numpy as np
from highdicom.legacy import LegacyConvertedEnhancedMRImage
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

SLOPES = ("1", "1.1", "1.2")
OWN, LAST_STORED = [1000.0, 1100.0, 1200.0], [1000.0, 1000.0, 1000.0]
EXPECTED = {"Philips": (OWN, OWN), "SIEMENS": (OWN, LAST_STORED), "GE MEDICAL SYSTEMS": (OWN, LAST_STORED)}


def single_images(manufacturer):
    """Three slices with a slope each, every stored value 1000."""
    study, series, frame_of_reference = generate_uid(), generate_uid(), generate_uid()
    for number, slope in enumerate(SLOPES, start=1):
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
            "PatientPosition": "HFS",
            "StudyDate": "20240229",
            "StudyTime": "101500",
            "StudyID": "S-1",
            "AccessionNumber": "A-1",
            "SeriesNumber": 3,
            "InstanceNumber": number,
            "Modality": "MR",
            "Manufacturer": manufacturer,
            "ImageType": ["DERIVED", "PRIMARY", "T1 MAP"],
            "ImagePositionPatient": [0, 0, 10 * number],
            "ImageOrientationPatient": [1, 0, 0, 0, 1, 0],
            "PixelSpacing": [1.5, 1.5],
            "SliceThickness": 8,
            "RescaleSlope": slope,
            "RescaleIntercept": "0",
            "RescaleType": "US",
            "WindowCenter": 1000,
            "WindowWidth": 1000,
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "Rows": 16,
            "Columns": 16,
            "BitsAllocated": 16,
            "BitsStored": 12,
            "HighBit": 11,
            "PixelRepresentation": 0,
            "PixelData": np.full((16, 16), 1000, "<u2").tobytes(),
        }.items():
            setattr(image, keyword, value)
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        yield image


def converted(images):
    """One object of them all."""
    return LegacyConvertedEnhancedMRImage(
        images, series_instance_uid=generate_uid(), series_number=9, sop_instance_uid=generate_uid(), instance_number=1
    )


def read(images):
    """The values of the slices by dcm2niix, and whether it has warned of a scale."""
    with tempfile.TemporaryDirectory() as folder:
        for number, image in enumerate(images):
            image.save_as(Path(folder) / f"{number}.dcm", enforce_file_format=True)
        tool = Path(sys.executable).with_name("dcm2niix")
        said = subprocess.run([tool, "-f", "map", folder], capture_output=True, text=True, check=True).stdout
        values = nibabel.load(Path(folder) / "map.nii").get_fdata()
        warned = any("slope" in line or "scale" in line for line in said.splitlines() if line.startswith("Warning"))
        return [round(float(each), 3) for each in values.mean(axis=(0, 1))], warned


print("dcm2niix 1.0.20260724 with highdicom 0.28.2: stored 1000 with the slopes", *SLOPES)
found, warnings = {}, False
for manufacturer in EXPECTED:
    images = list(single_images(manufacturer))
    (single, _), (one, warned) = read(images), read([converted(images)])
    found[manufacturer] = (single, one)
    warnings |= warned
    print(f"{manufacturer}: of single images {single}, of one object {one}, warned {warned}")
sys.exit(0 if found == EXPECTED and not warnings else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

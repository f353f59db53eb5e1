#!/bin/sh
# SimpleITK 2.5.5 (GDCM) ignores the real world value mapping of an MR image, though the header has no other scale.
#
# RealWorldValueMappingSequence is how the standard says what an MR image's stored values mean (PS3.3 C.7.6.16.2.11): MR
# Image Storage has no rescale of its own. Expected of stored 600 with slope 2 in ms: 1200. Seen: 600, without a warning.
# A rescale slope, which the standard does not know for MR, is applied.
#
# Needs python3 and the Python package index. Exits with 0 while it behaves so, with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check simpleitk==2.5.5 pydicom==3.0.2 numpy==2.4.6
cat > "$folder/check.py" <<'PYTHON'
import sys

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid


def item(**attributes):
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def value_read(**attributes):
    """What SimpleITK makes of an MR image of which every stored value is 600."""
    image = item(
        SOPClassUID=MRImageStorage,
        SOPInstanceUID=generate_uid(),
        StudyInstanceUID=generate_uid(),
        SeriesInstanceUID=generate_uid(),
        Modality="MR",
        ImagePositionPatient=[0, 0, 0],
        ImageOrientationPatient=[1, 0, 0, 0, 1, 0],
        PixelSpacing=[1.5, 1.5],
        SliceThickness=8,
        SamplesPerPixel=1,
        PhotometricInterpretation="MONOCHROME2",
        Rows=16,
        Columns=16,
        BitsAllocated=16,
        BitsStored=12,
        HighBit=11,
        PixelRepresentation=0,
        PixelData=np.full((16, 16), 600, "<u2").tobytes(),
        **attributes,
    )
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.save_as(sys.argv[1], enforce_file_format=True)
    return float(sitk.GetArrayFromImage(sitk.ReadImage(sys.argv[1])).mean())


mapping = item(
    RealWorldValueFirstValueMapped=0,
    RealWorldValueLastValueMapped=4095,
    RealWorldValueSlope=2.0,
    RealWorldValueIntercept=0.0,
    LUTLabel="T1",
    LUTExplanation="T1 in ms",
    MeasurementUnitsCodeSequence=[item(CodeValue="ms", CodingSchemeDesignator="UCUM", CodeMeaning="millisecond")],
)
mapped = value_read(RealWorldValueMappingSequence=[mapping])
rescaled = value_read(RescaleSlope=2, RescaleIntercept=0)
print(f"SimpleITK {sitk.Version.VersionString()}, pydicom {pydicom.__version__}; every stored value is 600")
print(f"RealWorldValueSlope 2 in ms: {mapped}")
print(f"RescaleSlope 2:              {rescaled}")
sys.exit(0 if (mapped, rescaled) == (600.0, 1200.0) else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder/image.dcm"

#!/bin/sh
# SimpleITK 2.5.5 (GDCM) reads an Enhanced MR object with one rescale slope for all frames: the first frame's.
#
# The standard gives each frame its own slope (Pixel Value Transformation, PS3.3 C.7.6.16.2.9). Philips quantitative maps
# have another slope in each frame. pydicom, which reads stored values, is right where each frame's own slope is applied.
# Expected of a frame of stored 1000 with slope 1.2: 1200. Seen: 1000, without a warning.
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
from pydicom.uid import EnhancedMRImageStorage, ExplicitVRLittleEndian, generate_uid

SLOPES = (1.0, 1.1, 1.2)


def item(**attributes):
    dataset = Dataset()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


image = item(
    SOPClassUID=EnhancedMRImageStorage,
    SOPInstanceUID=generate_uid(),
    StudyInstanceUID=generate_uid(),
    SeriesInstanceUID=generate_uid(),
    Modality="MR",
    ImageType=["DERIVED", "PRIMARY", "T1 MAP", "NONE"],
    SamplesPerPixel=1,
    PhotometricInterpretation="MONOCHROME2",
    NumberOfFrames=len(SLOPES),
    Rows=16,
    Columns=16,
    BitsAllocated=16,
    BitsStored=12,
    HighBit=11,
    PixelRepresentation=0,
    SharedFunctionalGroupsSequence=[
        item(
            PixelMeasuresSequence=[item(PixelSpacing=[1.5, 1.5], SliceThickness=8)],
            PlaneOrientationSequence=[item(ImageOrientationPatient=[1, 0, 0, 0, 1, 0])],
        )
    ],
    PerFrameFunctionalGroupsSequence=[
        item(
            FrameContentSequence=[item(DimensionIndexValues=[frame + 1])],
            PlanePositionSequence=[item(ImagePositionPatient=[0, 0, 10 * frame])],
            PixelValueTransformationSequence=[item(RescaleSlope=slope, RescaleIntercept=0, RescaleType="ms")],
        )
        for frame, slope in enumerate(SLOPES)
    ],
    PixelData=np.full((len(SLOPES), 16, 16), 1000, "<u2").tobytes(),
)
image.file_meta = FileMetaDataset()
image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
image.save_as(sys.argv[1], enforce_file_format=True)

read = [float(frame.mean()) for frame in sitk.GetArrayFromImage(sitk.ReadImage(sys.argv[1]))]
own = [
    float(frame.mean() * groups.PixelValueTransformationSequence[0].RescaleSlope)
    for frame, groups in zip(pydicom.dcmread(sys.argv[1]).pixel_array, image.PerFrameFunctionalGroupsSequence)
]
print(f"SimpleITK {sitk.Version.VersionString()}, pydicom {pydicom.__version__}")
print(f"slopes of the frames: {SLOPES}, every stored value is 1000")
print(f"by each frame's own slope: {own}")
print(f"by SimpleITK:              {read}")
sys.exit(0 if read == [1000.0, 1000.0, 1000.0] and own == [1000.0, 1100.0, 1200.0] else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder/image.dcm"

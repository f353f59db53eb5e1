#!/bin/sh
# SimpleITK 2.5.5 (GDCM) gives pixels of 1 x 1 x 1 mm to an Enhanced MR object whose frames are not stored in even steps.
#
# In such an object the frames may lie anywhere and be stored in any order (PS3.3 A.36, Plane Position); the size of a
# pixel stands in Pixel Measures. Base, mid and apex of a heart have uneven gaps, and scanners interleave slices. In both
# cases SimpleITK reads the orientation and drops the pixel spacing, with no error or warning: every area and wall in such
# a map is wrong, here by a factor of 1.5. dcm2niix 1.0.20260724 reads the pixels right, and spreads uneven slices evenly,
# also without the warning that it has for single images; highdicom refuses uneven slices.
# Expected: pixels of 1.5 mm, or an error. Seen: 1, 1, 1 mm; by dcm2niix slices at 0, 10 and 30 mm in steps of 15 mm.
# What to do: take the size of the pixels from the object itself, and distrust exactly 1 mm along all three axes.
#
# Needs python3 and the Python package index. Exits with 0 while it behaves so, with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check simpleitk==2.5.5 dcm2niix==1.0.20260724 \
    highdicom==0.28.2 pydicom==3.0.2 nibabel==5.4.2 numpy==2.4.6
cat > "$folder/check.py" <<'PYTHON'
import subprocess
import sys
import tempfile
from pathlib import Path

import highdicom
import nibabel
import numpy as np
import SimpleITK as sitk
from highdicom.legacy import LegacyConvertedEnhancedMRImage
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

COLUMN, ROW = np.array([0.8, 0.0, -0.6]), np.array([0.0, 1.0, 0.0])
NORMAL = np.cross(COLUMN, ROW)


def single_images(places_mm):
    """Slices of 16 x 16 pixels of 1.5 mm in a tilted plane, at these places along its normal."""
    study, series, frame_of_reference = generate_uid(), generate_uid(), generate_uid()
    for number, place_mm in enumerate(places_mm, start=1):
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
            "Manufacturer": "Vendor",
            "ImageType": ["DERIVED", "PRIMARY", "T1 MAP"],
            "ImagePositionPatient": [round(float(each), 6) for each in place_mm * NORMAL],
            "ImageOrientationPatient": [*COLUMN.tolist(), *ROW.tolist()],
            "PixelSpacing": [1.5, 1.5],
            "SliceThickness": 8,
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
            "PixelData": np.full((16, 16), 1000 + place_mm, "<u2").tobytes(),
        }.items():
            setattr(image, keyword, value)
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        yield image


def one_object(places_mm, order):
    """All slices in one object, stored in this order."""
    made = LegacyConvertedEnhancedMRImage(
        list(single_images(places_mm)),
        series_instance_uid=generate_uid(),
        series_number=9,
        sop_instance_uid=generate_uid(),
        instance_number=1,
    )
    pixels, frames = made.pixel_array, list(made.PerFrameFunctionalGroupsSequence)
    made.PerFrameFunctionalGroupsSequence = [frames[number] for number in order]
    made.PixelData = pixels[order].tobytes()
    return made


def spacings(made):
    """In mm, by SimpleITK, dcm2niix and highdicom."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "object.dcm"
        made.save_as(file)
        by_itk = sitk.ReadImage(str(file))
        tool = Path(sys.executable).with_name("dcm2niix")
        said = subprocess.run([tool, "-f", "map", folder], capture_output=True, text=True, check=True).stdout
        by_dcm2niix = nibabel.load(Path(folder) / "map.nii")
        try:
            volume = highdicom.imread(file).get_volume()
            by_highdicom = [round(float(each), 3) for each in volume.spacing[::-1]]
        except RuntimeError as error:
            by_highdicom = str(error)
        direction = np.round(by_itk.GetDirection()[::3], 3).tolist()
        return (
            [round(each, 3) for each in by_itk.GetSpacing()],
            direction,
            [round(float(each), 3) for each in by_dcm2niix.header.get_zooms()],
            "Interslice distance varies" in said,
            by_highdicom,
        )


print(f"SimpleITK {sitk.Version.VersionString()}, dcm2niix 1.0.20260724, highdicom {highdicom.__version__}")
found = {}
for name, places_mm, order in (
    ("even", (0, 10, 20, 30, 40), [0, 1, 2, 3, 4]),
    ("interleaved", (0, 10, 20, 30, 40), [0, 2, 4, 1, 3]),
    ("uneven", (0, 10, 30), [0, 1, 2]),
):
    found[name] = spacings(one_object(places_mm, order))
    itk, direction, dcm2niix, warned, own = found[name]
    print(f"{name}: SimpleITK {itk} with columns along {direction}; dcm2niix {dcm2niix}, warned {warned}; highdicom {own}")
right, ones, along = [1.5, 1.5, 10.0], [1.0, 1.0, 1.0], COLUMN.tolist()
as_seen = (
    found["even"] == (right, along, right, False, right)
    and found["interleaved"] == (ones, along, right, False, right)
    and found["uneven"][:4] == (ones, along, [1.5, 1.5, 15.0], False)
    and isinstance(found["uneven"][4], str)
)
sys.exit(0 if as_seen else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

#!/bin/sh
# dcmqi 1.5.7, segimage2itkimage: where the slices of a segmentation have uneven gaps, it puts them in steps of the slice
# thickness, each on the step nearest to it, and succeeds.
#
# Base, mid and apex of a heart are planned one by one: slices of 8 mm at 0, 18 and 33 mm make a valid segmentation
# (PS3.3 A.51; each frame has its own Plane Position). Its volume file, and what Slicer shows with it, has them elsewhere.
# Expected: the labels where the frames lie, or an error. Seen: at 0, 16 and 32 mm, and a line
# that says of the thickness "using it!". highdicom 0.28.2 refuses to make a volume of them, SimpleITK 2.5.5 reads pixels
# of 1 mm; evenly spaced slices are right in all three.
# What to do: compare the positions in the volume with those of the object, as when a label is laid over a map.
#
# Needs python3 and the Python package index. Exits with 0 while it behaves so, with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check dcmqi==1.5.7 highdicom==0.28.2 pydicom==3.0.2 \
    simpleitk==2.5.5 numpy==2.4.6
cat > "$folder/check.py" <<'PYTHON'
import subprocess
import sys
import tempfile
from pathlib import Path

import highdicom
import numpy as np
import SimpleITK as sitk
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid


def sources(places_mm):
    """Axial slices of 8 mm at these places."""
    study, series, frame_of_reference = generate_uid(), generate_uid(), generate_uid()
    for number, place_mm in enumerate(places_mm, start=1):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, generate_uid()
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame_of_reference
        for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
            setattr(image, keyword, "")
        image.StudyDate = image.StudyTime = ""
        image.Modality, image.InstanceNumber = "MR", number
        image.Rows = image.Columns = 16
        image.PixelSpacing, image.SliceThickness = [1.5, 1.5], 8
        image.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        image.ImagePositionPatient = [0, 0, place_mm]
        yield image


def segmentation(places_mm):
    """A square on every slice."""
    images = list(sources(places_mm))
    pixels = np.zeros((len(images), 16, 16), np.uint8)
    pixels[:, 4:9, 4:9] = 1
    heart = SegmentDescription(1, "Heart", codes.SCT.AnatomicalStructure, codes.SCT.Heart, "MANUAL")
    return Segmentation(
        source_images=images,
        pixel_array=pixels,
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


def read(made):
    """Where the slices with the label lie by dcmqi, in mm; what it said; SimpleITK's spacing; highdicom's answer."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "segmentation.dcm"
        made.save_as(file)
        tool = Path(sys.executable).with_name("segimage2itkimage")
        ran = subprocess.run(
            [tool, "--inputDICOM", file, "--outputDirectory", folder], capture_output=True, text=True, check=True
        )
        image = sitk.ReadImage(str(Path(folder) / "1.nrrd"))
        labelled = np.flatnonzero(sitk.GetArrayFromImage(image).any(axis=(1, 2)))
        places = [image.TransformIndexToPhysicalPoint((0, 0, int(index)))[2] for index in labelled]
        said = [line for line in (ran.stdout + ran.stderr).splitlines() if "WARN" in line.upper()]
        try:
            own = f"spacing {highdicom.seg.segread(file).get_volume().spacing[0]}"
        except RuntimeError:
            own = "refused"
        return places, said, sitk.ReadImage(str(file)).GetSpacing(), own


print(f"dcmqi 1.5.7, SimpleITK {sitk.Version.VersionString()}, highdicom {highdicom.__version__}")
found = {}
for places_mm in ((0, 10, 20), (0, 18, 33)):
    found[places_mm], said, spacing, own = read(segmentation(places_mm))
    print(f"slices at {places_mm}: dcmqi {found[places_mm]}; SimpleITK's spacing {spacing}; highdicom: {own}")
    print(f"  dcmqi says {said}")
sys.exit(0 if found == {(0, 10, 20): [0.0, 10.0, 20.0], (0, 18, 33): [0.0, 16.0, 32.0]} else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

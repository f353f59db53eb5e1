#!/bin/sh
# dcmqi 1.5.7, paramap2itkimage: it takes the frames in the order in which they are stored for the order of the slices,
# and puts values on wrong slices without a warning.
#
# By PS3.3 A.75 the place of a frame is its Plane Position, in whatever order the frames are stored. highdicom 0.28 sorts
# frames by position, x first; so where the slices' normal points to smaller x its maps come out mirrored through the
# slices.
# Expected of three slices with the values 1, 2 and 3: the same at the same place. Seen: 3, 2 and 1.
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
from pathlib import Path

import highdicom
import numpy as np
import SimpleITK as sitk
from highdicom.pm import ParametricMap, RealWorldValueMapping
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sr.codedict import codes
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

FOLDER = Path(sys.argv[1])
STUDY, SERIES, FRAME_OF_REFERENCE = generate_uid(), generate_uid(), generate_uid()


def source(section):
    """A slice of 8 x 8 pixels; the next one lies 10 mm towards smaller x, as does their normal."""
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = MRImageStorage, generate_uid()
    image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = STUDY, SERIES, FRAME_OF_REFERENCE
    for keyword in ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID"):
        setattr(image, keyword, "")
    image.StudyDate = image.StudyTime = ""
    image.Modality, image.InstanceNumber = "MR", section + 1
    image.Rows = image.Columns = 8
    image.PixelSpacing, image.SliceThickness = [1, 1], 10
    image.ImageOrientationPatient = [0, 0, 1, 0, 1, 0]
    image.ImagePositionPatient = [-10 * section, 0, 0]
    return image


def write(path):
    values = np.stack([np.full((8, 8), section + 1, np.float32) for section in range(3)])
    mapping = RealWorldValueMapping("x", "x", codes.UCUM.NoUnits, (1.0, 3.0), 1.0, 0.0)
    made = ParametricMap(
        [source(section) for section in range(3)],
        values,
        series_instance_uid=generate_uid(),
        series_number=1,
        sop_instance_uid=generate_uid(),
        instance_number=1,
        manufacturer="x",
        manufacturer_model_name="x",
        software_versions="1",
        device_serial_number="1",
        contains_recognizable_visual_features=False,
        real_world_value_mappings=[mapping],
        voi_lut_transformations=[highdicom.VOILUTTransformation(2, 2)],
    )
    made.ContentCreatorName = ""
    anatomy = Dataset()
    anatomy.FrameLaterality = "U"
    anatomy.AnatomicRegionSequence = [highdicom.sr.CodedConcept("80891009", "SCT", "Heart")]
    made.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [anatomy]
    made.save_as(path)


def read(path):
    """The values of the three slices from x = 0 on, by dcmqi's tool."""
    tool = Path(sys.executable).with_name("paramap2itkimage")
    subprocess.run([tool, "--inputDICOM", path, "--outputDirectory", FOLDER], capture_output=True, check=True)
    image = sitk.ReadImage(str(FOLDER / "pmap.nrrd"))
    return [image[image.TransformPhysicalPointToIndex((-10.0 * section, 0.0, 0.0))] for section in range(3)]


write(FOLDER / "map.dcm")
values = read(FOLDER / "map.dcm")
print("dcmqi 1.5.7: values", values, "where the slices have 1, 2 and 3")
sys.exit(0 if values == [3.0, 2.0, 1.0] else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py" "$folder"

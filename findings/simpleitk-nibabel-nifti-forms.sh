#!/bin/sh
# A NIfTI file may hold two geometries, the qform and the sform, and they may differ. The same valid file then lies at
# two places: nibabel takes the sform whenever its code is above 0; SimpleITK (ITK) takes it for code 1 (scanner
# coordinates), and the qform for the codes 2 to 4 (aligned, Talairach, MNI). Neither says so.
# Both tell it in their documentation or source, but files with codes 1 and 2 are what registration software writes.
# What to do: compare the two, and say which was taken. Exits with 1 when one of the two behaves otherwise.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/python" -m pip install --quiet --disable-pip-version-check \
    numpy==2.2.6 SimpleITK==2.5.5 nibabel==5.3.2
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import nibabel
import numpy as np
import SimpleITK as sitk

print(f"nibabel {nibabel.__version__}, SimpleITK {sitk.Version.VersionString()}")
qform, sform = np.diag([1.4, 2.1, 8.0, 1.0]), np.diag([1.4, 2.1, 8.0, 1.0])
qform[:3, 3], sform[:3, 3] = (1.0, 2.0, 3.0), (10.0, 20.0, 30.0)
as_seen = True
for code, itk_takes in ((1, "sform"), (2, "qform"), (3, "qform"), (4, "qform")):
    image = nibabel.Nifti1Image(np.zeros((4, 4, 2), np.int16), None)
    image.set_qform(qform, code=1)
    image.set_sform(sform, code=code)
    nibabel.save(image, "both.nii")
    origins = {
        "nibabel": nibabel.load("both.nii").affine[:3, 3],
        "SimpleITK": np.array(sitk.ReadImage("both.nii").GetOrigin()) * (-1, -1, 1),  # LPS to RAS
    }
    found = {
        name: "sform" if np.allclose(origin, sform[:3, 3]) else "qform" if np.allclose(origin, qform[:3, 3]) else "?"
        for name, origin in origins.items()
    }
    print(f"qform code 1, sform code {code}: nibabel takes the {found['nibabel']}, SimpleITK the {found['SimpleITK']}")
    as_seen &= found == {"nibabel": "sform", "SimpleITK": itk_takes}
# Seen with these versions:
#   qform code 1, sform code 1: nibabel takes the sform, SimpleITK the sform
#   qform code 1, sform code 2: nibabel takes the sform, SimpleITK the qform
#   qform code 1, sform code 3: nibabel takes the sform, SimpleITK the qform
#   qform code 1, sform code 4: nibabel takes the sform, SimpleITK the qform
sys.exit(0 if as_seen else "the behaviour has changed")
PYTHON

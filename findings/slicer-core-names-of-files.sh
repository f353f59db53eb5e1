#!/bin/sh
# slicer-core 5.13.31053.0: a scene with a node that is named with an ampersand is saved without an error, and can't be
# read again.
#
# A node's file is named after the node. A scene's file (XML) has the node's name as name="A &amp; B", and that of its
# file as fileName="Data/A%20&%20B.nrrd", which is no XML: nothing of the scene can be opened, though its files are there.
# Expected: in fileName, too, the sign is written as XML or as URL. Seen: "Syntax error in scene file", and Import returns
# 0. So a module names nodes that are to be saved without it.
#
# Needs python3 and the Python package index. Exits with 0 while it behaves so, with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check slicer-core==5.13.31053.0 vtk==9.6.2
cat > "$folder/check.py" <<'PYTHON'
import re
import sys
import tempfile
import zipfile
from pathlib import Path

import slicer
import vtk


def saved_and_read(name):
    """Whether a scene with a volume of that name was saved and could be read; how its file has the two names."""
    image = vtk.vtkImageData()
    image.SetDimensions(4, 4, 2)
    image.AllocateScalars(vtk.VTK_FLOAT, 1)
    scene = slicer.vtkMRMLScene()
    scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name).SetAndObserveImageData(image)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "scene.mrb"
        saved = bool(scene.WriteToMRB(str(bundle)))
        zipfile.ZipFile(bundle).extractall(folder)
        file = Path(folder) / "scene" / "scene.mrml"
        names = re.findall(r' (?:name|fileName)="[^"]*A(?: |%20)[^"]*"', file.read_text(encoding="utf-8"))
        opened = slicer.vtkMRMLScene()
        opened.SetURL(str(file))
        return saved, bool(opened.Import()), names


found = {name: saved_and_read(name) for name in ("A and B", "A & B")}
print("slicer-core 5.13.31053.0")
for name, (saved, read, names) in found.items():
    print(f"volume {name}: saved {saved}, read {read};", *dict.fromkeys(names))
sys.exit(0 if [each[:2] for each in found.values()] == [(True, True), (True, False)] else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

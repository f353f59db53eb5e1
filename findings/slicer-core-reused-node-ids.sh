#!/bin/sh
# In slicer-core 5.13.31053.0 a scene that is imported brings a node with the ID of one that was removed; adding one not.
#
# A module that remembers something of a volume by its node ID, as observers, results or settings, takes it for another
# patient's volume: the first one was removed from the scene, then a scene was added to it (dropped onto the window, or
# File, Add Data), not opened in its place. Expected: as with AddNewNodeByClass, which never gives an ID a second time.
# Seen: the imported volume has the removed one's ID. So remember beside the ID what the volume was.
#
# Needs python3 and the Python package index. Exits with 0 while it behaves so, with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check slicer-core==5.13.31053.0 vtk==9.6.2
cat > "$folder/check.py" <<'PYTHON'
import sys
import tempfile
from pathlib import Path

import slicer

VOLUME = "vtkMRMLScalarVolumeNode"


def scene_with(name):
    scene = slicer.vtkMRMLScene()
    return scene, scene.AddNewNodeByClass(VOLUME, name)


def after_removal(add):
    """The ID of a removed volume, and that of the one that comes after it."""
    scene, first = scene_with("first patient")
    gone = first.GetID()
    scene.RemoveNode(first)
    return gone, add(scene).GetID()


def imported(scene):
    scene.SetURL(str(file))
    scene.Import()
    return scene.GetFirstNodeByName("second patient")


with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "other.mrml"
    other, _ = scene_with("second patient")
    other.SetURL(str(file))
    other.Commit()
    by_import = after_removal(imported)
    by_adding = after_removal(lambda scene: scene.AddNewNodeByClass(VOLUME, "second patient"))
print(f"slicer-core 5.13.31053.0: {by_import[0]} was removed, {by_import[1]} was imported")
print(f"{by_adding[0]} was removed, {by_adding[1]} was added")
sys.exit(0 if by_import[0] == by_import[1] and by_adding[0] != by_adding[1] else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

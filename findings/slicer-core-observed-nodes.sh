#!/bin/sh
# VTKObservationMixin of slicer-core 5.13.31053.0 keeps every node that it has observed, also after removeObserver.
#
# Slicer's modules observe volumes by this mixin (slicer.util), which removes the observer and keeps the object as a key
# of its table. So a volume that a panel has followed stays in memory with its image after it was removed from the scene,
# until removeObservers() ends all observations, as when the module is unloaded. Expected: with the last observer the
# mixin lets the node go. Seen: ten volumes of 1 MB were added, observed, no longer observed and removed from the scene;
# all ten are alive. With observers by the node's own AddObserver and RemoveObserver none is.
#
# Needs python3 and the Python package index. Exits with 0 while it behaves so, with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check slicer-core==5.13.31053.0 vtk==9.6.2
cat > "$folder/check.py" <<'PYTHON'
import gc
import sys

import slicer
import vtk
from slicer.util import VTKObservationMixin

COUNT = 10


class Panel(VTKObservationMixin):
    def changed(self, caller, event):
        pass


def alive(observe):
    """How many of the volumes are alive that were observed for a while and are in no scene any more."""
    gone = set()
    scene = slicer.vtkMRMLScene()
    for number in range(COUNT):
        image = vtk.vtkImageData()
        image.SetDimensions(512, 512, 1)
        image.AllocateScalars(vtk.VTK_FLOAT, 1)
        volume = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
        volume.SetAndObserveImageData(image)
        volume.AddObserver(vtk.vtkCommand.DeleteEvent, lambda caller, event, number=number: gone.add(number))
        observe(volume)
        scene.RemoveNode(volume)
        del volume, image
    gc.collect()
    return COUNT - len(gone)


def by_mixin(volume):
    panel.addObserver(volume, vtk.vtkCommand.ModifiedEvent, panel.changed)
    panel.removeObserver(volume, vtk.vtkCommand.ModifiedEvent, panel.changed)


def by_tag(volume):
    volume.RemoveObserver(volume.AddObserver(vtk.vtkCommand.ModifiedEvent, panel.changed))


panel = Panel()
kept, own = alive(by_mixin), alive(by_tag)
print(f"slicer-core 5.13.31053.0: of {COUNT} volumes alive after the mixin's removeObserver: {kept}; after their own: {own}")
sys.exit(0 if (kept, own) == (COUNT, 0) else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

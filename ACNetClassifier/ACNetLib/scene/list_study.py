"""A study of a reading list in the scene: its T1 maps and its result, from the study's folder."""

from __future__ import annotations

from pathlib import Path

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene

from ACNetLib.scene.display import Display
from ACNetLib.scene.exam import show_exam
from ACNetLib.scene.output import add_t1_map
from ACNetLib.scene.views import nodes_of_class
from ACNetLib.triage.study_folder import read_study

STUDY = "ACNet.listStudy"
"""The volumes of a study know its name in the list, and when it was answered."""


def list_study_of(volume: vtkMRMLScalarVolumeNode) -> str:
    """The name that a volume's study has in its list; "" for a volume of no list."""
    return (volume.GetAttribute(STUDY) or "").partition(" ")[0]


def open_study(folder: Path, scene: vtkMRMLScene, display: Display) -> list[vtkMRMLScalarVolumeNode]:
    """The study's volumes, with their results: those in the scene, or new ones where it is not there as it is now.

    Raises ACNetError where a file of it is missing or damaged.
    """
    result = folder / "result.json"
    key = f"{folder.name} {result.stat().st_mtime_ns if result.is_file() else 0}"
    found = [node for node in nodes_of_class(scene, "vtkMRMLScalarVolumeNode") if node.GetAttribute(STUDY) == key]
    if found:
        return found
    study = read_study(folder)
    volumes = [add_t1_map(images.t1_map, scene) for images in study.images]
    for volume in volumes:
        volume.SetAttribute(STUDY, key)
    show_exam(study, volumes, scene, display)
    return volumes

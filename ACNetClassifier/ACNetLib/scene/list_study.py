"""A study of a reading list in the scene: its T1 maps and its result, from the study's folder."""

from __future__ import annotations

from pathlib import Path

from slicer import vtkMRMLScalarVolumeNode, vtkMRMLScene

from ACNetLib.errors import ACNetError
from ACNetLib.files import state_of_file
from ACNetLib.inference.record import StudyRecord, record_values
from ACNetLib.scene.display import Display
from ACNetLib.scene.exam import results_of_exam, show_exam, study_from_scene, volumes_of
from ACNetLib.scene.output import add_t1_map, find_result
from ACNetLib.scene.table import read_record
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
    _size, changed_ns = state_of_file(result) or (0, 0)
    key = f"{folder.name} {changed_ns}"
    study = read_study(folder)
    for node in nodes_of_class(scene, "vtkMRMLScalarVolumeNode"):
        if node.GetAttribute(STUDY) == key and (found := _whole_study(node, study, scene)):
            return found
    volumes = [add_t1_map(images.t1_map, scene) for images in study.images]
    for volume in volumes:
        volume.SetAttribute(STUDY, key)
    show_exam(study, volumes, scene, display)
    return volumes


def _whole_study(
    node: vtkMRMLScalarVolumeNode, study: StudyRecord, scene: vtkMRMLScene
) -> list[vtkMRMLScalarVolumeNode]:
    """The volumes of the study whose result the volume has, where all is as the list has it; else none. A volume's copy
    has its attributes too, and is none of them.
    """
    result = find_result(node, scene)
    if result is None:
        return []
    try:
        study_from_scene(result, scene)
    except ACNetError:  # a volume is gone or was changed
        return []
    as_listed = record_values(study)
    if any(record_values(read_record(each.table)) != as_listed for each in results_of_exam(result, scene)):
        return []
    return [volume for volume in volumes_of(result.table) if volume is not None]

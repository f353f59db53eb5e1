"""Copies of one T1 map: Slicer's other DICOM plugins make volumes of the same files, with their stored values.

Needs no Qt, like all of this package.
"""

from __future__ import annotations

from slicer import (
    vtkMRMLScalarVolumeNode,
    vtkMRMLScene,
    vtkMRMLSubjectHierarchyConstants,
    vtkMRMLSubjectHierarchyNode,
)

from ACNetLib.scene.sources import DICOM_INSTANCES, T1_OF_DICOM
from ACNetLib.scene.views import nodes_of_class


def volumes_of_our_plugin(scene: vtkMRMLScene) -> list[vtkMRMLScalarVolumeNode]:
    """In the order in which they were loaded."""
    volumes = nodes_of_class(scene, "vtkMRMLScalarVolumeNode")
    return [node for node in volumes if node.GetAttribute(T1_OF_DICOM) is not None]


def better_copy(node: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene) -> vtkMRMLScalarVolumeNode | None:
    """The volume that our plugin has made of files of which this node is another plugin's copy, where there is one."""
    if node.GetAttribute(T1_OF_DICOM) is not None:
        return None
    instances = _instances(node, scene)
    return next((each for each in volumes_of_our_plugin(scene) if instances & _instances(each, scene)), None)


def _instances(node: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene) -> set[str]:
    """The UIDs of its files. A sequence's volume notes those of its present frame only, its item all of them."""
    hierarchy = vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item, name = hierarchy.GetItemByDataNode(node), vtkMRMLSubjectHierarchyConstants.GetDICOMInstanceUIDName()
    of_item = hierarchy.GetItemUID(item, name) if item else ""
    return {*(node.GetAttribute(DICOM_INSTANCES) or "").split(), *of_item.split()} - {"Unknown"}

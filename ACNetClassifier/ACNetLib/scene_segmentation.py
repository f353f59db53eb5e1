"""A label map of a result as a segmentation with terminology, which Slicer can export as DICOM SEG."""

from __future__ import annotations

from slicer import vtkMRMLScene, vtkMRMLSegmentationNode, vtkMRMLSubjectHierarchyNode

from ACNetLib.scene import ResultNodes, subject_hierarchy_item
from ACNetLib.scene_display import VENTRICLE
from ACNetLib.scene_input import segmentations_logic
from ACNetLib.ventricle import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL

Code = tuple[str, str, str]
"""Scheme, value and meaning, as in DICOM PS3.16."""

SPATIAL_CONCEPT: Code = ("SCT", "309825002", "Spatial and Relational Concept")
ANATOMICAL_STRUCTURE: Code = ("SCT", "123037004", "Anatomical Structure")
SALIENCY: Code = ("DCM", "130404", "Saliency")
PARTS_OF_THE_VENTRICLE: dict[int, Code] = {
    MYOCARDIUM_LABEL: ("SCT", "49848007", "Left Ventricle Myocardium"),
    CAVITY_LABEL: ("SCT", "87878005", "Left ventricle"),
    SEPTUM_LABEL: ("SCT", "589001", "Interventricular septum"),
}


def make_segmentation(nodes: ResultNodes, scene: vtkMRMLScene, overlay: str) -> vtkMRMLSegmentationNode:
    """A new segmentation of one of OVERLAYS, a segment a label that occurs, in the T1 map's geometry and folder.

    It is the user's: another run leaves it alone. Raises ACNetError where Slicer's module Segmentations is disabled.
    """
    logic, label_map = segmentations_logic(), nodes.labels[overlay]
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{label_map.GetName()} segmentation")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(nodes.t1_volume)
    logic.ImportLabelmapToSegmentationNode(label_map, segmentation)
    colors = label_map.GetDisplayNode().GetColorNode()
    labels = {colors.GetColorName(label): label for label in range(colors.GetNumberOfColors())}
    for index in range(segmentation.GetSegmentation().GetNumberOfSegments()):
        segment = segmentation.GetSegmentation().GetNthSegment(index)
        category, kind = _terminology(overlay, labels[segment.GetName()])
        segment.SetTag(segment.GetTerminologyEntryTagName(), _terminology_entry(category, kind))
    hierarchy = vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    beside = hierarchy.GetItemParent(subject_hierarchy_item(nodes.t1_volume, scene))
    hierarchy.SetItemParent(subject_hierarchy_item(segmentation, scene), beside)
    return segmentation


def _terminology(overlay: str, label: int) -> tuple[Code, Code]:
    """Category and type. Attention is no anatomy: its type is what DICOM calls the weight of a place for a decision."""
    if overlay == VENTRICLE:
        return ANATOMICAL_STRUCTURE, PARTS_OF_THE_VENTRICLE[label]
    return SPATIAL_CONCEPT, SALIENCY


def _terminology_entry(category: Code, kind: Code) -> str:
    """As Slicer writes it: terminology, category, type, its modifier, anatomic context, region, its modifier."""
    no_code, context = "^^", "Anatomic codes - DICOM master list"
    terminology = "Segmentation category and type - DICOM master list"
    return "~".join([terminology, "^".join(category), "^".join(kind), no_code, context, no_code, no_code])

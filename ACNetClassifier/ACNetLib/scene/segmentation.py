"""A label map of a result as a segmentation with terminology, which Slicer can export as DICOM SEG."""

from __future__ import annotations

from dataclasses import dataclass

from slicer import vtkMRMLScene, vtkMRMLSegmentationNode, vtkMRMLSubjectHierarchyNode

from ACNetLib.scene.display import VENTRICLE
from ACNetLib.scene.input import segmentations_logic
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import subject_hierarchy_item
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL

Code = tuple[str, str, str]
"""Scheme, value and meaning, as in DICOM PS3.16."""

NO_CODE: Code = ("", "", "")

SPATIAL_CONCEPT: Code = ("SCT", "309825002", "Spatial and Relational Concept")
ANATOMICAL_STRUCTURE: Code = ("SCT", "123037004", "Anatomical Structure")
TISSUE: Code = ("SCT", "85756007", "Tissue")
SALIENCY: Code = ("DCM", "130404", "Saliency")
LEFT_VENTRICLE: Code = ("SCT", "87878005", "Left ventricle")


@dataclass(frozen=True)
class Terminology:
    """What a segment shows: DICOM's property category and type, and the region where the type is no anatomy."""

    category: Code
    kind: Code
    region: Code = NO_CODE


ATTENTION = Terminology(SPATIAL_CONCEPT, SALIENCY)
"""Attention is no anatomy: its type is what DICOM calls the weight of a place for a decision."""
PARTS_OF_THE_VENTRICLE = {
    MYOCARDIUM_LABEL: Terminology(ANATOMICAL_STRUCTURE, ("SCT", "49848007", "Left Ventricle Myocardium")),
    CAVITY_LABEL: Terminology(TISSUE, ("SCT", "87612001", "Blood"), LEFT_VENTRICLE),
    SEPTUM_LABEL: Terminology(ANATOMICAL_STRUCTURE, ("SCT", "589001", "Interventricular septum")),
}
"""The cavity is the blood (CID 7166) in the left ventricle: "Left ventricle" would be its wall as well."""


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
        shown = PARTS_OF_THE_VENTRICLE[labels[segment.GetName()]] if overlay == VENTRICLE else ATTENTION
        segment.SetTag(segment.GetTerminologyEntryTagName(), _terminology_entry(shown))
    hierarchy = vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    beside = hierarchy.GetItemParent(subject_hierarchy_item(nodes.t1_volume, scene))
    hierarchy.SetItemParent(subject_hierarchy_item(segmentation, scene), beside)
    return segmentation


def _terminology_entry(shown: Terminology) -> str:
    """As Slicer writes it: terminology, category, type, its modifier, anatomic context, region, its modifier."""
    terminology, context = "Segmentation category and type - DICOM master list", "Anatomic codes - DICOM master list"
    category, kind, region, no_code = ("^".join(code) for code in (shown.category, shown.kind, shown.region, NO_CODE))
    return "~".join([terminology, category, kind, no_code, context, region, no_code])

"""A label map of a result as a segmentation with terminology, which Slicer can export as DICOM SEG."""

from __future__ import annotations

from slicer import (
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLScene,
    vtkMRMLSegmentationNode,
    vtkMRMLSubjectHierarchyNode,
)

from ACNetLib.dicom.terminology import ATTENTION, NO_CODE, PARTS_OF_THE_VENTRICLE, Terminology
from ACNetLib.errors import ACNetError
from ACNetLib.scene.arrays import has_values
from ACNetLib.scene.display import VENTRICLE
from ACNetLib.scene.input import segmentations_logic
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import subject_hierarchy_item


def make_segmentation(nodes: ResultNodes, scene: vtkMRMLScene, overlay: str) -> vtkMRMLSegmentationNode:
    """A new segmentation of one of OVERLAYS, a segment a label that occurs, in the T1 map's geometry and folder.

    It is the user's: another run leaves it alone. Raises ACNetError where Slicer's module Segmentations is disabled,
    and like `label_map_of`.
    """
    logic, label_map = segmentations_logic(), label_map_of(nodes, overlay)
    segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", f"{label_map.GetName()} segmentation")
    segmentation.CreateDefaultDisplayNodes()
    segmentation.SetReferenceImageGeometryParameterFromVolumeNode(nodes.t1_volume)
    logic.ImportLabelmapToSegmentationNode(label_map, segmentation)
    for index in range(segmentation.GetSegmentation().GetNumberOfSegments()):
        segment = segmentation.GetSegmentation().GetNthSegment(index)
        shown = PARTS_OF_THE_VENTRICLE[segment.GetLabelValue()] if overlay == VENTRICLE else ATTENTION
        segment.SetTag(segment.GetTerminologyEntryTagName(), _terminology_entry(shown))
    hierarchy = vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    beside = hierarchy.GetItemParent(subject_hierarchy_item(nodes.t1_volume, scene))
    hierarchy.SetItemParent(subject_hierarchy_item(segmentation, scene), beside)
    return segmentation


def label_map_of(nodes: ResultNodes, overlay: str) -> vtkMRMLLabelMapVolumeNode:
    """Of one of OVERLAYS. Raises ACNetError where it is gone, or its colours are, which name its segments."""
    label_map = nodes.labels.get(overlay)
    display = None if label_map is None else label_map.GetDisplayNode()
    if label_map is None or not has_values(label_map) or display is None or display.GetColorNode() is None:
        raise ACNetError(
            f"{nodes.t1_volume.GetName()}: the label map of its result is gone, or its colours are; expected them as "
            "they were made. Classify the map again."
        )
    return label_map


def _terminology_entry(shown: Terminology) -> str:
    """As Slicer writes it: terminology, category, type, its modifier, anatomic context, region, its modifier."""
    terminology, context = "Segmentation category and type - DICOM master list", "Anatomic codes - DICOM master list"
    category, kind, region, no_code = ("^".join(code) for code in (shown.category, shown.kind, shown.region, NO_CODE))
    return "~".join([terminology, category, kind, no_code, context, region, no_code])

"""A label map of a result as a segmentation with terminology, which Slicer can export as DICOM SEG."""

from __future__ import annotations

from slicer import vtkMRMLScene, vtkMRMLSegmentationNode, vtkMRMLSubjectHierarchyNode

from ACNetLib.dicom.terminology import ATTENTION, NO_CODE, PARTS_OF_THE_VENTRICLE, Terminology
from ACNetLib.errors import ACNetError
from ACNetLib.scene.display import VENTRICLE
from ACNetLib.scene.input import segmentations_logic
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import subject_hierarchy_item


def make_segmentation(nodes: ResultNodes, scene: vtkMRMLScene, overlay: str) -> vtkMRMLSegmentationNode:
    """A new segmentation of one of OVERLAYS, a segment a label that occurs, in the T1 map's geometry and folder.

    It is the user's: another run leaves it alone. Raises ACNetError where Slicer's module Segmentations is disabled,
    and where the label map is gone.
    """
    logic, label_map = segmentations_logic(), nodes.labels.get(overlay)
    if label_map is None or label_map.GetImageData() is None or label_map.GetDisplayNode() is None:
        raise ACNetError(
            f"{nodes.t1_volume.GetName()}: the label map of its result is gone; expected it as it was made. Classify "
            "the map again."
        )
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

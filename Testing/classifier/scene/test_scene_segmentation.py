"""Segmentations made of a result's label maps, with terminology and reference geometry."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from pydicom.sr.codedict import codes
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene
from slicer import vtkMRMLSegmentationNode as Segmentation

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import BAND_NAMES
from ACNetLib.scene.exam import show_exam
from ACNetLib.scene.input import segmentation_from_node, t1_map_from_volume_node
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.segmentation import make_segmentation


@pytest.fixture
def a_result(a_study: Callable, a_volume_node: Volume, a_scene: Scene) -> ResultNodes:
    return show_exam(a_study(t1_map_from_volume_node(a_volume_node)), [a_volume_node], a_scene)[0]


def terminology(node: Segmentation) -> dict[str, list[str]]:
    """Parts of the terminology entry by segment."""
    segmentation = node.GetSegmentation()
    entries = {}
    for index in range(segmentation.GetNumberOfSegments()):
        segment, value = segmentation.GetNthSegment(index), vtk.mutable("")
        assert segment.GetTag("TerminologyEntry", value)
        entries[segment.GetName()] = str(value).split("~")
    return entries


def test_each_band_is_a_segment_of_dicoms_type_saliency(a_result: ResultNodes, a_scene: Scene) -> None:
    entries = terminology(make_segmentation(a_result, a_scene, "combined"))
    assert set(entries) == set(BAND_NAMES)
    for entry in entries.values():
        assert len(entry) == 7
        assert entry[1] == "SCT^309825002^Spatial and Relational Concept"
        assert entry[2].split("^")[:2] == ["DCM", codes.DCM.Saliency.value]


def test_the_parts_of_the_ventricle_have_snomed_codes(a_result: ResultNodes, a_scene: Scene) -> None:
    entries = terminology(make_segmentation(a_result, a_scene, "ventricle"))
    found = {name: tuple(entry[field].split("^")[1] for field in (1, 2, 5)) for name, entry in entries.items()}
    anatomy = "123037004"  # as Slicer's own list of terms has it; the standard's CID 7150 has 91723000
    assert found == {
        "non-septal wall": (anatomy, codes.SCT.LeftVentricleMyocardium.value, ""),
        "cavity": (codes.SCT.Tissue.value, codes.SCT.Blood.value, codes.SCT.LeftVentricle.value),
        "septum": (anatomy, codes.SCT.InterventricularSeptum.value, ""),
    }


def test_the_segments_lie_in_the_t1_maps_geometry_and_hold_the_labels(
    a_result: ResultNodes, a_scene: Scene, a_volume_node: Volume
) -> None:
    node = make_segmentation(a_result, a_scene, "ventricle")
    assert node.GetNodeReference("referenceImageGeometryRef") is a_volume_node
    # Read back as a reader's segmentation: the same labels on the T1 map's grid.
    labels = segmentation_from_node(node, a_volume_node)
    np.testing.assert_array_equal(
        slicer.util.arrayFromVolume(a_result.labels["ventricle"]).ravel(), np.array(labels).ravel()
    )


def test_the_users_own_colours_change_no_term(a_result: ResultNodes, a_scene: Scene) -> None:
    own = a_scene.AddNewNodeByClass("vtkMRMLColorTableNode", "own")
    own.SetTypeToUser()
    own.SetNumberOfColors(4)
    for label, name in enumerate(("outside", "C", "B", "A")):
        own.SetColor(label, name, 1.0, 0.0, 0.0, 1.0)
    a_result.labels["ventricle"].GetDisplayNode().SetAndObserveColorNodeID(own.GetID())
    entries = terminology(make_segmentation(a_result, a_scene, "ventricle"))
    assert entries["B"][2].split("^")[1] == codes.SCT.Blood.value


@pytest.mark.parametrize("overlay", ["combined", "ventricle"])
def test_a_result_whose_colours_were_removed_makes_no_segmentation_and_has_them_again_after_another_run(
    a_result: ResultNodes, a_scene: Scene, a_volume_node: Volume, a_study: Callable, overlay: str
) -> None:
    nodes = [*a_result.labels.values(), *a_result.maps.values()]
    names = [node.GetDisplayNode().GetColorNode().GetName() for node in nodes]
    for node in nodes:
        colors = node.GetDisplayNode().GetColorNode()
        if colors is not None:  # two volumes may have the same
            a_scene.RemoveNode(colors)
    with pytest.raises(ACNetError, match="the label map of its result is gone, or its colours are; expected them"):
        make_segmentation(a_result, a_scene, overlay)
    assert a_scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    again = show_exam(a_study(t1_map_from_volume_node(a_volume_node)), [a_volume_node], a_scene)[0]
    nodes = [*again.labels.values(), *again.maps.values()]
    assert [node.GetDisplayNode().GetColorNode().GetName() for node in nodes] == names
    make_segmentation(again, a_scene, overlay)


def test_it_is_the_users_and_lies_beside_the_t1_map(
    a_result: ResultNodes, a_scene: Scene, a_volume_node: Volume, a_study: Callable
) -> None:
    node = make_segmentation(a_result, a_scene, "combined")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    parents = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(each)) for each in (node, a_volume_node)}
    assert len(parents) == 1
    show_exam(a_study(t1_map_from_volume_node(a_volume_node)), [a_volume_node], a_scene)
    assert a_scene.IsNodePresent(node)

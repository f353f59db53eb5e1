"""Crop boxes are thin outlines in the views that show their slice, in the application too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from slicer import vtkMRMLMarkupsROIDisplayNode as BoxDisplay
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene

from ACNetLib.scene.crop_boxes import show_crop_boxes
from ACNetLib.scene.exam import show_exam
from ACNetLib.scene.input import t1_map_from_volume_node
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import add_t1_map
from ACNetLib.t1map.t1_map import T1Map


def result_in(scene: Scene, t1_map: T1Map, study: Callable) -> ResultNodes:
    volume = add_t1_map(t1_map, scene)
    return show_exam(study(t1_map_from_volume_node(volume)), [volume], scene)[0]


@pytest.fixture(params=["a_scene", "the_applications_scene"])
def a_result(request: pytest.FixtureRequest, an_oblique_t1_map: T1Map, a_study: Callable) -> ResultNodes:
    return result_in(request.getfixturevalue(request.param), an_oblique_t1_map, a_study)


def displays(result: ResultNodes) -> list[BoxDisplay]:
    return [box.GetDisplayNode() for box in result.crop_boxes.values()]


def test_markups_have_a_display_node_of_slicers_own_before_ours(the_applications_scene: Scene) -> None:
    box = the_applications_scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box")
    assert box.GetDisplayNode().GetFillVisibility(), "what this file guards against"


def test_a_box_is_a_thin_line_without_fill_text_and_handles_and_hidden_at_first(a_result: ResultNodes) -> None:
    for display in displays(a_result):
        assert not display.GetVisibility()
        assert not display.GetVisibility3D()
        assert not display.GetFillVisibility()
        assert not display.GetPropertiesLabelVisibility()
        assert not display.GetPointLabelsVisibility()
        assert display.GetOutlineVisibility()
        assert display.GetCurveLineSizeMode() == display.UseLineDiameter
        assert display.GetLineDiameter() < 1.0
        assert not display.GetHandlesInteractive()


def test_a_box_is_drawn_in_the_two_views_of_the_slices_alone(a_result: ResultNodes) -> None:
    scene = a_result.t1_volume.GetScene()
    views = {scene.GetSingletonNode(name, "vtkMRMLSliceNode").GetID() for name in ("Red", "Yellow")}
    for display in displays(a_result):
        assert {display.GetNthViewNodeID(n) for n in range(display.GetNumberOfViewNodeIDs())} == views


def test_a_box_that_can_be_moved_is_shown_with_a_handle_that_neither_turns_nor_resizes_it(
    a_result: ResultNodes,
) -> None:
    boxes = a_result.crop_boxes.values()
    show_crop_boxes(boxes, visible=False, movable=True)
    for box, display in zip(boxes, displays(a_result), strict=True):
        assert (display.GetVisibility(), display.GetHandlesInteractive(), box.GetLocked()) == (1, True, 0)
        assert (display.GetRotationHandleVisibility(), display.GetScaleHandleVisibility()) == (False, False)
    show_crop_boxes(boxes, visible=True, movable=False)
    for box, display in zip(boxes, displays(a_result), strict=True):
        assert (display.GetVisibility(), display.GetHandlesInteractive(), box.GetLocked()) == (1, False, 1)


def test_another_run_leaves_the_look_of_a_box_to_the_user(
    the_applications_scene: Scene, an_oblique_t1_map: T1Map, a_study: Callable, a_volume_node: Volume
) -> None:
    result = result_in(the_applications_scene, an_oblique_t1_map, a_study)
    displays(result)[0].SetColor(0.0, 1.0, 0.0)
    show_crop_boxes(result.crop_boxes.values(), visible=True, movable=False)
    again = show_exam(a_study(an_oblique_t1_map), [result.t1_volume], the_applications_scene)[0]
    assert displays(again)[0].GetColor() == (0.0, 1.0, 0.0)
    assert displays(again)[0].GetVisibility()

"""Crop boxes are thin outlines in the views that show their slice, in the application too."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from slicer import vtkMRMLMarkupsROIDisplayNode as BoxDisplay
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene

from ACNetLib.scene.crop_boxes import crop_box_center, show_crop_boxes
from ACNetLib.scene.exam import show_exam
from ACNetLib.scene.input import t1_map_from_volume_node
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import add_t1_map, new_scene, save_scene
from ACNetLib.t1map.t1_map import T1Map


def result_in(scene: Scene, t1_map: T1Map, study: Callable) -> ResultNodes:
    volume = add_t1_map(t1_map, scene)
    return show_exam(study(t1_map_from_volume_node(volume)), [volume], scene)[0]


@pytest.fixture(params=["a_scene", "the_applications_scene"])
def a_result(request: pytest.FixtureRequest, an_oblique_t1_map: T1Map, a_study: Callable) -> ResultNodes:
    return result_in(request.getfixturevalue(request.param), an_oblique_t1_map, a_study)


@pytest.fixture
def saved_and_opened(
    a_scene: Scene, an_oblique_t1_map: T1Map, a_study: Callable, tmp_path: Path
) -> tuple[Scene, Scene]:
    """A command's scene, and what another one reads of its file."""
    result_in(a_scene, an_oblique_t1_map, a_study)
    save_scene(a_scene, tmp_path / "scene.mrb")
    zipfile.ZipFile(tmp_path / "scene.mrb").extractall(tmp_path)
    opened = new_scene()
    opened.SetURL(str(tmp_path / "scene" / "scene.mrml"))
    assert opened.Import()
    return a_scene, opened


def nodes_of(scene: Scene, class_name: str) -> list[Any]:
    return [scene.GetNthNodeByClass(index, class_name) for index in range(scene.GetNumberOfNodesByClass(class_name))]


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


def test_no_text_is_made_of_the_name_of_a_box(a_result: ResultNodes) -> None:
    for box in a_result.crop_boxes.values():
        assert box.GetControlPointLabelFormat() == ""
        assert box.GetNumberOfControlPoints() == 1
        assert box.GetNthControlPointLabel(0) == ""
        assert box.GetSize() == (128.0, 128.0, 8.0)


def test_a_commands_scene_brings_its_boxes_where_they_were(saved_and_opened: tuple[Scene, Scene]) -> None:
    made, opened = (nodes_of(scene, "vtkMRMLMarkupsROINode") for scene in saved_and_opened)
    assert len(opened) == len(made) == 2
    for box, before in zip(opened, made, strict=True):
        assert (box.GetNumberOfControlPoints(), box.GetControlPointLabelFormat()) == (1, "")
        assert box.GetSize() == (128.0, 128.0, 8.0)
        np.testing.assert_allclose(crop_box_center(box), crop_box_center(before), atol=1e-3)


def test_each_node_of_a_commands_scene_has_its_file(saved_and_opened: tuple[Scene, Scene]) -> None:
    files = {node.GetName(): node.GetStorageNode() for node in nodes_of(saved_and_opened[1], "vtkMRMLStorableNode")}
    assert len(files) > 10
    assert [name for name, storage in files.items() if not Path(storage.GetFileName()).is_file()] == []


def test_another_run_leaves_the_look_of_a_box_to_the_user(
    the_applications_scene: Scene, an_oblique_t1_map: T1Map, a_study: Callable, a_volume_node: Volume
) -> None:
    result = result_in(the_applications_scene, an_oblique_t1_map, a_study)
    displays(result)[0].SetColor(0.0, 1.0, 0.0)
    show_crop_boxes(result.crop_boxes.values(), visible=True, movable=False)
    again = show_exam(a_study(an_oblique_t1_map), [result.t1_volume], the_applications_scene)[0]
    assert displays(again)[0].GetColor() == (0.0, 1.0, 0.0)
    assert displays(again)[0].GetVisibility()

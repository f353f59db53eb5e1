"""How a result is shown: overlays, crop boxes, T1 colours and layout, in real MRML nodes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import slicer
import slicer.util
from slicer import vtkMRMLLayoutNode as Layout
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene

from ACNetLib.attention import ATTENTION_MAPS
from ACNetLib.scene import ResultNodes, show_result
from ACNetLib.scene_display import OVERLAYS, Display, jump_to, nodes_of_class, show_display, show_t1_colors
from ACNetLib.scene_input import t1_map_from_volume_node
from ACNetLib.t1map import T1Map


@pytest.fixture
def a_result(a_study: Callable, a_volume_node: Volume, a_scene: Scene) -> ResultNodes:
    return show_result(a_study(t1_map_from_volume_node(a_volume_node)), a_volume_node, a_scene)


@pytest.fixture
def a_layout(a_scene: Scene) -> Layout:
    layout = a_scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(Layout.SlicerLayoutFourUpView)
    return layout


def composites(scene: Scene) -> dict[str, slicer.vtkMRMLSliceCompositeNode]:
    return {node.GetLayoutName(): node for node in nodes_of_class(scene, "vtkMRMLSliceCompositeNode")}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_in_bands_is_the_label_layer_of_every_view(
    a_result: ResultNodes, a_scene: Scene, overlay: str
) -> None:
    assert set(a_result.labels) == set(OVERLAYS)
    show_display(a_result, a_scene, Display(overlay, opacity=0.25))
    for composite in composites(a_scene).values():
        assert composite.GetBackgroundVolumeID() == a_result.t1_volume.GetID()
        assert composite.GetLabelVolumeID() == a_result.labels[overlay].GetID()
        assert composite.GetLabelOpacity() == 0.25
        assert composite.GetForegroundVolumeID() is None


@pytest.mark.parametrize("overlay", ATTENTION_MAPS)
def test_an_overlay_as_heat_map_is_the_foreground_and_bands_take_it_off(
    a_result: ResultNodes, a_scene: Scene, overlay: str
) -> None:
    show_display(a_result, a_scene, Display(overlay, style="heat", opacity=0.25))
    for composite in composites(a_scene).values():
        assert composite.GetForegroundVolumeID() == a_result.maps[overlay].GetID()
        assert (composite.GetForegroundOpacity(), composite.GetLabelVolumeID()) == (0.25, None)
    show_display(a_result, a_scene, Display(overlay))
    assert all(composite.GetForegroundVolumeID() is None for composite in composites(a_scene).values())


def test_a_heat_map_is_scaled_by_the_models_thresholds_and_see_through_outside_the_sections(
    a_result: ResultNodes,
) -> None:
    display = a_result.maps["combined"].GetDisplayNode()
    # The thresholds of conftest's card are 0.1, 0.2, 0.3 and 0.4.
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx((-0.2, 0.4))
    assert display.GetApplyThreshold()
    values = slicer.util.arrayFromVolume(a_result.maps["combined"])
    seen = (values >= display.GetLowerThreshold()) & (values <= display.GetUpperThreshold())
    np.testing.assert_array_equal(seen, slicer.util.arrayFromVolume(a_result.labels["combined"]) > 0)


def test_the_ventricle_has_no_heat_map_and_stays_a_label(a_result: ResultNodes, a_scene: Scene) -> None:
    show_display(a_result, a_scene, Display("ventricle", style="heat"))
    for composite in composites(a_scene).values():
        assert composite.GetLabelVolumeID() == a_result.labels["ventricle"].GetID()


def test_the_users_own_foreground_stays_under_bands(a_result: ResultNodes, a_scene: Scene) -> None:
    own = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "late enhancement")
    composites(a_scene)["Red"].SetForegroundVolumeID(own.GetID())
    show_display(a_result, a_scene, Display())
    assert composites(a_scene)["Red"].GetForegroundVolumeID() == own.GetID()


def test_side_by_side_is_the_plain_map_left_and_its_overlay_right_in_linked_views_of_one_plane(
    a_result: ResultNodes, a_scene: Scene, a_layout: Layout
) -> None:
    show_display(a_result, a_scene, Display(side_by_side=True))
    left, right = (composites(a_scene)[name] for name in ("Red", "Yellow"))
    assert a_layout.GetViewArrangement() == Layout.SlicerLayoutSideBySideView
    assert (left.GetLabelVolumeID(), right.GetLabelVolumeID()) == (None, a_result.labels["combined"].GetID())
    assert left.GetBackgroundVolumeID() == right.GetBackgroundVolumeID() == a_result.t1_volume.GetID()
    assert left.GetLinkedControl()
    assert right.GetLinkedControl()
    planes = [
        slicer.util.arrayFromVTKMatrix(a_scene.GetSingletonNode(name, "vtkMRMLSliceNode").GetSliceToRAS())
        for name in ("Red", "Yellow")
    ]
    np.testing.assert_allclose(*planes)


def test_the_layout_and_the_plane_before_come_back(a_result: ResultNodes, a_scene: Scene, a_layout: Layout) -> None:
    yellow = a_scene.GetSingletonNode("Yellow", "vtkMRMLSliceNode")
    plane = slicer.util.arrayFromVTKMatrix(yellow.GetSliceToRAS())
    for side_by_side in (True, True, False):
        show_display(a_result, a_scene, Display(side_by_side=side_by_side))
    assert a_layout.GetViewArrangement() == Layout.SlicerLayoutFourUpView
    np.testing.assert_allclose(slicer.util.arrayFromVTKMatrix(yellow.GetSliceToRAS()), plane)
    assert composites(a_scene)["Red"].GetLabelVolumeID() == a_result.labels["combined"].GetID()
    assert not composites(a_scene)["Red"].GetLinkedControl()
    a_layout.SetViewArrangement(Layout.SlicerLayoutOneUpRedSliceView)
    show_display(a_result, a_scene, Display())
    assert a_layout.GetViewArrangement() == Layout.SlicerLayoutOneUpRedSliceView


def test_crop_boxes_can_be_hidden(a_result: ResultNodes, a_scene: Scene) -> None:
    for shown in (False, True):
        show_display(a_result, a_scene, Display(crop_boxes=shown))
        assert {bool(box.GetDisplayNode().GetVisibility()) for box in a_result.crop_boxes.values()} == {shown}


def test_the_first_result_shows_the_sections_as_acquired_in_the_red_view_and_across_in_the_others(
    a_result: ResultNodes, a_scene: Scene, an_oblique_t1_map: T1Map
) -> None:
    planes = {
        name: slicer.util.arrayFromVTKMatrix(a_scene.GetSingletonNode(name, "vtkMRMLSliceNode").GetSliceToRAS())
        for name in ("Red", "Yellow", "Green")
    }
    to_ras = (-1, -1, 1)
    np.testing.assert_allclose(planes["Red"][:3, 0], an_oblique_t1_map.row_axis * to_ras, atol=1e-6)
    np.testing.assert_allclose(planes["Red"][:3, 1], -an_oblique_t1_map.column_axis * to_ras, atol=1e-6)
    normals = np.array([plane[:3, 2] for plane in planes.values()])
    np.testing.assert_allclose(np.abs(normals @ normals.T), np.eye(3), atol=1e-6)
    wide, high, _ = a_scene.GetSingletonNode("Red", "vtkMRMLSliceNode").GetFieldOfView()
    assert wide >= 170 * 1.4 - 1e-6
    assert high >= 150 * 1.6 - 1e-6


def test_the_views_jump_to_a_section(a_result: ResultNodes, a_scene: Scene, an_oblique_t1_map: T1Map) -> None:
    red = a_scene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    for section in (1, 0):
        center = an_oblique_t1_map.section_center(section)
        jump_to(center, a_scene)
        to_ras = slicer.util.arrayFromVTKMatrix(red.GetSliceToRAS())
        np.testing.assert_allclose(to_ras[:3, 3], center * (-1, -1, 1), atol=1e-6)


def brightness(volume: Volume) -> np.ndarray:
    colors = volume.GetDisplayNode().GetColorNode()
    rgba = np.zeros((colors.GetNumberOfColors(), 4))
    for index, color in enumerate(rgba):
        entry = [0.0] * 4
        colors.GetColor(index, entry)
        color[:] = entry
    return rgba[:, :3] @ (0.2126, 0.7152, 0.0722)


def test_the_perceptual_colours_grow_brighter_with_t1_and_have_a_legend_in_ms(
    a_volume_node: Volume, a_scene: Scene
) -> None:
    a_scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())  # as the application does
    for _ in range(2):
        show_t1_colors(a_volume_node, a_scene, "perceptual")
    assert (np.diff(brightness(a_volume_node)) >= 0).all()
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(a_volume_node)
    assert (legend.GetTitleText(), legend.GetVisibility()) == ("T1 (ms)", 1)
    assert a_scene.GetNumberOfNodesByClass("vtkMRMLColorTableNode") == 1
    show_t1_colors(a_volume_node, a_scene, "gray")
    assert a_volume_node.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeGrey"
    assert not legend.GetVisibility()

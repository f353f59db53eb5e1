"""How a result is shown: overlays, T1 window, colours and colour bar, in real MRML nodes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import slicer
import slicer.util
from slicer import vtkMRMLLayoutNode as Layout
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene

from ACNetLib.inference.attention import ATTENTION_MAPS
from ACNetLib.inference.evidence import EVIDENCE
from ACNetLib.scene.display import (
    OVERLAYS,
    STYLES,
    T1_COLORS,
    T1_STEPS,
    Display,
    show_display,
    show_t1_colors,
    show_t1_window,
    show_volume,
)
from ACNetLib.scene.exam import show_exam
from ACNetLib.scene.input import t1_map_from_volume_node
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.views import arrange_views, nodes_of_class


@pytest.fixture
def a_result(a_study: Callable, a_volume_node: Volume, a_scene: Scene) -> ResultNodes:
    return show_exam(a_study(t1_map_from_volume_node(a_volume_node)), [a_volume_node], a_scene)[0]


@pytest.fixture
def a_layout(a_scene: Scene) -> Layout:
    layout = a_scene.AddNewNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(Layout.SlicerLayoutFourUpView)
    return layout


def composites(scene: Scene) -> dict[str, slicer.vtkMRMLSliceCompositeNode]:
    return {node.GetLayoutName(): node for node in nodes_of_class(scene, "vtkMRMLSliceCompositeNode")}


@pytest.mark.parametrize("overlay", [overlay for overlay in OVERLAYS if overlay != EVIDENCE])
def test_an_overlay_in_bands_is_the_label_layer_of_every_view(
    a_result: ResultNodes, a_scene: Scene, overlay: str
) -> None:
    assert set(a_result.labels) == set(OVERLAYS) - {EVIDENCE}
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


@pytest.mark.parametrize("style", STYLES)
def test_evidence_is_the_foreground_in_any_style_on_a_scale_with_nothing_in_its_middle(
    a_result: ResultNodes, a_scene: Scene, a_study: Callable, style: str
) -> None:
    show_display(a_result, a_scene, Display(EVIDENCE, style))
    node = a_result.maps[EVIDENCE]
    for composite in composites(a_scene).values():
        assert (composite.GetForegroundVolumeID(), composite.GetLabelVolumeID()) == (node.GetID(), None)
    display, values = node.GetDisplayNode(), slicer.util.arrayFromVolume(node)
    assert display.GetWindowLevelMin() == -display.GetWindowLevelMax()
    colors = [color_of(display.GetColorNode(), index) for index in (0, 127, 255)]
    assert colors[0][2] > colors[0][0], "blue speaks for normal"
    assert max(colors[1]) - min(colors[1]) < 0.05
    assert colors[2][0] > colors[2][2], "red speaks for DCM"
    seen = (values >= display.GetLowerThreshold()) & (values <= display.GetUpperThreshold())
    np.testing.assert_array_equal(seen, slicer.util.arrayFromVolume(a_result.labels["combined"]) > 0)
    expected = a_study(t1_map_from_volume_node(a_result.t1_volume)).images[0].evidence
    np.testing.assert_array_equal(values[seen], expected[seen])


def color_of(table: slicer.vtkMRMLColorTableNode, index: int) -> list[float]:
    color = [0.0] * 4
    table.GetColor(index, color)
    return color[:3]


def test_the_ventricle_has_no_heat_map_and_stays_a_label(a_result: ResultNodes, a_scene: Scene) -> None:
    show_display(a_result, a_scene, Display("ventricle", style="heat"))
    for composite in composites(a_scene).values():
        assert composite.GetLabelVolumeID() == a_result.labels["ventricle"].GetID()


def test_the_users_own_foreground_stays_under_bands(a_result: ResultNodes, a_scene: Scene) -> None:
    own = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "late enhancement")
    composites(a_scene)["Red"].SetForegroundVolumeID(own.GetID())
    show_display(a_result, a_scene, Display())
    assert composites(a_scene)["Red"].GetForegroundVolumeID() == own.GetID()


def test_the_plain_view_of_two_shows_nothing_over_the_map(
    a_result: ResultNodes, a_scene: Scene, a_layout: Layout
) -> None:
    arrange_views(a_scene, side_by_side=True)
    for style in STYLES:
        show_display(a_result, a_scene, Display(style=style))
        plain, with_overlay = (composites(a_scene)[name] for name in ("Red", "Yellow"))
        assert (plain.GetLabelVolumeID(), plain.GetForegroundVolumeID()) == (None, None)
        assert with_overlay.GetLabelVolumeID() or with_overlay.GetForegroundVolumeID()
        assert plain.GetBackgroundVolumeID() == with_overlay.GetBackgroundVolumeID() == a_result.t1_volume.GetID()


def test_another_volume_is_shown_with_nothing_over_it(a_result: ResultNodes, a_scene: Scene) -> None:
    other = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "another map")
    show_volume(other, a_scene)
    for composite in composites(a_scene).values():
        assert composite.GetBackgroundVolumeID() == other.GetID()
        assert (composite.GetLabelVolumeID(), composite.GetForegroundVolumeID()) == (None, None)


@pytest.mark.parametrize(
    ("field", "window"),
    [(1.5, (700, 1300)), (1.494, (700, 1300)), (3.0, (800, 1600)), (2.8936, (800, 1600)), (None, (0, 2000))],
)
def test_the_window_is_that_of_the_field_strength(
    a_volume_node: Volume, field: float | None, window: tuple[float, float]
) -> None:
    show_t1_window(a_volume_node, field)
    display = a_volume_node.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == window
    assert not display.GetAutoWindowLevel()


def brightness(volume: Volume) -> np.ndarray:
    colors = volume.GetDisplayNode().GetColorNode()
    rgba = np.zeros((colors.GetNumberOfColors(), 4))
    for index, color in enumerate(rgba):
        entry = [0.0] * 4
        colors.GetColor(index, entry)
        color[:] = entry
    return rgba[:, :3] @ (0.2126, 0.7152, 0.0722)


@pytest.mark.parametrize("colors", T1_STEPS)
def test_the_colours_of_t1_grow_brighter_with_it(a_volume_node: Volume, a_scene: Scene, colors: str) -> None:
    for _ in range(2):
        show_t1_colors(a_volume_node, a_scene, colors)
    assert (np.diff(brightness(a_volume_node)[::4]) > 0).all()  # neighbours are rounded to 8 bits
    assert a_scene.GetNodesByName(f"T1 {colors}").GetNumberOfItems() == 1
    show_t1_colors(a_volume_node, a_scene, "gray")
    assert a_volume_node.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeGrey"


@pytest.mark.parametrize("colors", T1_COLORS)
def test_a_colour_bar_in_ms_stands_in_the_first_view_alone(a_volume_node: Volume, a_scene: Scene, colors: str) -> None:
    show_t1_colors(a_volume_node, a_scene, colors)
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(a_volume_node)
    assert (legend.GetTitleText(), legend.GetLabelFormat(), legend.GetVisibility()) == ("T1 (ms)", "%.0f", 1)
    assert legend.GetNumberOfViewNodeIDs() == 1
    assert legend.GetNthViewNodeID(0) == a_scene.GetSingletonNode("Red", "vtkMRMLSliceNode").GetID()

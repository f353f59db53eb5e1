"""How a result is shown in the slice views: overlay, crop boxes, T1 colours, layout. Needs no Qt, like scene.py."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import slicer
import slicer.util
from slicer import (
    vtkMRMLColorTableNode,
    vtkMRMLLayoutNode,
    vtkMRMLNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLScene,
    vtkMRMLSliceCompositeNode,
    vtkMRMLSliceNode,
)
from vtk import vtkMatrix4x4

from ACNetLib.attention import ATTENTION_MAPS, Thresholds
from ACNetLib.scene_input import flipped, ijk_to_world
from ACNetLib.t1map import DISPLAY_WINDOW_MS

if TYPE_CHECKING:
    from ACNetLib.scene import ResultNodes

VENTRICLE = "ventricle"
OVERLAYS = (*ATTENTION_MAPS, VENTRICLE)
"""What can lie over the T1 map: where the network looked, or the left ventricle as it was found."""
STYLES = ("bands", "heat")
T1_COLORS = ("gray", "perceptual")

SIDE_BY_SIDE_VIEWS = PLAIN_VIEW, OVERLAY_VIEW = "Red", "Yellow"
"""Of Slicer's layout of that name, from left to right."""

# The colour tables inferno and viridis, in nine steps: as bright as the value, also for those who see few colours.
INFERNO = (
    (0.001, 0.000, 0.014),
    (0.129, 0.047, 0.291),
    (0.342, 0.062, 0.429),
    (0.541, 0.135, 0.415),
    (0.736, 0.216, 0.330),
    (0.894, 0.353, 0.194),
    (0.978, 0.558, 0.035),
    (0.975, 0.798, 0.206),
    (0.988, 0.998, 0.645),
)
VIRIDIS = (
    (0.267, 0.005, 0.329),
    (0.279, 0.175, 0.483),
    (0.230, 0.322, 0.546),
    (0.173, 0.449, 0.558),
    (0.128, 0.567, 0.551),
    (0.158, 0.684, 0.502),
    (0.369, 0.789, 0.383),
    (0.678, 0.864, 0.190),
    (0.993, 0.906, 0.144),
)
COLOR_COUNT = 256
SMALLEST_ATTENTION = 1e-6
"""Attention is above it within the section grids, and 0 outside."""

GRAY_TABLE = "vtkMRMLColorTableNodeGrey"
T1_TABLE_TAG = "ACNetT1Colors"
LAYOUT_BEFORE = "ACNet.layoutBefore"


@dataclass(frozen=True)
class Display:
    """What the user wants to see: one of OVERLAYS in one of STYLES, how opaque (0 to 1), beside the plain map or over
    it in all views, and whether the crop boxes are shown."""

    overlay: str = "combined"
    style: str = "bands"
    opacity: float = 0.5
    side_by_side: bool = False
    crop_boxes: bool = True


def nodes_of_class(scene: vtkMRMLScene, class_name: str) -> Iterator[vtkMRMLNode]:
    """slicer.util.getNodesByClass looks into the application's scene whatever scene it is given."""
    for index in range(scene.GetNumberOfNodesByClass(class_name)):
        yield scene.GetNthNodeByClass(index, class_name)


def show_display(nodes: ResultNodes, scene: vtkMRMLScene, display: Display) -> None:
    """Show the T1 map with its overlay in all slice views, or plain in the left and with it in the right of two."""
    _arrange_views(scene, display.side_by_side)
    for composite in nodes_of_class(scene, "vtkMRMLSliceCompositeNode"):
        composite.SetBackgroundVolumeID(nodes.t1_volume.GetID())
        plain = display.side_by_side and composite.GetLayoutName() == PLAIN_VIEW
        _lay_over(composite, nodes, None if plain else display)
    for box in nodes.crop_boxes.values():
        box.GetDisplayNode().SetVisibility(display.crop_boxes)


def show_in_plane(volume: vtkMRMLScalarVolumeNode, center_mm: Sequence[float], scene: vtkMRMLScene) -> None:
    """Window the T1 volume and show it through a point (LPS mm): its sections as acquired, and planes across them.

    Slicer would turn each view into the nearest plane of the volume: of a short axis, no view might show the sections.
    """
    display = volume.GetDisplayNode()
    if display is not None:
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(*DISPLAY_WINDOW_MS)
    steps = ijk_to_world(volume)[:3, :3]
    spacing_mm = np.linalg.norm(steps, axis=0)
    column, row, section = (steps / spacing_mm).T
    width, height, depth = spacing_mm * volume.GetImageData().GetDimensions()
    for name, rightward, upward, extent_mm in (
        ("Red", column, -row, (width, height)),
        ("Yellow", row, section, (height, depth)),
        ("Green", column, section, (width, depth)),
    ):
        view = scene.GetSingletonNode(name, "vtkMRMLSliceNode")
        if view is not None:
            _look_at(view, rightward, upward, extent_mm)
    jump_to(center_mm, scene)


def jump_to(center_mm: Sequence[float] | np.ndarray, scene: vtkMRMLScene) -> None:
    """Move all slice views to a point (LPS mm)."""
    for view in nodes_of_class(scene, "vtkMRMLSliceNode"):
        view.JumpSliceByCentering(*flipped(np.array(center_mm)))


def show_t1_colors(volume: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene, colors: str) -> None:
    """Show the T1 map in one of T1_COLORS; the perceptual table comes with a legend in ms."""
    display = volume.GetDisplayNode()
    if display is None:
        return
    perceptual = colors == "perceptual"
    display.SetAndObserveColorNodeID(_t1_table(scene).GetID() if perceptual else GRAY_TABLE)
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(volume)
    if legend is None and perceptual:
        legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(volume)
    if legend is not None:
        legend.SetTitleText("T1 (ms)")
        legend.SetVisibility(perceptual)


def make_color_table(
    node: vtkMRMLColorTableNode, name: str, steps: Sequence[tuple[float, float, float]]
) -> vtkMRMLColorTableNode:
    """Fill the node with a continuous colour table through equally spaced steps."""
    places, position = np.linspace(0, 1, len(steps)), np.linspace(0, 1, COLOR_COUNT)
    channels = [np.interp(position, places, channel) for channel in zip(*steps, strict=True)]
    with slicer.util.NodeModify(node):  # one event in place of one a colour
        node.SetTypeToUser()
        node.SetNumberOfColors(COLOR_COUNT)
        for index, rgb in enumerate(zip(*channels, strict=True)):
            node.SetColor(index, f"{name} {index}", *rgb, 1.0)
    return node


def scale_heat(volume: vtkMRMLScalarVolumeNode, thresholds: Thresholds, colors: vtkMRMLColorTableNode) -> None:
    """Show an attention map on the model's fixed scale: its median in the middle, the top 3 % at the upper end.

    Outside the section grids it is see-through.
    """
    middle, top = thresholds[0], thresholds[-1]
    display = volume.GetDisplayNode()
    display.SetAndObserveColorNodeID(colors.GetID())
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(2 * middle - top, top)
    display.SetAutoThreshold(False)
    display.SetThreshold(SMALLEST_ATTENTION, 1.0)
    display.SetApplyThreshold(True)


def _lay_over(composite: vtkMRMLSliceCompositeNode, nodes: ResultNodes, display: Display | None) -> None:
    """The overlay as label or foreground volume; None takes it off. The user's own foreground stays."""
    label = heat = None
    if display is not None:
        heat = nodes.maps.get(display.overlay) if display.style == "heat" else None
        label = nodes.labels.get(display.overlay) if heat is None else None
        composite.SetLabelOpacity(display.opacity)
    composite.SetLabelVolumeID(None if label is None else label.GetID())
    if heat is not None:
        composite.SetForegroundVolumeID(heat.GetID())
        composite.SetForegroundOpacity(display.opacity if display is not None else 0.0)
    elif composite.GetForegroundVolumeID() in {node.GetID() for node in nodes.maps.values()}:
        composite.SetForegroundVolumeID(None)


def _arrange_views(scene: vtkMRMLScene, side_by_side: bool) -> None:
    """Change to two linked views of the same plane, or back to what was before. Commands have no layout."""
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    if layout is None or side_by_side == (layout.GetAttribute(LAYOUT_BEFORE) is not None):
        return
    plain_view, overlay_view = (scene.GetSingletonNode(name, "vtkMRMLSliceNode") for name in SIDE_BY_SIDE_VIEWS)
    if side_by_side:
        plane = slicer.util.arrayFromVTKMatrix(overlay_view.GetSliceToRAS()).tolist()
        layout.SetAttribute(LAYOUT_BEFORE, json.dumps({"arrangement": layout.GetViewArrangement(), "plane": plane}))
        layout.SetViewArrangement(vtkMRMLLayoutNode.SlicerLayoutSideBySideView)
        _show_plane(overlay_view, plain_view.GetSliceToRAS())
        overlay_view.SetFieldOfView(*plain_view.GetFieldOfView())
    else:
        before = json.loads(layout.GetAttribute(LAYOUT_BEFORE))
        layout.RemoveAttribute(LAYOUT_BEFORE)
        layout.SetViewArrangement(before["arrangement"])
        _show_plane(overlay_view, slicer.util.vtkMatrixFromArray(np.array(before["plane"])))
    for composite in nodes_of_class(scene, "vtkMRMLSliceCompositeNode"):
        if composite.GetLayoutName() in SIDE_BY_SIDE_VIEWS:
            composite.SetLinkedControl(side_by_side)


def _look_at(view: vtkMRMLSliceNode, rightward: np.ndarray, upward: np.ndarray, extent_mm: tuple[float, float]) -> None:
    """Show the plane of these directions (RAS), so large that the extent fits."""
    slice_to_ras = np.eye(4)
    slice_to_ras[:3, :3] = np.column_stack([rightward, upward, np.cross(rightward, upward)])
    _show_plane(view, slicer.util.vtkMatrixFromArray(slice_to_ras))
    wide, high, _ = view.GetDimensions()
    mm_a_pixel = max(extent_mm[0] / max(wide, 1), extent_mm[1] / max(high, 1))
    view.SetFieldOfView(mm_a_pixel * wide, mm_a_pixel * high, view.GetFieldOfView()[2])


def _show_plane(view: vtkMRMLSliceNode, slice_to_ras: vtkMatrix4x4) -> None:
    view.GetSliceToRAS().DeepCopy(slice_to_ras)
    view.UpdateMatrices()


def _t1_table(scene: vtkMRMLScene) -> vtkMRMLColorTableNode:
    """One in a scene."""
    table = scene.GetSingletonNode(T1_TABLE_TAG, "vtkMRMLColorTableNode")
    if table is None:
        table = vtkMRMLColorTableNode()
        table.SetSingletonTag(T1_TABLE_TAG)
        table.SetName("T1")
        scene.AddNode(make_color_table(table, "T1", INFERNO))
    return scene.GetSingletonNode(T1_TABLE_TAG, "vtkMRMLColorTableNode")

"""What the slice views show: the T1 map, its window, colours and colour bar, and what lies over it. Needs no Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import slicer
import slicer.util
from slicer import vtkMRMLColorTableNode, vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSliceCompositeNode

from ACNetLib.inference.attention import ATTENTION_MAPS, Thresholds
from ACNetLib.inference.evidence import EVIDENCE, EVIDENCE_LIMIT
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.views import PLAIN_VIEW, nodes_of_class, plain_view_name, slice_view
from ACNetLib.t1map.t1_map import DISPLAY_WINDOW_MS, T1Map

VENTRICLE = "ventricle"
OVERLAYS = (*ATTENTION_MAPS, EVIDENCE, VENTRICLE)
"""What can lie over the T1 map: where the network looked, what spoke for its answer, or the left ventricle."""
STYLES = ("bands", "heat")
T1_COLORS = ("gray", "perceptual")

WINDOWS_MS = {1.5: (700.0, 1300.0), 3.0: (800.0, 1600.0)}
"""By field strength in tesla: myocardium, normal and diseased, lies within, and a T1 looks alike in all patients."""

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
# Blue over light grey to red, after Moreland 2009: as dark on both sides.
DIVERGING = (
    (0.230, 0.299, 0.754),
    (0.484, 0.616, 0.974),
    (0.754, 0.830, 0.961),
    (0.865, 0.865, 0.865),
    (0.969, 0.720, 0.612),
    (0.887, 0.413, 0.324),
    (0.706, 0.016, 0.150),
)
COLOR_COUNT = 256
OUTSIDE_EVIDENCE = -1000.0
"""In a node, where there is no section grid: no evidence comes near, and what lies below the scale is see-through."""
SMALLEST_ATTENTION = 1e-6
"""Attention is above it within the section grids, and 0 outside."""

GRAY_TABLE = "vtkMRMLColorTableNodeGrey"
T1_TABLE_TAG = "ACNetT1Colors"


@dataclass(frozen=True)
class Display:
    """What the user wants to see over the T1 map: one of OVERLAYS in one of STYLES, and how opaque (0 to 1)."""

    overlay: str = "combined"
    style: str = "bands"
    opacity: float = 0.5


def show_display(nodes: ResultNodes, scene: vtkMRMLScene, display: Display) -> None:
    """Show the T1 map with its overlay in all slice views, but for the one that shows it plain."""
    plain = plain_view_name(scene)
    for composite in nodes_of_class(scene, "vtkMRMLSliceCompositeNode"):
        composite.SetBackgroundVolumeID(nodes.t1_volume.GetID())
        _lay_over(composite, nodes, None if composite.GetLayoutName() == plain else display)


def show_volume(volume: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene) -> None:
    """Put the volume into all slice views, with nothing over it."""
    for composite in nodes_of_class(scene, "vtkMRMLSliceCompositeNode"):
        composite.SetBackgroundVolumeID(volume.GetID())
        composite.SetForegroundVolumeID(None)
        composite.SetLabelVolumeID(None)


def is_in_ms(volume: vtkMRMLScalarVolumeNode, t1_map: T1Map) -> bool:
    """Values in seconds, say, are classified as well, but neither window nor colour bar would fit them."""
    return bool(np.isclose(slicer.util.arrayFromVolume(volume).max(), t1_map.array.max(), rtol=0.01))


def show_t1_window(volume: vtkMRMLScalarVolumeNode, field_strength_tesla: float | None) -> None:
    """Window the T1 map as suits its field strength, or over all of T1 where that is unknown."""
    windows = [window for field, window in WINDOWS_MS.items() if abs(field - (field_strength_tesla or 0.0)) < 0.5]
    display = volume.GetDisplayNode()
    if display is not None:
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(*(windows[0] if windows else DISPLAY_WINDOW_MS))


def show_t1_colors(volume: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene, colors: str) -> None:
    """Show the T1 map in one of T1_COLORS, with a colour bar in ms in the first slice view."""
    display = volume.GetDisplayNode()
    if display is None:
        return
    display.SetAndObserveColorNodeID(_t1_table(scene).GetID() if colors == "perceptual" else GRAY_TABLE)
    logic = slicer.vtkSlicerColorLogic
    legend = logic.GetColorLegendDisplayNode(volume) or logic.AddDefaultColorLegendDisplayNode(volume)
    view = slice_view(PLAIN_VIEW, scene)
    if legend is not None and view is not None:
        legend.SetTitleText("T1 (ms)")
        legend.SetLabelFormat("%.0f")
        for text in (legend.GetTitleTextProperty(), legend.GetLabelTextProperty()):
            text.SetBackgroundColor(0.0, 0.0, 0.0)  # the noise of lungs and air would hide it
            text.SetBackgroundOpacity(0.7)
        legend.SetViewNodeIDs([view.GetID()])
        legend.SetVisibility(True)


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


def scale_evidence(volume: vtkMRMLScalarVolumeNode, colors: vtkMRMLColorTableNode) -> None:
    """Show evidence on its fixed scale, nothing in the middle. Outside the section grids it is see-through."""
    display = volume.GetDisplayNode()
    display.SetAndObserveColorNodeID(colors.GetID())
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(-EVIDENCE_LIMIT, EVIDENCE_LIMIT)
    display.SetAutoThreshold(False)
    display.SetThreshold(OUTSIDE_EVIDENCE / 2, -OUTSIDE_EVIDENCE)
    display.SetApplyThreshold(True)


def _lay_over(composite: vtkMRMLSliceCompositeNode, nodes: ResultNodes, display: Display | None) -> None:
    """The overlay as label or foreground volume; None takes it off. The user's own foreground stays."""
    label = heat = None
    if display is not None:
        heat = nodes.maps.get(display.overlay) if display.style == "heat" or display.overlay == EVIDENCE else None
        label = nodes.labels.get(display.overlay) if heat is None else None
        composite.SetLabelOpacity(display.opacity)
    composite.SetLabelVolumeID(None if label is None else label.GetID())
    if heat is not None:
        composite.SetForegroundVolumeID(heat.GetID())
        composite.SetForegroundOpacity(display.opacity if display is not None else 0.0)
    elif composite.GetForegroundVolumeID() in {node.GetID() for node in nodes.maps.values()}:
        composite.SetForegroundVolumeID(None)


def _t1_table(scene: vtkMRMLScene) -> vtkMRMLColorTableNode:
    """One in a scene."""
    table = scene.GetSingletonNode(T1_TABLE_TAG, "vtkMRMLColorTableNode")
    if table is None:
        table = vtkMRMLColorTableNode()
        table.SetSingletonTag(T1_TABLE_TAG)
        table.SetName("T1")
        scene.AddNode(make_color_table(table, "T1", INFERNO))
    return scene.GetSingletonNode(T1_TABLE_TAG, "vtkMRMLColorTableNode")

"""What the slice views show: the T1 map, its window, colours and colour bar, and what lies over it. Needs no Qt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import slicer
from slicer import vtkMRMLColorTableNode, vtkMRMLScalarVolumeNode, vtkMRMLScene, vtkMRMLSliceCompositeNode

from ACNetLib.colors import INFERNO, LIPARI, NAVIA
from ACNetLib.inference.attention import ATTENTION_MAPS, Thresholds
from ACNetLib.inference.evidence import EVIDENCE, EVIDENCE_LIMIT
from ACNetLib.scene.arrays import array_of_volume
from ACNetLib.scene.color_nodes import make_color_table
from ACNetLib.scene.input import OUTPUT
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.views import PLAIN_VIEW, nodes_of_class, plain_view_name, slice_view
from ACNetLib.t1map.t1_map import DISPLAY_WINDOW_MS, T1Map

VENTRICLE = "ventricle"
OVERLAYS = (*ATTENTION_MAPS, EVIDENCE, VENTRICLE)
"""What can lie over the T1 map: where the network looked, what spoke for its answer, or the left ventricle."""
STYLES = ("bands", "heat")
T1_STEPS = {"lipari": LIPARI, "navia": NAVIA, "perceptual": INFERNO}
T1_COLORS = ("gray", *T1_STEPS)

WINDOWS_MS = {1.5: (700.0, 1300.0), 3.0: (800.0, 1600.0)}
"""By field strength in tesla: myocardium, normal and diseased, lies within, and a T1 looks alike in all patients."""

OUTSIDE_EVIDENCE = -1000.0
"""In a node, where there is no section grid: no evidence comes near, and what lies below the scale is see-through."""
SMALLEST_ATTENTION = 1e-6
"""Attention is above it within the section grids, and 0 outside."""

GRAY_TABLE = "vtkMRMLColorTableNodeGrey"
T1_TABLE_TAG = "ACNetT1Colors."


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


def shows_only(volume: vtkMRMLScalarVolumeNode, nodes: ResultNodes | None, scene: vtkMRMLScene) -> bool:
    """Whether all slice views show the volume, and over it no result but this one."""
    own = set() if nodes is None else {node.GetID() for node in (*nodes.labels.values(), *nodes.maps.values())}
    for composite in nodes_of_class(scene, "vtkMRMLSliceCompositeNode"):
        over = {composite.GetLabelVolumeID(), composite.GetForegroundVolumeID()} - {None, ""} - own
        is_foreign = any(node.GetAttribute(OUTPUT) for node in map(scene.GetNodeByID, over) if node is not None)
        if composite.GetBackgroundVolumeID() != volume.GetID() or is_foreign:
            return False
    return True


def is_in_ms(volume: vtkMRMLScalarVolumeNode, t1_map: T1Map) -> bool:
    """Values in seconds, say, are classified as well, but neither window nor colour bar would fit them."""
    return bool(np.isclose(array_of_volume(volume).max(), t1_map.array.max(), rtol=0.01))


def show_t1_window(volume: vtkMRMLScalarVolumeNode, field_strength_tesla: float | None) -> None:
    """Window the T1 map as suits its field strength, or over all of T1 where that is unknown."""
    windows = [window for field, window in WINDOWS_MS.items() if abs(field - (field_strength_tesla or 0.0)) < 0.5]
    display = volume.GetVolumeDisplayNode()
    if display is not None:
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(*(windows[0] if windows else DISPLAY_WINDOW_MS))


def show_t1_colors(volume: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene, colors: str) -> None:
    """Show the T1 map in one of T1_COLORS, with a colour bar in ms in the first slice view."""
    display = volume.GetVolumeDisplayNode()  # the volume's first display node may be its colour bar
    if display is None:
        return
    display.SetAndObserveColorNodeID(_t1_table(scene, colors).GetID() if colors in T1_STEPS else GRAY_TABLE)
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


def _t1_table(scene: vtkMRMLScene, colors: str) -> vtkMRMLColorTableNode:
    """One of each in a scene."""
    tag = f"{T1_TABLE_TAG}{colors}"
    if scene.GetSingletonNode(tag, "vtkMRMLColorTableNode") is None:
        table = vtkMRMLColorTableNode()
        table.SetSingletonTag(tag)
        table.SetName(f"T1 {colors}")
        scene.AddNode(make_color_table(table, "T1", T1_STEPS[colors]))
    return scene.GetSingletonNode(tag, "vtkMRMLColorTableNode")

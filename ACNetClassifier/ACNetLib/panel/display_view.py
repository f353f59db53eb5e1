"""The part of the panel that decides what the slice views show: the T1 map, a result over it, and the crop boxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import qt
import slicer
from slicer import vtkMRMLMarkupsROINode, vtkMRMLScalarVolumeNode

from ACNetLib.inference.evidence import EVIDENCE
from ACNetLib.panel.combo_boxes import ComboBoxes
from ACNetLib.panel.parameters import ACNetParameters, display_of
from ACNetLib.panel.texts import overlay_text, style_text, t1_colors_text
from ACNetLib.scene.crop_boxes import show_crop_boxes
from ACNetLib.scene.display import (
    OVERLAYS,
    STYLES,
    T1_COLORS,
    VENTRICLE,
    Display,
    is_in_ms,
    show_display,
    show_t1_colors,
    show_t1_window,
    show_volume,
    shows_only,
)
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.views import arrange_views, fit_views, give_back_views, show_as_acquired
from ACNetLib.t1map.t1_map import T1Map

SETTLING_MS = 50
"""A view that a new layout has made larger or smaller knows its size after that."""


class Shown(NamedTuple):
    """What the views show: the chosen volume by its ID, empty for none, and how."""

    volume_id: str
    has_result: bool
    field_strength_tesla: float | None
    display: Display
    side_by_side: bool
    t1_colors: str


class DisplayView:
    """Makes the slice views show what the parameters say, when these change: what the user does in the views stays.

    While the user is in the module the layout is ours; afterwards it is as before.
    """

    def __init__(self, ui: Any, on_move_crop: Callable[[], None]) -> None:
        self.ui = ui
        self._parameters: ACNetParameters | None = None
        self._shown: Shown | None = None
        self._is_followed = False  # since the views have been looked at
        self._volume: vtkMRMLScalarVolumeNode | None = None
        self._nodes: ResultNodes | None = None
        self._boxes: list[vtkMRMLMarkupsROINode] = []  # that are shown or hidden by us
        self._combo_boxes = ComboBoxes()
        self._combo_boxes.add("overlay", self.ui.overlayComboBox, OVERLAYS, overlay_text)
        self._combo_boxes.add("style", self.ui.styleComboBox, STYLES, style_text)
        self._combo_boxes.add("t1_colors", self.ui.t1ColorsComboBox, T1_COLORS, t1_colors_text)
        self.ui.moveCropButton.connect("toggled(bool)", lambda _checked: on_move_crop())
        self._settled = qt.QTimer()
        self._settled.setSingleShot(True)
        self._settled.setInterval(SETTLING_MS)
        self._settled.timeout.connect(self._fit)

    def follow(self, parameters: ACNetParameters | None) -> None:
        """Show these parameters from now on. Views that show what they say already stay as they are; those that show
        another volume, or another's result, do not. None: give the layout back.
        """
        if parameters is None:
            self.close()
        self._parameters = parameters
        self._combo_boxes.follow(parameters)
        self._shown, self._is_followed = None, False

    def close(self) -> None:
        """Give the layout back; crop boxes can no longer be moved."""
        self._settled.stop()
        if self._parameters is not None and not slicer.mrmlScene.IsClosing():
            self._show_boxes(self._nodes, self._parameters.crop_boxes, movable=False)
        self._boxes = []
        self.ui.moveCropButton.blockSignals(True)
        self.ui.moveCropButton.checked = False
        self.ui.moveCropButton.blockSignals(False)
        was_side_by_side = give_back_views(slicer.mrmlScene)
        if was_side_by_side and self._nodes is not None and self._shown is not None:
            show_display(self._nodes, slicer.mrmlScene, self._shown.display)

    def show(
        self, volume: vtkMRMLScalarVolumeNode | None, nodes: ResultNodes | None, t1_map: T1Map | None, can_move: bool
    ) -> None:
        """Make the widgets, and after a change the views, say what the parameters are.

        `volume`: the chosen one, or the one of its exam that the user looks at. `t1_map`: what was read of it, None
        where it was refused. `can_move`: whether a crop box may be moved now.
        """
        parameters, self._volume, self._nodes = self._parameters, volume, nodes
        if parameters is None:
            return
        self._combo_boxes.show()
        self.ui.styleComboBox.enabled = parameters.overlay not in (EVIDENCE, VENTRICLE)
        self.ui.moveCropButton.enabled = can_move
        now = _shown(volume, nodes, parameters, t1_map)
        before, self._shown = self._shown or now, now
        if volume is not None and volume.GetImageData() is not None:
            if not self._is_followed and not shows_only(volume, nodes, slicer.mrmlScene):
                before = before._replace(volume_id="")
            self._is_followed = True
            self._show_volume(volume, t1_map, before, now)
        if nodes is None:
            self.ui.moveCropButton.checked = False
        self._show_boxes(nodes, parameters.crop_boxes, can_move and self.ui.moveCropButton.checked)

    def _show_boxes(self, nodes: ResultNodes | None, visible: bool, movable: bool) -> None:
        """Of the result that is shown and of no other."""
        boxes = [] if nodes is None else list(nodes.crop_boxes.values())
        before = [box for box in self._boxes if box not in boxes and slicer.mrmlScene.IsNodePresent(box)]
        show_crop_boxes(before, visible=False, movable=False)
        show_crop_boxes(boxes, visible, movable)
        self._boxes = boxes

    def _show_volume(self, volume: vtkMRMLScalarVolumeNode, t1_map: T1Map | None, before: Shown, now: Shown) -> None:
        scene, is_new = slicer.mrmlScene, now.volume_id != before.volume_id
        if is_new or (before.has_result and not now.has_result):
            show_volume(volume, scene)
        if t1_map is not None and is_in_ms(volume, t1_map):
            if is_new or now.field_strength_tesla != before.field_strength_tesla:
                show_t1_window(volume, now.field_strength_tesla)
            if is_new or now.t1_colors != before.t1_colors:
                show_t1_colors(volume, scene, now.t1_colors)
        arranged = arrange_views(scene, now.side_by_side)
        if is_new:
            show_as_acquired(volume, scene)
        if is_new or arranged:
            self._settled.start()
        if self._nodes is not None and (now != before or (arranged and now.side_by_side)):
            show_display(self._nodes, scene, now.display)

    def _fit(self) -> None:
        volume = None if self._parameters is None else self._volume
        if volume is not None and volume.GetImageData() is not None:
            fit_views(volume, slicer.mrmlScene)


def _shown(
    volume: vtkMRMLScalarVolumeNode | None,
    nodes: ResultNodes | None,
    parameters: ACNetParameters,
    t1_map: T1Map | None,
) -> Shown:
    field = None if t1_map is None else t1_map.field_strength_tesla
    volume_id = "" if volume is None else volume.GetID()
    display = display_of(parameters)
    return Shown(volume_id, nodes is not None, field, display, parameters.side_by_side, parameters.t1_colors)

"""The lower part of the panel: what the slice views show of a result."""

from __future__ import annotations

from typing import Any

import slicer

from ACNetLib.panel.combo_boxes import ComboBoxes
from ACNetLib.panel.parameters import ACNetParameters, display_of
from ACNetLib.panel.texts import overlay_text, style_text, t1_colors_text
from ACNetLib.scene import ResultNodes
from ACNetLib.scene_display import OVERLAYS, STYLES, T1_COLORS, VENTRICLE, show_display, show_t1_colors


class DisplayView:
    """Makes the slice views show what the parameters say, when these change: what the user does in the views stays."""

    def __init__(self, ui: Any) -> None:
        self.ui = ui
        self._parameters: ACNetParameters | None = None
        self._shown_display: tuple[object, ...] = ()
        self._shown_colors: tuple[object, ...] = ()
        self._combo_boxes = ComboBoxes()
        self._combo_boxes.add("overlay", self.ui.overlayComboBox, OVERLAYS, overlay_text)
        self._combo_boxes.add("style", self.ui.styleComboBox, STYLES, style_text)
        self._combo_boxes.add("t1_colors", self.ui.t1ColorsComboBox, T1_COLORS, t1_colors_text)

    def follow(self, parameters: ACNetParameters | None) -> None:
        """Show these parameters from now on. The views show what they say already."""
        self._parameters = parameters
        self._combo_boxes.follow(parameters)
        self._shown_display, self._shown_colors = _display_state(parameters), _colors_state(parameters)

    def show(self, nodes: ResultNodes | None) -> None:
        """Make the widgets, and after a change the views, say what the parameters are."""
        parameters = self._parameters
        if parameters is None:
            return
        self._combo_boxes.show()
        self.ui.styleComboBox.enabled = parameters.overlay != VENTRICLE
        display, colors = _display_state(parameters), _colors_state(parameters)
        if nodes is not None and display != self._shown_display:
            show_display(nodes, slicer.mrmlScene, display_of(parameters))
        if parameters.t1_volume is not None and colors != self._shown_colors:
            show_t1_colors(parameters.t1_volume, slicer.mrmlScene, parameters.t1_colors)
        self._shown_display, self._shown_colors = display, colors


def _display_state(parameters: ACNetParameters | None) -> tuple[object, ...]:
    """The chosen volume and how its result is to be shown."""
    if parameters is None or parameters.t1_volume is None:
        return ()
    return parameters.t1_volume.GetID(), display_of(parameters)


def _colors_state(parameters: ACNetParameters | None) -> tuple[object, ...]:
    """Another volume keeps its own colours until the user chooses."""
    return () if parameters is None else (parameters.t1_colors,)

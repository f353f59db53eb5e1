"""The crop boxes of a result: what the network sees of each slice, as thin outlines that can be moved.

Needs no Qt, like all of this package.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import slicer.util
from slicer import vtkMRMLMarkupsDisplayNode, vtkMRMLMarkupsROINode, vtkMRMLScene

from ACNetLib.inference.record import SectionRecord
from ACNetLib.scene.arrays import matrix_of_array
from ACNetLib.scene.input import LPS_RAS, flipped
from ACNetLib.scene.views import OVERLAY_VIEW, PLAIN_VIEW, slice_view
from ACNetLib.t1map.t1_map import T1Map

COLOR = (1.0, 0.85, 0.1)
LINE_MM, POINT_MM, NO_POINT_MM = 0.7, 5.0, 0.01
"""Width of the line; the point in the middle of a box, by which it is moved, and where it is to be out of sight."""


def draw_as_outline(box: vtkMRMLMarkupsROINode, scene: vtkMRMLScene) -> None:
    """Nothing but a thin line, hidden at first, and only in the views that show the slices as acquired.

    In the application a new box has a display node already, filled and with its name; elsewhere it has none.
    """
    if box.GetDisplayNode() is None:
        box.CreateDefaultDisplayNodes()
    display = box.GetDisplayNode()
    with slicer.util.NodeModify(display):
        display.SetVisibility(False)
        display.SetVisibility3D(False)
        display.SetFillVisibility(False)
        display.SetPropertiesLabelVisibility(False)
        display.SetPointLabelsVisibility(False)
        display.SetOutlineOpacity(1.0)
        display.SetCurveLineSizeMode(vtkMRMLMarkupsDisplayNode.UseLineDiameter)
        display.SetLineDiameter(LINE_MM)
        display.SetUseGlyphScale(False)
        display.SetGlyphSize(NO_POINT_MM)
        display.SetColor(*COLOR)
        display.SetSelectedColor(*COLOR)
        display.SetActiveColor(*COLOR)
        display.SetRotationHandleVisibility(False)
        display.SetScaleHandleVisibility(False)
        display.SetTranslationHandleVisibility(True)
        display.SetHandlesInteractive(False)
        views = [view for name in (PLAIN_VIEW, OVERLAY_VIEW) if (view := slice_view(name, scene)) is not None]
        display.SetViewNodeIDs([view.GetID() for view in views])


def place_crop_box(box: vtkMRMLMarkupsROINode, section: SectionRecord, t1_map: T1Map) -> None:
    """Around what is cut out, and as thick as a slice, so that only its own slice shows it."""
    grid = section.grid(t1_map)
    box_to_lps = np.eye(4)
    box_to_lps[:3, :3] = np.column_stack([grid.row_axis, grid.column_axis, np.cross(grid.row_axis, grid.column_axis)])
    box_to_lps[:3, 3] = grid.center_mm
    side = grid.size * grid.spacing_mm
    with slicer.util.NodeModify(box):
        box.SetControlPointLabelFormat("")  # nobody sees a label, and Slicer may crash while it makes one
        box.SetAndObserveTransformNodeID(None)  # what follows is where it stands in the scene
        box.SetSize(side, side, t1_map.image.GetSpacing()[2])
        box.SetAndObserveObjectToNodeMatrix(matrix_of_array(LPS_RAS @ box_to_lps))


def crop_box_center(box: vtkMRMLMarkupsROINode) -> np.ndarray:
    """Where the crop box is now, as LPS mm, (3,)."""
    return flipped(np.array(box.GetCenterWorld()))


def show_crop_boxes(boxes: Iterable[vtkMRMLMarkupsROINode], visible: bool, movable: bool) -> None:
    """Show the outlines or hide them; those that can be moved are always shown, with a point to take them by."""
    for box in boxes:
        box.SetLocked(not movable)
        display = box.GetDisplayNode()
        if display is not None:
            display.SetVisibility(visible or movable)
            display.SetHandlesInteractive(movable)
            display.SetGlyphSize(POINT_MM if movable else NO_POINT_MM)

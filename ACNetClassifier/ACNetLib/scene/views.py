"""Where the slice views look: a T1 map's slices as they were acquired, in one view or in two, and back again.

Needs no Qt, like all of this package. Commands have no layout: theirs is that of the Slicer which opens their scene.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from slicer import vtkMRMLLayoutNode, vtkMRMLNode, vtkMRMLScalarVolumeNode, vtkMRMLScene

from ACNetLib.scene.arrays import array_of_matrix, matrix_of_array
from ACNetLib.scene.input import flipped, ijk_to_world

PLAIN_VIEW, OVERLAY_VIEW = "Red", "Yellow"
"""Of Slicer's layout of two views side by side. Alone the first one shows the map with its overlay."""
LAYOUT_BEFORE = "ACNet.layoutBefore"
IN_PLANE_COSINE = 0.999
"""A view whose normal is that close to a volume's shows its slices as acquired: within 2.5 degrees."""


def nodes_of_class(scene: vtkMRMLScene, class_name: str) -> Iterator[vtkMRMLNode]:
    """slicer.util.getNodesByClass looks into the application's scene whatever scene it is given."""
    for index in range(scene.GetNumberOfNodesByClass(class_name)):
        yield scene.GetNthNodeByClass(index, class_name)


def slice_view(name: str, scene: vtkMRMLScene) -> Any:
    """The slice view of this name, None in a scene without."""
    return scene.GetSingletonNode(name, "vtkMRMLSliceNode")


def show_as_acquired(volume: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene) -> None:
    """Show the middle slice of the volume in its own plane, in full.

    Slicer would turn each view into the nearest plane of the volume: of a short axis, no view might show the slices.
    A volume under a transform that is not linear, or whose pixels measure nothing, has no plane: the views stay.
    """
    if not is_flat(volume):
        return
    ijk_to_ras = ijk_to_world(volume)
    column, row = (ijk_to_ras[:3, axis] / np.linalg.norm(ijk_to_ras[:3, axis]) for axis in range(2))
    columns, rows, slices = volume.GetImageData().GetDimensions()
    slice_to_ras = np.eye(4)
    slice_to_ras[:3, :3] = np.column_stack([column, -row, np.cross(column, -row)])
    slice_to_ras[:3, 3] = (ijk_to_ras @ ((columns - 1) / 2, (rows - 1) / 2, slices // 2, 1))[:3]
    for name in _views_of_the_map(scene):
        _show_plane(slice_view(name, scene), slice_to_ras)
    fit_views(volume, scene)


def is_flat(volume: vtkMRMLScalarVolumeNode) -> bool:
    """Whether its slices are planes where the scene shows them."""
    transform = volume.GetParentTransformNode()
    if transform is not None and not transform.IsTransformToWorldLinear():
        return False
    column, row = ijk_to_world(volume)[:3, :2].T
    return bool(np.linalg.norm(np.cross(column, row)) > 0.0)  # where one is no number it is not above 0


def fit_views(volume: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene) -> None:
    """Make the views of the map so large in mm that a whole slice of the volume fits, if it is flat."""
    if not is_flat(volume):
        return
    width, height = np.linalg.norm(ijk_to_world(volume)[:3, :2], axis=0) * volume.GetImageData().GetDimensions()[:2]
    for name in _views_of_the_map(scene):
        view = slice_view(name, scene)
        if view is not None:
            wide, high, _ = view.GetDimensions()
            mm_a_pixel = max(width / max(wide, 1), height / max(high, 1))
            view.SetFieldOfView(mm_a_pixel * wide, mm_a_pixel * high, view.GetFieldOfView()[2])


def is_shown_as_acquired(volume: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene) -> bool:
    """Whether the first view shows one of the volume's slices in its own plane already."""
    view = slice_view(PLAIN_VIEW, scene)
    if view is None:
        return True
    ijk_to_ras, slice_to_ras = ijk_to_world(volume), array_of_matrix(view.GetSliceToRAS())
    normal = np.cross(ijk_to_ras[:3, 0], ijk_to_ras[:3, 1])
    in_plane = abs(slice_to_ras[:3, 2] @ normal) > IN_PLANE_COSINE * np.linalg.norm(normal)
    index = (np.linalg.inv(ijk_to_ras) @ slice_to_ras[:, 3])[:3]
    return bool(in_plane and np.all((index > -0.5) & (index < np.array(volume.GetImageData().GetDimensions()) - 0.5)))


def jump_to(center_mm: Sequence[float] | np.ndarray, scene: vtkMRMLScene, centered: bool = False) -> None:
    """Move all slice views to the planes through a point (LPS mm), and the point into their middle where asked for."""
    for view in nodes_of_class(scene, "vtkMRMLSliceNode"):
        jump = view.JumpSliceByCentering if centered else view.JumpSliceByOffsetting
        jump(*flipped(np.array(center_mm)))


def arrange_views(scene: vtkMRMLScene, side_by_side: bool) -> bool:
    """Change the layout to one slice view, or to two linked ones of the same plane; says whether anything changed.

    A layout that the user has chosen since then stays. What was before is kept in the layout's node, so that
    `give_back_views` finds it also in a scene opened from a file.
    """
    layout = _layout(scene)
    before = _before(layout)
    if layout is None or (before is not None and before["side_by_side"] == side_by_side):
        return False
    overlay_view = slice_view(OVERLAY_VIEW, scene)
    if before is None:
        before = {
            "layout": layout.GetViewArrangement(),
            "plane": array_of_matrix(overlay_view.GetSliceToRAS()).tolist(),
            "field_of_view": overlay_view.GetFieldOfView(),
        }
    both, one = vtkMRMLLayoutNode.SlicerLayoutSideBySideView, vtkMRMLLayoutNode.SlicerLayoutOneUpRedSliceView
    before |= {"side_by_side": side_by_side, "ours": both if side_by_side else one}
    if side_by_side:
        before["linked"] = _linked(scene)
    layout.SetAttribute(LAYOUT_BEFORE, json.dumps(before))
    layout.SetViewArrangement(before["ours"])
    if side_by_side:
        plain_view = slice_view(PLAIN_VIEW, scene)
        _show_plane(overlay_view, array_of_matrix(plain_view.GetSliceToRAS()))
        overlay_view.SetFieldOfView(*plain_view.GetFieldOfView())
        _link(scene, dict.fromkeys(before["linked"], (True, True)))
    else:
        _separate(scene, before)
    return True


def give_back_views(scene: vtkMRMLScene) -> bool:
    """Bring back the layout from before `arrange_views`; says whether the map was shown in two views."""
    layout = _layout(scene)
    before = _before(layout)
    if layout is None or before is None:
        return False
    layout.RemoveAttribute(LAYOUT_BEFORE)
    if before["side_by_side"]:
        _separate(scene, before)
    if layout.GetViewArrangement() == before["ours"]:
        layout.SetViewArrangement(before["layout"])
    return before["side_by_side"]


def plain_view_name(scene: vtkMRMLScene) -> str | None:
    """The view that shows the T1 map without anything over it, where there is one."""
    before = _before(_layout(scene))
    return PLAIN_VIEW if before is not None and before["side_by_side"] else None


def _views_of_the_map(scene: vtkMRMLScene) -> tuple[str, ...]:
    return (PLAIN_VIEW,) if plain_view_name(scene) is None else (PLAIN_VIEW, OVERLAY_VIEW)


def _layout(scene: vtkMRMLScene) -> vtkMRMLLayoutNode | None:
    return scene.GetFirstNodeByClass("vtkMRMLLayoutNode")


def _before(layout: vtkMRMLLayoutNode | None) -> dict[str, Any] | None:
    text = None if layout is None else layout.GetAttribute(LAYOUT_BEFORE)
    return None if text is None else json.loads(text)


def _separate(scene: vtkMRMLScene, before: dict[str, Any]) -> None:
    """The second view shows what it showed before, and follows the first only where it did."""
    _link(scene, before.get("linked") or dict.fromkeys(_linked(scene), (False, False)))  # older scenes lack it
    view = slice_view(OVERLAY_VIEW, scene)
    _show_plane(view, np.array(before["plane"]))
    view.SetFieldOfView(*before["field_of_view"])


def _composites(scene: vtkMRMLScene) -> Iterator[Any]:
    """Of the two views."""
    for composite in nodes_of_class(scene, "vtkMRMLSliceCompositeNode"):
        if composite.GetLayoutName() in (PLAIN_VIEW, OVERLAY_VIEW):
            yield composite


def _linked(scene: vtkMRMLScene) -> dict[str, tuple[bool, bool]]:
    """Whether what the user does in one of the two views happens in the other too, and while the mouse moves."""
    return {
        composite.GetLayoutName(): (bool(composite.GetLinkedControl()), bool(composite.GetHotLinkedControl()))
        for composite in _composites(scene)
    }


def _link(scene: vtkMRMLScene, linked: dict[str, tuple[bool, bool]]) -> None:
    for composite in _composites(scene):
        if composite.GetLayoutName() in linked:
            linked_control, while_moving = linked[composite.GetLayoutName()]
            composite.SetLinkedControl(linked_control)
            composite.SetHotLinkedControl(while_moving)


def _show_plane(view: Any, slice_to_ras: np.ndarray) -> None:
    if view is not None:
        view.GetSliceToRAS().DeepCopy(matrix_of_array(slice_to_ras))
        view.UpdateMatrices()

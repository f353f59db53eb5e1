"""From the core to MRML: a study's result becomes nodes beside its T1 volume, and a scene becomes a file.

Here and in scene_input.py positions are RAS, nowhere else. It needs slicer, vtk and numpy and neither Qt nor the Slicer
application, so commands and tests use it on `slicer-core`.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import slicer.util
from slicer import (
    vtkMRMLColorTableNode,
    vtkMRMLDisplayableNode,
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLMarkupsClosedCurveNode,
    vtkMRMLMarkupsJsonStorageNode,
    vtkMRMLNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLScene,
    vtkMRMLSelectionNode,
    vtkMRMLSliceNode,
    vtkMRMLSubjectHierarchyNode,
    vtkMRMLTableNode,
)

from ACNetLib.attention import ATTENTION_MAPS, BAND_COLORS, BAND_NAMES
from ACNetLib.scene_input import LPS_RAS, OUTPUT, flipped
from ACNetLib.scene_table import add_table, has_summary
from ACNetLib.t1map import DISPLAY_WINDOW_MS, FIELD_STRENGTH_KEY, SIMULATED_KEY, T1Map
from ACNetLib.ventricle import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL

if TYPE_CHECKING:  # classifier.py imports torch
    from ACNetLib.classifier import SectionResult, StudyResult

VENTRICLE = "ventricle"
OVERLAYS = (*ATTENTION_MAPS, VENTRICLE)
"""What can lie over the T1 map: where the network looked, or the left ventricle as it was found."""
DEFAULT_OVERLAY, DEFAULT_OPACITY = "combined", 0.5

# Name and RGBA of each label value. Slicer names the segments that it makes of a label map so too: scene_input.py knows
# those of the ventricle.
Colors = dict[int, tuple[str, tuple[float, ...]]]
ATTENTION_COLORS: Colors = {
    0: ("outside the section", (0.0, 0.0, 0.0, 0.0)),
    **dict(enumerate(zip(BAND_NAMES, BAND_COLORS, strict=True), start=1)),
}
VENTRICLE_COLORS: Colors = {
    0: ("outside", (0.0, 0.0, 0.0, 0.0)),
    MYOCARDIUM_LABEL: ("free wall", (0.85, 0.37, 0.01, 1.0)),
    CAVITY_LABEL: ("cavity", (0.46, 0.44, 0.70, 1.0)),
    SEPTUM_LABEL: ("septum", (0.99, 0.72, 0.39, 1.0)),
}
CROP_BOX_COLOR = (1.0, 0.85, 0.1)

# Input and outputs refer to each other. The scene keeps references right when it renames or removes nodes.
RESULTS = "ACNet.results"
RESULT_OF = "ACNet.resultOf"


@dataclass(frozen=True)
class ResultNodes:
    """The nodes of one study's result.

    `labels` has those of OVERLAYS that there are, `maps` the values of the attention maps among them. `folder_item` is
    the subject-hierarchy item of their folder, 0 when the user took the table out of it.
    """

    t1_volume: vtkMRMLScalarVolumeNode
    labels: dict[str, vtkMRMLLabelMapVolumeNode]
    maps: dict[str, vtkMRMLScalarVolumeNode]
    table: vtkMRMLTableNode
    crop_boxes: tuple[vtkMRMLMarkupsClosedCurveNode, ...]
    folder_item: int


def new_scene() -> vtkMRMLScene:
    """An empty scene with the three slice views: what a command saves opens in Slicer with its overlay shown."""
    scene = vtkMRMLScene()
    scene.RegisterNodeClass(vtkMRMLMarkupsJsonStorageNode())  # else markups are saved without their points
    vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    # Markups ask the selection node for their unit. It goes into no file: the user's Slicer has its own.
    selection = vtkMRMLSelectionNode()
    selection.SetSaveWithScene(False)
    scene.AddNode(selection)
    for layout_name, orientation in (("Red", "Axial"), ("Yellow", "Sagittal"), ("Green", "Coronal")):
        for class_name in ("vtkMRMLSliceNode", "vtkMRMLSliceCompositeNode"):
            view = scene.CreateNodeByClass(class_name)
            view.UnRegister(None)  # CreateNodeByClass gives away a reference that Python doesn't take over
            view.SetSingletonTag(layout_name)
            view.SetLayoutName(layout_name)
            view.SetName(layout_name)
            scene.AddNode(view)
        scene.GetSingletonNode(layout_name, "vtkMRMLSliceNode").SetOrientation(orientation)
    return scene


def add_t1_map(t1_map: T1Map, scene: vtkMRMLScene) -> vtkMRMLScalarVolumeNode:
    """A volume node of the T1 map, for commands that start from files."""
    node = _add_volume("vtkMRMLScalarVolumeNode", t1_map.name, t1_map.array, t1_map, scene)
    if t1_map.field_strength_tesla is not None:
        node.SetAttribute(FIELD_STRENGTH_KEY, f"{t1_map.field_strength_tesla:g}")
    if t1_map.simulated:
        node.SetAttribute(SIMULATED_KEY, "1")
    node.CreateDefaultDisplayNodes()
    _item(node, scene)
    return node


def show_result(
    result: StudyResult,
    input_node: vtkMRMLScalarVolumeNode,
    scene: vtkMRMLScene,
    *,
    overlay: str = DEFAULT_OVERLAY,
    opacity: float = DEFAULT_OPACITY,
) -> ResultNodes:
    """Add the result's nodes in a folder beside the input, show one of OVERLAYS over it in all slice views.

    An earlier result of the same input is replaced. The T1 window and the views' planes are set with the first result
    only, so that the user's own settings stay.
    """
    earlier = _outputs(input_node)
    folder = _own_folder(earlier, scene) or _new_folder(input_node, scene)
    _remove(earlier, scene)
    if not earlier:
        _show_in_plane(result, input_node, scene)

    def own(node: vtkMRMLNode, output: str) -> vtkMRMLNode:
        node.SetNodeReferenceID(RESULT_OF, input_node.GetID())
        node.SetAttribute(OUTPUT, output)
        input_node.AddNodeReferenceID(RESULTS, node.GetID())
        return node

    name, t1_map = input_node.GetName(), result.t1_map
    colors = own(_add_colors(f"{name} attention bands", ATTENTION_COLORS, scene), "colors")
    labels, maps = {}, {}
    for key in result.bands:
        title = f"{name} attention {key.replace('_', ' ')}"
        labels[key] = own(_add_labels(title, result.bands[key], colors, t1_map, scene), f"labels.{key}")
        maps[key] = own(_add_map(f"{title} (values)", result.attention[key], t1_map, scene), f"maps.{key}")
    title = f"{name} left ventricle"
    colors = own(_add_colors(f"{title} parts", VENTRICLE_COLORS, scene), "colors")
    labels[VENTRICLE] = own(_add_labels(title, result.ventricle, colors, t1_map, scene), f"labels.{VENTRICLE}")
    table = own(add_table(f"{name} ACNet result", result, scene), "table")
    boxes = tuple(own(_add_crop_box(name, section, scene), "crop_box") for section in result.sections)

    hierarchy = _hierarchy(scene)
    for node in (table, *labels.values(), *maps.values(), *boxes):
        hierarchy.SetItemParent(_item(node, scene), folder)
    nodes = ResultNodes(input_node, labels, maps, table, boxes, folder)
    show_overlay(nodes, scene, overlay, opacity)
    return nodes


def find_result(input_node: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene) -> ResultNodes | None:
    """The nodes that show_result made for this input, also in a scene opened from a file. None without a table."""
    found: dict[str, list[vtkMRMLNode]] = {}
    outputs = _outputs(input_node)
    for node in outputs:
        found.setdefault(node.GetAttribute(OUTPUT), []).append(node)
    if "table" not in found or not has_summary(found["table"][0]):
        return None
    return ResultNodes(
        input_node,
        {key: found[f"labels.{key}"][0] for key in OVERLAYS if f"labels.{key}" in found},
        {key: found[f"maps.{key}"][0] for key in ATTENTION_MAPS if f"maps.{key}" in found},
        found["table"][0],
        tuple(found.get("crop_box", ())),
        _own_folder(outputs, scene),
    )


def show_overlay(nodes: ResultNodes, scene: vtkMRMLScene, overlay: str, opacity: float) -> None:
    """Show the T1 volume and one of OVERLAYS over it in all slice views."""
    label = nodes.labels.get(overlay)
    for composite in _nodes(scene, "vtkMRMLSliceCompositeNode"):
        composite.SetBackgroundVolumeID(nodes.t1_volume.GetID())
        composite.SetLabelVolumeID(None if label is None else label.GetID())
        composite.SetLabelOpacity(opacity)


def save_scene(scene: vtkMRMLScene, path: Path) -> None:
    """Write the scene as a Slicer bundle (.mrb). Raises OSError, and leaves what is there, when it can't be written."""
    path = Path(path).absolute()
    # A folder of its own: the scene inside a bundle is named after the file. Beside the target: the move is atomic.
    with tempfile.TemporaryDirectory(prefix=".acnet-", dir=path.parent) as folder:
        bundle = Path(folder) / path.name
        if not scene.WriteToMRB(str(bundle)):
            raise OSError(f"{path}: the scene could not be written.")
        with bundle.open("rb+") as file:
            os.fsync(file.fileno())
        bundle.replace(path)


def _show_in_plane(result: StudyResult, input_node: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene) -> None:
    """Window the T1 volume, turn the slice views into its planes and move them to the heart."""
    display = input_node.GetDisplayNode()
    if display is not None:
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(*DISPLAY_WINDOW_MS)
    for view in _nodes(scene, "vtkMRMLSliceNode"):
        view.RotateToVolumePlane(input_node)
        view.JumpSliceByCentering(*flipped(np.array(result.sections[0].grid.center_mm)))


def _add_volume(
    class_name: str, name: str, array: np.ndarray, t1_map: T1Map, scene: vtkMRMLScene
) -> vtkMRMLScalarVolumeNode:
    """A volume node of (section, row, column) values on the T1 map's grid, without display."""
    node = scene.AddNewNodeByClass(class_name, name)
    slicer.util.updateVolumeFromArray(node, array)
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = np.reshape(t1_map.image.GetDirection(), (3, 3)) * t1_map.image.GetSpacing()
    ijk_to_lps[:3, 3] = t1_map.image.GetOrigin()
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(LPS_RAS @ ijk_to_lps))
    return node


def _add_labels(
    name: str, values: np.ndarray, colors: vtkMRMLColorTableNode, t1_map: T1Map, scene: vtkMRMLScene
) -> vtkMRMLLabelMapVolumeNode:
    node = _add_volume("vtkMRMLLabelMapVolumeNode", name, values, t1_map, scene)
    display = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeDisplayNode")
    display.SetAndObserveColorNodeID(colors.GetID())
    node.SetAndObserveDisplayNodeID(display.GetID())
    return node


def _add_map(name: str, values: np.ndarray, t1_map: T1Map, scene: vtkMRMLScene) -> vtkMRMLScalarVolumeNode:
    node = _add_volume("vtkMRMLScalarVolumeNode", name, values, t1_map, scene)
    node.CreateDefaultDisplayNodes()
    node.GetDisplayNode().SetAutoWindowLevel(False)
    node.GetDisplayNode().SetWindowLevelMinMax(0.0, 1.0)
    return node


def _add_colors(name: str, colors: Colors, scene: vtkMRMLScene) -> vtkMRMLColorTableNode:
    node = scene.AddNewNodeByClass("vtkMRMLColorTableNode", name)
    node.SetTypeToUser()
    node.SetNumberOfColors(len(colors))
    for label, (label_name, rgba) in colors.items():
        node.SetColor(label, label_name, *rgba)
    return node


def _add_crop_box(name: str, section: SectionResult, scene: vtkMRMLScene) -> vtkMRMLMarkupsClosedCurveNode:
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsClosedCurveNode", f"{name} section {section.section} crop")
    node.SetCurveTypeToLinear()
    slicer.util.updateMarkupsControlPointsFromArray(node, flipped(section.grid.corners_mm()))
    node.SetLocked(True)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetPropertiesLabelVisibility(False)
    display.SetPointLabelsVisibility(False)
    display.SetGlyphScale(0.5)
    display.SetSelectedColor(*CROP_BOX_COLOR)
    return node


def _nodes(scene: vtkMRMLScene, class_name: str) -> list[vtkMRMLNode]:
    """slicer.util.getNodesByClass looks into the application's scene whatever scene it is given."""
    return [scene.GetNthNodeByClass(index, class_name) for index in range(scene.GetNumberOfNodesByClass(class_name))]


def _outputs(input_node: vtkMRMLNode) -> list[vtkMRMLNode]:
    """The nodes made for this input. A copy that a user makes of one of them, or of the input, is not among them."""
    nodes = [input_node.GetNthNodeReference(RESULTS, n) for n in range(input_node.GetNumberOfNodeReferences(RESULTS))]
    return [node for node in nodes if node is not None and node.GetNodeReferenceID(RESULT_OF) == input_node.GetID()]


def _remove(nodes: list[vtkMRMLNode], scene: vtkMRMLScene) -> None:
    """Remove nodes with their display and storage nodes, which would stay behind."""
    for node in nodes:
        companions = []
        if isinstance(node, vtkMRMLDisplayableNode):
            companions += [node.GetNthDisplayNode(index) for index in range(node.GetNumberOfDisplayNodes())]
        companions += [node.GetNthStorageNode(index) for index in range(node.GetNumberOfStorageNodes())]
        for removed in (node, *companions):
            if removed is not None and scene.IsNodePresent(removed):
                scene.RemoveNode(removed)


def _hierarchy(scene: vtkMRMLScene) -> vtkMRMLSubjectHierarchyNode:
    return vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)


def _item(node: vtkMRMLNode, scene: vtkMRMLScene) -> int:
    """The node's item. The application makes one for each node; outside it nobody does."""
    hierarchy = _hierarchy(scene)
    return hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)


def _own_folder(outputs: list[vtkMRMLNode], scene: vtkMRMLScene) -> int:
    """The folder that the result's table is in, if that is still the one made for it; else 0."""
    hierarchy = _hierarchy(scene)
    for node in outputs:
        if node.GetAttribute(OUTPUT) == "table":
            parent = hierarchy.GetItemParent(_item(node, scene))
            return parent if hierarchy.GetItemAttribute(parent, OUTPUT) == "folder" else 0
    return 0


def _new_folder(input_node: vtkMRMLNode, scene: vtkMRMLScene) -> int:
    hierarchy = _hierarchy(scene)
    beside = hierarchy.GetItemParent(_item(input_node, scene))
    folder = hierarchy.CreateFolderItem(beside, f"ACNet: {input_node.GetName()}")
    hierarchy.SetItemAttribute(folder, OUTPUT, "folder")
    return folder

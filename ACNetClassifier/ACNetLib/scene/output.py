"""From the core to MRML: a study's result becomes nodes beside its T1 volume, and a scene becomes a file.

Here and in input.py positions are RAS, nowhere else. It needs slicer, vtk and numpy and neither Qt nor the Slicer
application, so commands and tests use it on `slicer-core`.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import slicer
import slicer.util
from slicer import (
    vtkMRMLColorTableNode,
    vtkMRMLDisplayableNode,
    vtkMRMLNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLScene,
    vtkMRMLSelectionNode,
    vtkMRMLSliceNode,
    vtkMRMLSubjectHierarchyNode,
    vtkMRMLTableNode,
    vtkMRMLTransformableNode,
)

from ACNetLib.colors import BAND_COLORS, CAVITY_COLOR, DIVERGING, SEPTUM_COLOR, VIRIDIS, WALL_COLOR
from ACNetLib.errors import ACNetError
from ACNetLib.files import temporary_folder
from ACNetLib.inference.attention import BAND_NAMES, SHOWN_MAP
from ACNetLib.inference.evidence import EVIDENCE
from ACNetLib.inference.result import StudyResult
from ACNetLib.scene.arrays import fill_volume, matrix_of_array
from ACNetLib.scene.color_nodes import make_color_table
from ACNetLib.scene.crop_boxes import draw_as_outline, place_crop_box
from ACNetLib.scene.display import (
    OUTSIDE_EVIDENCE,
    OVERLAYS,
    VENTRICLE,
    Display,
    is_in_ms,
    scale_evidence,
    scale_heat,
    show_display,
    show_t1_window,
)
from ACNetLib.scene.input import LPS_RAS, OUTPUT
from ACNetLib.scene.made_of import note_made_of
from ACNetLib.scene.nodes import ResultNodes, node_name, printable
from ACNetLib.scene.sources import OF_HEADER, SCANNER, SEQUENCE
from ACNetLib.scene.table import fill_table, has_record
from ACNetLib.scene.views import is_shown_as_acquired, show_as_acquired
from ACNetLib.t1map.t1_map import FIELD_STRENGTH_KEY, SIMULATED_KEY, T1Map
from ACNetLib.ventricle.labels import CAVITY_LABEL, LABEL_NAMES, MYOCARDIUM_LABEL, SEPTUM_LABEL
from ACNetLib.volumes.header import BETWEEN_WARNINGS, FITTED_KEY, WARNINGS_KEY

# Name and RGBA of each label value. Slicer names the segments that it makes of a label map so too: input.py knows
# those of the ventricle.
Colors = dict[int, tuple[str, tuple[float, ...]]]
ATTENTION_COLORS: Colors = {
    0: ("outside the crop", (0.0, 0.0, 0.0, 0.0)),
    **dict(enumerate(zip(BAND_NAMES, BAND_COLORS, strict=True), start=1)),
}
VENTRICLE_COLORS: Colors = {
    0: ("outside", (0.0, 0.0, 0.0, 0.0)),
    MYOCARDIUM_LABEL: (LABEL_NAMES[MYOCARDIUM_LABEL], WALL_COLOR),
    CAVITY_LABEL: (LABEL_NAMES[CAVITY_LABEL], CAVITY_COLOR),
    SEPTUM_LABEL: (LABEL_NAMES[SEPTUM_LABEL], SEPTUM_COLOR),
}
CROP_BOX = "crop_box."

# Input and outputs refer to each other. The scene keeps references right when it renames or removes nodes.
RESULTS = "ACNet.results"
RESULT_OF = "ACNet.resultOf"


def new_scene() -> vtkMRMLScene:
    """An empty scene with the three slice views: what a command saves opens in Slicer with its overlay shown."""
    scene = vtkMRMLScene()
    scene.RegisterNodeClass(slicer.vtkMRMLMarkupsROIJsonStorageNode())  # else the crop boxes are in no file
    scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())
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
    """A volume node of the T1 map, by its `node_name`, with what its source told of it."""
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", node_name(t1_map.name))
    _fill_volume(node, t1_map.array, t1_map)
    if t1_map.field_strength_tesla is not None:
        node.SetAttribute(FIELD_STRENGTH_KEY, f"{t1_map.field_strength_tesla:g}")
    if t1_map.simulated:
        node.SetAttribute(SIMULATED_KEY, "1")
    if t1_map.fitted:
        node.SetAttribute(FITTED_KEY, t1_map.fitted)
    if t1_map.warnings:
        node.SetAttribute(WARNINGS_KEY, printable(BETWEEN_WARNINGS.join(t1_map.warnings)))
    for name, told in ((SCANNER, t1_map.scanner), (SEQUENCE, t1_map.sequence)):
        if told:
            node.SetAttribute(OF_HEADER + name, printable(told))
    node.CreateDefaultDisplayNodes()
    subject_hierarchy_item(node, scene)
    return node


def update_result(
    study: StudyResult, map_index: int, input_node: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene
) -> ResultNodes:
    """The nodes of one of the study's maps in a folder beside its input, not shown yet; the table says the whole study.

    The nodes of an earlier result of the same input are brought up to date, so that what refers to them and how the
    user shows them stays.
    """
    with slicer.util.NodeModify(input_node):  # one event, not one a reference
        nodes = _bring_up_to_date(study, map_index, input_node, scene)
    t1_map, display_node = study.images[map_index].t1_map, input_node.GetVolumeDisplayNode()
    if display_node is not None and display_node.GetAutoWindowLevel() and is_in_ms(input_node, t1_map):
        show_t1_window(input_node, t1_map.field_strength_tesla)
    return nodes


def show_nodes(nodes: ResultNodes, scene: vtkMRMLScene, display: Display) -> None:
    """Let the views show the T1 map with its overlay, as acquired: at its middle slice unless they show one already."""
    if not is_shown_as_acquired(nodes.t1_volume, scene):
        show_as_acquired(nodes.t1_volume, scene)
    show_display(nodes, scene, display)


def find_result(input_node: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene) -> ResultNodes | None:
    """The nodes that update_result made for this input, also in a scene opened from a file. None without a table."""
    found = {node.GetAttribute(OUTPUT): node for node in _outputs(input_node)}
    if "table" not in found or not has_record(found["table"]):
        return None
    return ResultNodes(
        input_node,
        {key: found[f"labels.{key}"] for key in OVERLAYS if f"labels.{key}" in found},
        {key: found[f"maps.{key}"] for key in OVERLAYS if f"maps.{key}" in found},
        found["table"],
        {int(key.removeprefix(CROP_BOX)): node for key, node in found.items() if key.startswith(CROP_BOX)},
    )


def save_scene(scene: vtkMRMLScene, path: Path) -> None:
    """Write the scene as a Slicer bundle (.mrb). Raises ACNetError, and keeps what is there, where VTK can't."""
    path = Path(path).absolute()
    # A folder of its own: the scene inside a bundle is named after the file. Beside the target: the move is atomic.
    with temporary_folder(path.parent) as folder:
        bundle = folder / path.name
        if not scene.WriteToMRB(str(bundle)):
            raise ACNetError(f"{path.name}: it can't be written. Make room, or give another output.")
        with bundle.open("rb+") as file:
            os.fsync(file.fileno())
        bundle.replace(path)


def _bring_up_to_date(
    study: StudyResult, map_index: int, input_node: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene
) -> ResultNodes:
    outputs, images = _Outputs(input_node, scene), study.images[map_index]
    name, t1_map, thresholds = input_node.GetName(), images.t1_map, study.model.attention_thresholds

    def labels_node(key: str, title: str, values: np.ndarray, colors: vtkMRMLColorTableNode) -> vtkMRMLNode:
        node = outputs.node(f"labels.{key}", "vtkMRMLLabelMapVolumeNode", title)
        _fill_volume(node, values, t1_map)
        if node.GetDisplayNode() is None:
            node.SetAndObserveDisplayNodeID(scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeDisplayNode").GetID())
        if node.GetDisplayNode().GetColorNode() is None:
            node.GetDisplayNode().SetAndObserveColorNodeID(colors.GetID())
        return node

    def has_no_scale(node: vtkMRMLNode) -> bool:
        """Of values that are new, or whose colours were removed: else they are shown as the user has chosen."""
        is_new = node.GetDisplayNode() is None
        if is_new:
            node.CreateDefaultDisplayNodes()
        return is_new or node.GetDisplayNode().GetColorNode() is None

    def colors_node(key: str, title: str) -> vtkMRMLColorTableNode:
        return outputs.node(f"colors.{key}", "vtkMRMLColorTableNode", title)

    band_colors = _fill_colors(colors_node("bands", f"{name} attention bands"), ATTENTION_COLORS)
    heat_colors = make_color_table(colors_node("heat", f"{name} attention heat"), "attention", VIRIDIS)
    labels, maps = {}, {}
    for key in images.bands:
        title = f"{name} attention {key.replace('_', ' ')}"
        labels[key] = labels_node(key, title, images.bands[key], band_colors)
        maps[key] = outputs.node(f"maps.{key}", "vtkMRMLScalarVolumeNode", f"{title} (values)")
        _fill_volume(maps[key], images.attention[key], t1_map)
        if has_no_scale(maps[key]):
            scale_heat(maps[key], thresholds[key], heat_colors)
    title = f"{name} evidence"
    diverging = make_color_table(colors_node(EVIDENCE, f"{title} colors"), EVIDENCE, DIVERGING)
    maps[EVIDENCE] = outputs.node(f"maps.{EVIDENCE}", "vtkMRMLScalarVolumeNode", title)
    inside = images.bands[SHOWN_MAP] > 0
    _fill_volume(maps[EVIDENCE], np.where(inside, images.evidence, np.float32(OUTSIDE_EVIDENCE)), t1_map)
    if has_no_scale(maps[EVIDENCE]):
        scale_evidence(maps[EVIDENCE], diverging)
    title = f"{name} left ventricle"
    part_colors = _fill_colors(colors_node("ventricle", f"{title} parts"), VENTRICLE_COLORS)
    labels[VENTRICLE] = labels_node(VENTRICLE, title, images.ventricle, part_colors)
    table = outputs.node("table", "vtkMRMLTableNode", f"{name} ACNet result")
    fill_table(table, study)
    note_made_of(table, input_node)
    boxes = {}
    for section in study.maps[map_index].sections:
        title = f"{name} slice {section.section} crop"
        output = f"{CROP_BOX}{section.section}"
        box = boxes[section.section] = outputs.node(output, "vtkMRMLMarkupsROINode", title)
        if output not in outputs.earlier:
            draw_as_outline(box, scene)
        place_crop_box(box, section, t1_map)
    outputs.remove_others()
    return ResultNodes(input_node, labels, maps, table, boxes)


class _Outputs:
    """The outputs of one input: earlier nodes are used again where they are, new ones go into a folder beside it."""

    def __init__(self, input_node: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene) -> None:
        self._input_node, self._scene = input_node, scene
        self.earlier: dict[str, vtkMRMLNode] = {node.GetAttribute(OUTPUT): node for node in _outputs(input_node)}
        self._current: set[str] = set()
        table = self.earlier.get("table")
        self._folder = _own_folder(table, scene) if table is not None else 0

    def node(self, output: str, class_name: str, name: str) -> vtkMRMLNode:
        """The node of this output; a new one has the name, see `node_name`."""
        self._current.add(output)
        if output in self.earlier:
            earlier = self.earlier[output]
            if isinstance(earlier, vtkMRMLTransformableNode):  # it is filled where the scene shows the input
                earlier.SetAndObserveTransformNodeID(None)
            return earlier
        node = self._scene.AddNewNodeByClass(class_name, node_name(name))
        node.SetNodeReferenceID(RESULT_OF, self._input_node.GetID())
        node.SetAttribute(OUTPUT, output)
        self._input_node.AddNodeReferenceID(RESULTS, node.GetID())
        if class_name != "vtkMRMLColorTableNode":
            self._folder = self._folder or _new_folder(self._input_node, self._scene)
            _hierarchy(self._scene).SetItemParent(subject_hierarchy_item(node, self._scene), self._folder)
        return node

    def remove_others(self) -> None:
        """Remove earlier outputs that the new result does not have, such as boxes of other sections."""
        _remove([node for output, node in self.earlier.items() if output not in self._current], self._scene)


def _fill_volume(node: vtkMRMLScalarVolumeNode, array: np.ndarray, t1_map: T1Map) -> None:
    """Give the node (section, row, column) values on the T1 map's grid."""
    fill_volume(node, array)
    ijk_to_lps = np.eye(4)
    ijk_to_lps[:3, :3] = np.reshape(t1_map.image.GetDirection(), (3, 3)) * t1_map.image.GetSpacing()
    ijk_to_lps[:3, 3] = t1_map.image.GetOrigin()
    node.SetIJKToRASMatrix(matrix_of_array(LPS_RAS @ ijk_to_lps))


def _fill_colors(node: vtkMRMLColorTableNode, colors: Colors) -> vtkMRMLColorTableNode:
    with slicer.util.NodeModify(node):
        node.SetTypeToUser()
        node.SetNumberOfColors(len(colors))
        for label, (label_name, rgba) in colors.items():
            node.SetColor(label, label_name, *rgba)
    return node


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


def subject_hierarchy_item(node: vtkMRMLNode, scene: vtkMRMLScene) -> int:
    """The node's item. The application makes one for each node; outside it there is none."""
    hierarchy = _hierarchy(scene)
    return hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)


def _own_folder(table: vtkMRMLTableNode, scene: vtkMRMLScene) -> int:
    """The folder that the result's table is in, if that is still the one made for it; else 0."""
    hierarchy = _hierarchy(scene)
    parent = hierarchy.GetItemParent(subject_hierarchy_item(table, scene))
    return parent if hierarchy.GetItemAttribute(parent, OUTPUT) == "folder" else 0


def _new_folder(input_node: vtkMRMLNode, scene: vtkMRMLScene) -> int:
    hierarchy = _hierarchy(scene)
    beside = hierarchy.GetItemParent(subject_hierarchy_item(input_node, scene))
    folder = hierarchy.CreateFolderItem(beside, f"ACNet: {input_node.GetName()}")
    hierarchy.SetItemAttribute(folder, OUTPUT, "folder")
    return folder

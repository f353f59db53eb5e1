"""Between MRML and the core: a volume node becomes a T1 map, and a study's result becomes nodes beside it.

The only file of this library that knows RAS. It needs slicer, vtk, numpy and SimpleITK and neither Qt nor the Slicer
application, so commands and tests use it on `slicer-core`.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import SimpleITK as sitk
import slicer.util
import vtk
from slicer import (
    vtkMRMLColorTableNode,
    vtkMRMLDisplayableNode,
    vtkMRMLLabelMapVolumeNode,
    vtkMRMLMarkupsClosedCurveNode,
    vtkMRMLMarkupsJsonStorageNode,
    vtkMRMLMarkupsNode,
    vtkMRMLNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLScene,
    vtkMRMLSelectionNode,
    vtkMRMLSliceNode,
    vtkMRMLSubjectHierarchyNode,
    vtkMRMLTableNode,
)

from ACNetLib.attention import ATTENTION_MAPS, BAND_COLORS, BAND_NAMES
from ACNetLib.errors import ACNetError
from ACNetLib.t1map import (
    DISPLAY_WINDOW_MS,
    FIELD_STRENGTH_KEY,
    SIMULATED_KEY,
    T1Map,
    parse_field_strength,
    t1_map_from_image,
)

if TYPE_CHECKING:  # classifier.py imports torch
    from ACNetLib.classifier import SectionResult, StudyResult

DEFAULT_OPACITY = 0.5
CROP_BOX_COLOR = (1.0, 0.85, 0.1)

# Input and outputs refer to each other. The scene keeps references right when it renames or removes nodes.
RESULTS = "ACNet.results"
RESULT_OF = "ACNet.resultOf"
# What an output is, such as "table" or "labels.combined". The folder carries it too.
OUTPUT = "ACNet.output"
STUDY = "ACNet.study"

# From LPS to RAS and back.
LPS_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class ResultNodes:
    """The nodes of one study's result.

    `labels` and `maps` have those of ATTENTION_MAPS that the network has. `folder_item` is the subject-hierarchy item
    of their folder, 0 when the user took the table out of it.
    """

    t1_volume: vtkMRMLScalarVolumeNode
    labels: dict[str, vtkMRMLLabelMapVolumeNode]
    maps: dict[str, vtkMRMLScalarVolumeNode]
    colors: vtkMRMLColorTableNode
    table: vtkMRMLTableNode
    crop_boxes: tuple[vtkMRMLMarkupsClosedCurveNode, ...]
    folder_item: int


@dataclass(frozen=True)
class SectionRow:
    """One row of the table node, a column each."""

    section: int
    probability_dcm: float
    decision: str
    outside_fraction: float
    warnings: str


@dataclass(frozen=True)
class StudySummary:
    """What the table node says of the whole study. It stays with the node when the scene is saved."""

    probability_dcm: float
    decision: str
    decision_threshold: float
    model: str
    simulated_model: bool
    simulated_map: bool
    device: str
    device_reason: str
    center_source: str
    warnings: tuple[str, ...]


def t1_map_from_volume_node(node: vtkMRMLScalarVolumeNode) -> T1Map:
    """The node's T1 map where the scene shows it: linear parent transforms are applied.

    Raises ACNetError when the node holds no image, lies under a non-linear transform or is no T1 map.
    """
    name = node.GetName()
    if node.GetImageData() is None or node.GetImageData().GetNumberOfPoints() == 0:
        raise ACNetError(f"{name}: the volume holds no image; expected a T1 map. Load it again.")
    image = sitk.GetImageFromArray(
        slicer.util.arrayFromVolume(node), isVector=node.GetImageData().GetNumberOfScalarComponents() > 1
    )
    ijk_to_lps = LPS_RAS @ _ijk_to_world(node)
    spacing = np.linalg.norm(ijk_to_lps[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(ijk_to_lps[:3, 3].tolist())
    image.SetDirection((ijk_to_lps[:3, :3] / spacing).ravel().tolist())
    return t1_map_from_image(
        image,
        name,
        parse_field_strength(node.GetAttribute(FIELD_STRENGTH_KEY), name),
        node.GetAttribute(SIMULATED_KEY) == "1",
    )


def point_from_markups_node(node: vtkMRMLMarkupsNode) -> np.ndarray:
    """The node's first placed control point as LPS mm, (3,). Raises ACNetError when none is placed."""
    for index in range(node.GetNumberOfControlPoints()):
        if node.GetNthControlPointPositionStatus(index) == vtkMRMLMarkupsNode.PositionDefined:
            return _flipped(np.array(node.GetNthControlPointPositionWorld(index)))
    raise ACNetError(
        f"{node.GetName()}: it has no control point; expected one in the left ventricle. Place it, or choose no centre."
    )


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
    attention_map: str = "combined",
    opacity: float = DEFAULT_OPACITY,
) -> ResultNodes:
    """Add the result's nodes in a folder beside the input, show one attention map over it in all slice views.

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

    name = input_node.GetName()
    colors = own(_add_colors(f"{name} attention bands", scene), "colors")
    labels, maps = {}, {}
    for key in result.bands:
        title = f"{name} attention {key.replace('_', ' ')}"
        labels[key] = own(_add_labels(title, result.bands[key], colors, result.t1_map, scene), f"labels.{key}")
        maps[key] = own(_add_map(f"{title} (values)", result.attention[key], result.t1_map, scene), f"maps.{key}")
    table = own(_add_table(f"{name} ACNet result", result, scene), "table")
    boxes = tuple(own(_add_crop_box(name, section, scene), "crop_box") for section in result.sections)

    hierarchy = _hierarchy(scene)
    for node in (table, *labels.values(), *maps.values(), *boxes):
        hierarchy.SetItemParent(_item(node, scene), folder)
    nodes = ResultNodes(input_node, labels, maps, colors, table, boxes, folder)
    show_attention(nodes, scene, attention_map, opacity)
    return nodes


def find_result(input_node: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene) -> ResultNodes | None:
    """The nodes that show_result made for this input, also in a scene opened from a file. None without a table."""
    found: dict[str, list[vtkMRMLNode]] = {}
    outputs = _outputs(input_node)
    for node in outputs:
        found.setdefault(node.GetAttribute(OUTPUT), []).append(node)
    if "table" not in found or "colors" not in found:
        return None
    return ResultNodes(
        input_node,
        {key: found[f"labels.{key}"][0] for key in ATTENTION_MAPS if f"labels.{key}" in found},
        {key: found[f"maps.{key}"][0] for key in ATTENTION_MAPS if f"maps.{key}" in found},
        found["colors"][0],
        found["table"][0],
        tuple(found.get("crop_box", ())),
        _own_folder(outputs, scene),
    )


def read_summary(table: vtkMRMLTableNode) -> tuple[StudySummary, tuple[SectionRow, ...]]:
    """What the table node of a result says of the study and of each of its sections."""
    study = json.loads(table.GetAttribute(STUDY))
    columns = [table.GetTable().GetColumnByName(field.name) for field in fields(SectionRow)]
    rows = tuple(SectionRow(*(column.GetValue(row) for column in columns)) for row in range(table.GetNumberOfRows()))
    return StudySummary(**study | {"warnings": tuple(study["warnings"])}), rows


def show_attention(nodes: ResultNodes, scene: vtkMRMLScene, attention_map: str, opacity: float) -> None:
    """Show the T1 volume and one attention map's bands over it in all slice views."""
    label = nodes.labels.get(attention_map)
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


def _ijk_to_world(node: vtkMRMLScalarVolumeNode) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    ijk_to_ras = slicer.util.arrayFromVTKMatrix(matrix)
    transform = node.GetParentTransformNode()
    if transform is None:
        return ijk_to_ras
    if not transform.IsTransformToWorldLinear():
        raise ACNetError(
            f"{node.GetName()}: it lies under the non-linear transform {transform.GetName()}; "
            "expected a linear one or none. Harden the transform first."
        )
    transform.GetMatrixTransformToWorld(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix) @ ijk_to_ras


def _show_in_plane(result: StudyResult, input_node: vtkMRMLScalarVolumeNode, scene: vtkMRMLScene) -> None:
    """Window the T1 volume, turn the slice views into its planes and move them to the heart."""
    display = input_node.GetDisplayNode()
    if display is not None:
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(*DISPLAY_WINDOW_MS)
    for view in _nodes(scene, "vtkMRMLSliceNode"):
        view.RotateToVolumePlane(input_node)
        view.JumpSliceByCentering(*_flipped(np.array(result.sections[0].grid.center_mm)))


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
    name: str, bands: np.ndarray, colors: vtkMRMLColorTableNode, t1_map: T1Map, scene: vtkMRMLScene
) -> vtkMRMLLabelMapVolumeNode:
    node = _add_volume("vtkMRMLLabelMapVolumeNode", name, bands, t1_map, scene)
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


def _add_colors(name: str, scene: vtkMRMLScene) -> vtkMRMLColorTableNode:
    node = scene.AddNewNodeByClass("vtkMRMLColorTableNode", name)
    node.SetTypeToUser()
    node.SetNumberOfColors(1 + len(BAND_NAMES))
    node.SetColor(0, "outside the section", 0.0, 0.0, 0.0, 0.0)
    for band, (band_name, color) in enumerate(zip(BAND_NAMES, BAND_COLORS, strict=True), start=1):
        node.SetColor(band, band_name, *color)
    return node


def _add_table(name: str, result: StudyResult, scene: vtkMRMLScene) -> vtkMRMLTableNode:
    node = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    node.SetUseColumnTitleAsColumnHeader(True)
    columns = {
        "section": vtk.vtkIntArray(),
        "probability_dcm": vtk.vtkDoubleArray(),
        "decision": vtk.vtkStringArray(),
        "outside_fraction": vtk.vtkDoubleArray(),
        "warnings": vtk.vtkStringArray(),
    }
    for title, column in columns.items():
        column.SetName(title)
        for section in result.sections:
            value = getattr(section, title)
            column.InsertNextValue(" ".join(value) if title == "warnings" else value)
        node.AddColumn(column)
    summary = StudySummary(
        probability_dcm=result.probability_dcm,
        decision=result.decision,
        decision_threshold=result.decision_threshold,
        model=result.card.name,
        simulated_model=result.card.simulated,
        simulated_map=result.t1_map.simulated,
        device=result.device.device,
        device_reason=result.device.reason,
        center_source=result.center_source,
        warnings=result.warnings,
    )
    node.SetAttribute(STUDY, json.dumps(asdict(summary)))
    return node


def _add_crop_box(name: str, section: SectionResult, scene: vtkMRMLScene) -> vtkMRMLMarkupsClosedCurveNode:
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsClosedCurveNode", f"{name} section {section.section} crop")
    node.SetCurveTypeToLinear()
    slicer.util.updateMarkupsControlPointsFromArray(node, _flipped(section.grid.corners_mm()))
    node.SetLocked(True)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    display.SetPropertiesLabelVisibility(False)
    display.SetPointLabelsVisibility(False)
    display.SetGlyphScale(0.5)
    display.SetSelectedColor(*CROP_BOX_COLOR)
    return node


def _flipped(positions: np.ndarray) -> np.ndarray:
    """Positions (..., 3) from LPS to RAS or back."""
    return positions * (-1.0, -1.0, 1.0)


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

"""scene.py on real MRML, without the Slicer application."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import slicer.util
import vtk
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene

from ACNetLib.attention import ATTENTION_MAPS, BAND_COLORS, BAND_NAMES
from ACNetLib.errors import ACNetError
from ACNetLib.scene import (
    ResultNodes,
    add_t1_map,
    find_result,
    new_scene,
    point_from_markups_node,
    read_summary,
    save_scene,
    show_attention,
    show_result,
    t1_map_from_volume_node,
)
from ACNetLib.t1map import T1Map, t1_map_from_array


@pytest.fixture
def a_scene() -> Scene:
    return new_scene()


@pytest.fixture
def a_volume_node(an_oblique_t1_map: T1Map, a_scene: Scene) -> Volume:
    return add_t1_map(an_oblique_t1_map, a_scene)


@pytest.fixture
def a_result(a_study: Callable, a_volume_node: Volume, a_scene: Scene) -> ResultNodes:
    return show_result(a_study(t1_map_from_volume_node(a_volume_node)), a_volume_node, a_scene)


def geometry(image: sitk.Image) -> np.ndarray:
    return np.concatenate([image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()])


def ijk_to_ras(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def nodes_of(scene: Scene, class_name: str) -> list[slicer.vtkMRMLNode]:
    return [scene.GetNthNodeByClass(index, class_name) for index in range(scene.GetNumberOfNodesByClass(class_name))]


def result_of(volume: Volume, scene: Scene) -> ResultNodes:
    result = find_result(volume, scene)
    assert result is not None
    return result


def names_of_data(scene: Scene) -> list[str]:
    return sorted(node.GetName() for node in nodes_of(scene, "vtkMRMLStorableNode"))


@pytest.mark.parametrize("flip", [(1, 1, 1), (-1, 1, 1), (1, -1, 1), (-1, -1, -1)])
def test_a_t1_map_comes_back_from_its_node_with_the_same_pixels_and_geometry(
    an_oblique_t1_map: T1Map, a_scene: Scene, flip: tuple[int, int, int]
) -> None:
    direction = np.reshape(an_oblique_t1_map.image.GetDirection(), (3, 3)) * flip
    t1_map = t1_map_from_array(
        an_oblique_t1_map.array,
        (1.4, 1.6, 8.0),
        (-80.5, 35.25, 410.125),
        direction,
        name="T1",
        field_strength_tesla=3.0,
    )
    again = t1_map_from_volume_node(add_t1_map(t1_map, a_scene))
    np.testing.assert_allclose(geometry(again.image), geometry(t1_map.image), atol=1e-6)
    np.testing.assert_array_equal(again.array, t1_map.array)
    assert (again.name, again.field_strength_tesla, again.simulated) == ("T1", 3.0, False)


def test_a_pixel_lies_in_slicer_where_it_lies_in_the_t1_map(an_oblique_t1_map: T1Map, a_volume_node: Volume) -> None:
    lps = an_oblique_t1_map.image.TransformIndexToPhysicalPoint((60, 80, 1))
    ras = ijk_to_ras(a_volume_node) @ (60, 80, 1, 1)
    np.testing.assert_allclose(ras[:3], np.multiply(lps, (-1, -1, 1)), atol=1e-6)


def test_a_simulated_map_is_still_simulated_after_its_way_through_the_scene(
    an_oblique_t1_map: T1Map, a_scene: Scene
) -> None:
    simulated = T1Map(an_oblique_t1_map.image, "T1", simulated=True)
    assert t1_map_from_volume_node(add_t1_map(simulated, a_scene)).simulated


def test_a_header_key_read_by_slicer_from_an_nrrd_file_is_the_field_strength(
    an_oblique_t1_map: T1Map, a_scene: Scene, tmp_path: Path
) -> None:
    image = sitk.Image(an_oblique_t1_map.image)
    image.SetMetaData("ACNet_field_strength_tesla", "3")
    sitk.WriteImage(image, tmp_path / "t1.nrrd")
    node = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "T1")
    storage = slicer.vtkMRMLNRRDStorageNode()
    storage.SetFileName(str(tmp_path / "t1.nrrd"))
    assert storage.ReadData(node)
    t1_map = t1_map_from_volume_node(node)
    assert t1_map.field_strength_tesla == 3.0
    np.testing.assert_allclose(geometry(t1_map.image), geometry(an_oblique_t1_map.image), atol=1e-6)


def test_a_field_strength_that_is_no_number_is_named(a_volume_node: Volume) -> None:
    a_volume_node.SetAttribute("ACNet_field_strength_tesla", "high")
    with pytest.raises(ACNetError, match=r"short axis.*ACNet_field_strength_tesla is 'high'"):
        t1_map_from_volume_node(a_volume_node)


def test_linear_parent_transforms_are_applied(an_oblique_t1_map: T1Map, a_volume_node: Volume, a_scene: Scene) -> None:
    matrices = [np.eye(4), np.eye(4)]
    matrices[0][:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    matrices[1][:3, 3] = (5, -7, 11)
    child, parent = (a_scene.AddNewNodeByClass("vtkMRMLLinearTransformNode") for _ in matrices)
    for node, matrix in zip((child, parent), matrices, strict=True):
        node.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    child.SetAndObserveTransformNodeID(parent.GetID())
    a_volume_node.SetAndObserveTransformNodeID(child.GetID())

    t1_map = t1_map_from_volume_node(a_volume_node)

    expected = matrices[1] @ matrices[0] @ ijk_to_ras(a_volume_node) @ (60, 80, 1, 1)
    found = np.multiply(t1_map.image.TransformIndexToPhysicalPoint((60, 80, 1)), (-1, -1, 1))
    np.testing.assert_allclose(found, expected[:3], atol=1e-6)
    np.testing.assert_allclose(t1_map.image.GetSpacing(), an_oblique_t1_map.image.GetSpacing(), atol=1e-6)


def test_a_non_linear_parent_transform_is_refused_by_name(a_volume_node: Volume, a_scene: Scene) -> None:
    transform = a_scene.AddNewNodeByClass("vtkMRMLTransformNode", "warp")
    spline = vtk.vtkThinPlateSplineTransform()
    spline.SetBasisToR()
    points = [vtk.vtkPoints(), vtk.vtkPoints()]
    for index in range(8):
        corner = [100.0 * (index >> axis & 1) for axis in range(3)]
        points[0].InsertNextPoint(corner)
        points[1].InsertNextPoint(corner if index else (10.0, 0.0, 0.0))
    spline.SetSourceLandmarks(points[0])
    spline.SetTargetLandmarks(points[1])
    transform.SetAndObserveTransformToParent(spline)
    a_volume_node.SetAndObserveTransformNodeID(transform.GetID())
    with pytest.raises(ACNetError, match=r"short axis.*non-linear transform warp"):
        t1_map_from_volume_node(a_volume_node)


def test_a_node_without_image_or_with_another_image_than_t1_is_refused_by_name(a_scene: Scene) -> None:
    empty = a_scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    with pytest.raises(ACNetError, match=r"empty.*no image"):
        t1_map_from_volume_node(empty)
    color = a_scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "color")
    slicer.util.updateVolumeFromArray(color, np.zeros((1, 8, 8, 3), np.uint8))
    with pytest.raises(ACNetError, match="color"):
        t1_map_from_volume_node(color)


def test_a_placed_control_point_is_given_in_lps(a_scene: Scene) -> None:
    node = a_scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "LV")
    with pytest.raises(ACNetError, match=r"LV.*no control point"):
        point_from_markups_node(node)
    node.AddControlPoint(vtk.vtkVector3d(1.0, 2.0, 3.0))
    np.testing.assert_allclose(point_from_markups_node(node), (-1.0, -2.0, 3.0))


def test_each_label_map_and_value_map_lies_on_the_t1_map(
    a_result: ResultNodes, a_study: Callable, an_oblique_t1_map: T1Map, a_volume_node: Volume
) -> None:
    study = a_study(an_oblique_t1_map)
    for key in ATTENTION_MAPS:
        label, values = a_result.labels[key], a_result.maps[key]
        np.testing.assert_allclose(ijk_to_ras(label), ijk_to_ras(a_volume_node), atol=1e-6)
        np.testing.assert_allclose(ijk_to_ras(values), ijk_to_ras(a_volume_node), atol=1e-6)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(label), study.bands[key])
        np.testing.assert_allclose(slicer.util.arrayFromVolume(values), study.attention[key], atol=1e-6)
        assert slicer.util.arrayFromVolume(label).dtype == np.uint8


def test_the_bands_have_their_names_and_colors_in_a_table_of_their_own(a_result: ResultNodes) -> None:
    colors = a_result.labels["combined"].GetDisplayNode().GetColorNode()
    assert colors is a_result.colors
    assert colors.GetNumberOfColors() == 6
    for band, (name, expected) in enumerate(zip(BAND_NAMES, BAND_COLORS, strict=True), start=1):
        rgba = [0.0] * 4
        colors.GetColor(band, rgba)
        assert colors.GetColorName(band) == name
        np.testing.assert_allclose(rgba, expected, atol=1 / 255)
    colors.GetColor(0, rgba)
    assert rgba[3] == 0.0


def test_the_table_has_one_row_a_section_and_keeps_what_is_said_of_the_study(a_result: ResultNodes) -> None:
    study, rows = read_summary(a_result.table)
    assert [row.section for row in rows] == [0, 1]
    assert [row.decision for row in rows] == ["dcm", "dcm"]
    np.testing.assert_allclose([row.probability_dcm for row in rows], [0.91, 0.81])
    assert rows[1].warnings == "The crop reaches beyond the map."
    assert (study.decision, study.probability_dcm, study.model) == ("dcm", 0.91, "acnet-made-up-1.5T")
    assert (study.center_source, study.simulated_model, study.device) == ("image centre", True, "cpu")
    assert study.warnings == ("No centre was given; the heart may lie elsewhere.",)


def test_the_crop_boxes_are_locked_outlines_of_the_section_grids(
    a_result: ResultNodes, a_study: Callable, an_oblique_t1_map: T1Map
) -> None:
    sections = a_study(an_oblique_t1_map).sections
    assert len(a_result.crop_boxes) == len(sections)
    for box, section in zip(a_result.crop_boxes, sections, strict=True):
        corners = slicer.util.arrayFromMarkupsControlPoints(box, world=True)
        np.testing.assert_allclose(corners, section.grid.corners_mm() * (-1, -1, 1), atol=1e-6)
        assert box.GetLocked()
        assert box.GetCurveLengthWorld() == pytest.approx(4 * 128.0)


def test_the_first_result_sets_the_t1_window_and_turns_a_view_into_the_sections(
    a_result: ResultNodes, a_volume_node: Volume, an_oblique_t1_map: T1Map, a_scene: Scene
) -> None:
    display = a_volume_node.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0.0, 2000.0)
    normal = an_oblique_t1_map.normal * (-1, -1, 1)
    to_ras = [slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS()) for view in nodes_of(a_scene, "vtkMRMLSliceNode")]
    (in_plane,) = [matrix for matrix in to_ras if abs(matrix[:3, 2] @ normal) > 0.999]
    section = an_oblique_t1_map.section_center(0) * (-1, -1, 1)
    assert (in_plane[:3, 3] - section) @ normal == pytest.approx(0.0, abs=1e-6)


def test_the_chosen_attention_map_is_the_label_layer_and_another_can_be_shown(
    a_result: ResultNodes, a_scene: Scene, a_volume_node: Volume
) -> None:
    composites = nodes_of(a_scene, "vtkMRMLSliceCompositeNode")
    assert len(composites) == 3
    for key, opacity in (("combined", 0.5), ("module_1", 0.25)):
        show_attention(a_result, a_scene, key, opacity)
        for composite in composites:
            assert composite.GetBackgroundVolumeID() == a_volume_node.GetID()
            assert composite.GetLabelVolumeID() == a_result.labels[key].GetID()
            assert composite.GetLabelOpacity() == opacity


def test_the_outputs_are_in_one_folder_beside_the_input(
    an_oblique_t1_map: T1Map, a_study: Callable, a_scene: Scene
) -> None:
    volume = add_t1_map(an_oblique_t1_map, a_scene)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    study_item = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(volume), study_item)

    result = show_result(a_study(an_oblique_t1_map), volume, a_scene)

    assert hierarchy.GetItemParent(result.folder_item) == study_item
    for node in (result.table, *result.labels.values(), *result.maps.values(), *result.crop_boxes):
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) == result.folder_item


def test_running_again_replaces_the_outputs_and_nothing_else(
    a_result: ResultNodes, a_study: Callable, a_volume_node: Volume, a_scene: Scene
) -> None:
    own_label = a_scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", a_result.labels["combined"].GetName())
    own_markup = a_scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "mine")
    a_volume_node.GetDisplayNode().SetWindowLevelMinMax(500.0, 1500.0)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    hierarchy.SetItemParent(hierarchy.CreateItem(hierarchy.GetSceneItemID(), own_markup), a_result.folder_item)
    count, names = a_scene.GetNumberOfNodes(), names_of_data(a_scene)

    again = show_result(a_study(t1_map_from_volume_node(a_volume_node), probability_dcm=0.2), a_volume_node, a_scene)

    assert (a_scene.GetNumberOfNodes(), names_of_data(a_scene)) == (count, names)
    assert a_scene.IsNodePresent(own_label)
    assert again.folder_item == a_result.folder_item
    assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(own_markup)) == again.folder_item
    assert a_volume_node.GetDisplayNode().GetWindowLevelMin() == 500.0
    assert read_summary(again.table)[0].decision == "normal"


def test_a_users_copy_of_an_output_is_kept(
    a_result: ResultNodes, a_study: Callable, a_volume_node: Volume, a_scene: Scene
) -> None:
    copies = [a_scene.CopyNode(node) for node in (a_result.labels["combined"], a_result.table)]
    show_result(a_study(t1_map_from_volume_node(a_volume_node)), a_volume_node, a_scene)
    assert all(a_scene.IsNodePresent(copy) for copy in copies)
    assert not a_scene.IsNodePresent(a_result.table)


def test_a_copy_of_the_input_has_no_result_yet_and_leaves_that_of_the_input_alone(
    a_result: ResultNodes, a_study: Callable, a_volume_node: Volume, a_scene: Scene
) -> None:
    copy = a_scene.CopyNode(a_volume_node)
    assert find_result(copy, a_scene) is None
    show_result(a_study(t1_map_from_volume_node(copy)), copy, a_scene)
    assert a_scene.IsNodePresent(a_result.table)


def test_outputs_that_the_user_moved_are_replaced_in_a_new_folder(
    a_result: ResultNodes, a_study: Callable, a_volume_node: Volume, a_scene: Scene
) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(a_result.table), hierarchy.GetSceneItemID())
    assert result_of(a_volume_node, a_scene).folder_item == 0
    again = show_result(a_study(t1_map_from_volume_node(a_volume_node)), a_volume_node, a_scene)
    assert again.folder_item not in {0, a_result.folder_item}
    assert not a_scene.IsNodePresent(a_result.table)


def test_the_result_of_another_volume_is_kept(
    a_result: ResultNodes, a_study: Callable, an_oblique_t1_map: T1Map, a_scene: Scene
) -> None:
    other = add_t1_map(an_oblique_t1_map, a_scene)
    show_result(a_study(an_oblique_t1_map), other, a_scene)
    assert a_scene.IsNodePresent(a_result.table)
    assert result_of(other, a_scene).table is not a_result.table


def test_a_result_is_found_again_by_its_input(
    a_result: ResultNodes, a_volume_node: Volume, a_scene: Scene, an_oblique_t1_map: T1Map
) -> None:
    assert find_result(a_volume_node, a_scene) == a_result
    assert find_result(add_t1_map(an_oblique_t1_map, a_scene), a_scene) is None


def open_bundle(bundle: Path, folder: Path) -> Scene:
    """ReadFromMRB needs the application; a bundle is a zip with a scene file in it."""
    zipfile.ZipFile(bundle).extractall(folder)
    scene = new_scene()
    scene.SetURL(str(next(folder.glob("*/*.mrml"))))
    assert scene.Import()
    return scene


def test_a_saved_scene_opens_with_its_result(
    a_result: ResultNodes, a_study: Callable, an_oblique_t1_map: T1Map, a_scene: Scene, tmp_path: Path
) -> None:
    save_scene(a_scene, tmp_path / "scene.mrb")

    scene = open_bundle(tmp_path / "scene.mrb", tmp_path / "opened")
    volume = scene.GetFirstNodeByName("short axis")
    result = result_of(volume, scene)
    assert read_summary(result.table) == read_summary(a_result.table)
    study = a_study(an_oblique_t1_map)
    label = result.labels["combined"]
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(label), study.bands["combined"])
    values = slicer.util.arrayFromVolume(result.maps["combined"])
    np.testing.assert_allclose(values, study.attention["combined"], atol=1e-6)
    np.testing.assert_allclose(ijk_to_ras(label), ijk_to_ras(volume), atol=1e-6)
    assert label.GetDisplayNode().GetColorNode().GetColorName(5) == BAND_NAMES[4]
    composite = scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    assert composite.GetLabelVolumeID() == label.GetID()
    assert t1_map_from_volume_node(volume).field_strength_tesla == 1.5
    corners = slicer.util.arrayFromMarkupsControlPoints(result.crop_boxes[0])
    np.testing.assert_allclose(corners, study.sections[0].grid.corners_mm() * (-1, -1, 1), atol=1e-3)


def test_a_bundle_holds_the_scene_and_a_readable_table(a_result: ResultNodes, a_scene: Scene, tmp_path: Path) -> None:
    save_scene(a_scene, tmp_path / "scene.mrb")
    bundle = zipfile.ZipFile(tmp_path / "scene.mrb")
    (table,) = [name for name in bundle.namelist() if name.endswith("result.tsv")]
    rows = list(csv.DictReader(io.TextIOWrapper(bundle.open(table), "utf-8"), delimiter="\t"))
    assert [row["section"] for row in rows] == ["0", "1"]
    assert float(rows[0]["probability_dcm"]) == pytest.approx(0.91)
    assert "scene/scene.mrml" in bundle.namelist()


def test_saving_again_replaces_the_file_and_leaves_nothing_beside_it(
    a_result: ResultNodes, a_scene: Scene, tmp_path: Path
) -> None:
    (tmp_path / "scene.mrb").write_text("old")
    save_scene(a_scene, tmp_path / "scene.mrb")
    assert zipfile.is_zipfile(tmp_path / "scene.mrb")
    assert [path.name for path in tmp_path.iterdir()] == ["scene.mrb"]

"""The result's nodes and the scene's files on real MRML, without the Slicer application."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from slicer import vtkMRMLScalarVolumeNode as Volume
from slicer import vtkMRMLScene as Scene

from ACNetLib.colors import BAND_COLORS
from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import ATTENTION_MAPS, BAND_NAMES
from ACNetLib.inference.probability import log_odds_of, sigmoid
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.report.wording import reference_text
from ACNetLib.scene.crop_boxes import crop_box_center
from ACNetLib.scene.display import VENTRICLE
from ACNetLib.scene.exam import show_exam
from ACNetLib.scene.input import t1_map_from_volume_node
from ACNetLib.scene.output import (
    ResultNodes,
    add_t1_map,
    find_result,
    new_scene,
    save_scene,
)
from ACNetLib.scene.table import RECORD, leave_out, read_record
from ACNetLib.t1map.section import SectionGrid
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.measures import SectionMeasures
from ACNetLib.ventricle.segments import SEGMENT_LABELS
from conftest import with_map


@pytest.fixture
def a_result(a_study: Callable, a_volume_node: Volume, a_scene: Scene) -> ResultNodes:
    return show_exam(a_study(t1_map_from_volume_node(a_volume_node)), [a_volume_node], a_scene)[0]


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


def test_each_label_map_and_value_map_lies_on_the_t1_map(
    a_result: ResultNodes, a_study: Callable, an_oblique_t1_map: T1Map, a_volume_node: Volume
) -> None:
    study = a_study(an_oblique_t1_map)
    for key in ATTENTION_MAPS:
        label, values = a_result.labels[key], a_result.maps[key]
        np.testing.assert_allclose(ijk_to_ras(label), ijk_to_ras(a_volume_node), atol=1e-6)
        np.testing.assert_allclose(ijk_to_ras(values), ijk_to_ras(a_volume_node), atol=1e-6)
        np.testing.assert_array_equal(slicer.util.arrayFromVolume(label), study.images[0].bands[key])
        np.testing.assert_allclose(slicer.util.arrayFromVolume(values), study.images[0].attention[key], atol=1e-6)
        assert slicer.util.arrayFromVolume(label).dtype == np.uint8


def test_the_ventricle_lies_on_the_t1_map_and_is_not_shown_at_first(
    a_result: ResultNodes, a_study: Callable, an_oblique_t1_map: T1Map, a_volume_node: Volume, a_scene: Scene
) -> None:
    ventricle = a_result.labels[VENTRICLE]
    np.testing.assert_allclose(ijk_to_ras(ventricle), ijk_to_ras(a_volume_node), atol=1e-6)
    np.testing.assert_array_equal(
        slicer.util.arrayFromVolume(ventricle), a_study(an_oblique_t1_map).images[0].ventricle
    )
    for composite in nodes_of(a_scene, "vtkMRMLSliceCompositeNode"):
        shown = composite.GetBackgroundVolumeID(), composite.GetForegroundVolumeID(), composite.GetLabelVolumeID()
        assert ventricle.GetID() not in shown


def colors_of(label: slicer.vtkMRMLLabelMapVolumeNode) -> dict[str, list[float]]:
    """RGBA by name, in the order of the label values."""
    colors = label.GetDisplayNode().GetColorNode()
    rgba = [[0.0] * 4 for _ in range(colors.GetNumberOfColors())]
    for value, color in enumerate(rgba):
        colors.GetColor(value, color)
    return {colors.GetColorName(value): color for value, color in enumerate(rgba)}


def test_the_bands_have_their_names_and_colors_in_a_table_of_their_own(a_result: ResultNodes) -> None:
    outside, *bands = colors_of(a_result.labels["combined"]).items()
    assert outside[1][3] == 0.0
    assert tuple(name for name, _ in bands) == BAND_NAMES
    np.testing.assert_allclose([color for _, color in bands], BAND_COLORS, atol=1 / 255)


def test_the_parts_of_the_ventricle_have_names_that_are_understood_as_segments(a_result: ResultNodes) -> None:
    outside, *parts = colors_of(a_result.labels[VENTRICLE]).items()
    assert outside[1][3] == 0.0
    assert [SEGMENT_LABELS[name] for name, _ in parts] == [1, 2, 3]
    assert all(color[3] == 1.0 for _, color in parts)


def test_the_table_has_one_row_a_section_and_keeps_what_is_said_of_the_study(
    a_result: ResultNodes, a_study: Callable, an_oblique_t1_map: T1Map
) -> None:
    study = read_record(a_result.table)
    rows = study.sections
    assert [(row.section, row.verdict) for row in rows] == [(0, "dcm"), (1, "dcm")]
    np.testing.assert_allclose([row.probability_dcm for row in rows], [0.91, 0.81])
    np.testing.assert_allclose([row.confidence for row in rows], [0.97, 0.87])
    assert (rows[0].measures, rows[0].wall_attention) == (SectionMeasures(1043.2, 1021.7, 2703.5, 6.9), 1.17)
    assert rows[0].center_lps_mm == a_study(an_oblique_t1_map).sections[0].center_lps_mm
    assert rows[1].warnings == ("The crop reaches beyond the map.",)
    assert (study.verdict, study.probability_dcm, study.model.name) == ("dcm", 0.91, "acnet-made-up-1.5T")
    assert study.stability == pytest.approx((0.86, 0.94))
    assert study.uncertain_range == (0.2, 0.8)
    assert (study.prevalence_dcm, study.model.training_prior_dcm) == (0.5, 0.5)
    assert study.maps[0].field_strength_tesla == 1.5
    assert (study.maps[0].center_source, study.localizer) == ("localizer", "localizer-made-up")
    assert (study.model.simulated, study.device.device) == (True, "cpu")
    assert study.warnings == ("The map is odd.",)


def test_leaving_a_section_out_pools_the_others_and_it_can_be_taken_back(a_result: ResultNodes) -> None:
    before = read_record(a_result.table)
    leave_out(a_result.table, {0})
    study = read_record(a_result.table)
    rows = study.sections
    assert [row.left_out for row in rows] == [1, 0]
    assert study.probability_dcm == pytest.approx(sigmoid(log_odds_of(0.91) - 0.5))  # of the second section alone
    assert study.stability[0] < study.probability_dcm < study.stability[1]
    with pytest.raises(ACNetError, match="at least one"):
        leave_out(a_result.table, {0, 1})
    assert read_record(a_result.table) == study
    leave_out(a_result.table, ())
    assert [row.left_out for row in read_record(a_result.table).sections] == [0, 0]
    assert read_record(a_result.table).sections == before.sections


def test_a_section_that_was_not_judged_has_neither_row_nor_crop_box(
    a_study: Callable, an_oblique_t1_map: T1Map, a_volume_node: Volume, a_scene: Scene
) -> None:
    study = a_study(an_oblique_t1_map)
    nodes = show_exam(with_map(study, sections=study.sections[1:]), [a_volume_node], a_scene)[0]
    assert [row.section for row in read_record(nodes.table).sections] == [1]
    assert list(nodes.crop_boxes) == [1]


def test_what_could_not_be_measured_is_nan_also_in_a_saved_scene(
    a_study: Callable, an_oblique_t1_map: T1Map, a_volume_node: Volume, a_scene: Scene, tmp_path: Path
) -> None:
    study = a_study(an_oblique_t1_map)
    unmeasured = tuple(replace(section, measures=None) for section in study.sections)
    nodes = show_exam(with_map(study, sections=unmeasured), [a_volume_node], a_scene)[0]
    save_scene(a_scene, tmp_path / "scene.mrb")
    scene = open_bundle(tmp_path / "scene.mrb", tmp_path / "opened")
    for table in (nodes.table, result_of(scene.GetFirstNodeByName("short axis"), scene).table):
        row = read_record(table).sections[0]
        measures = row.known_measures
        assert np.isnan([measures.septal_t1_ms, measures.cavity_area_mm2, measures.wall_thickness_mm]).all()
        assert row.probability_dcm == pytest.approx(0.91)


def test_each_crop_box_is_its_section_grid_as_thick_as_a_section(
    a_result: ResultNodes, a_study: Callable, an_oblique_t1_map: T1Map
) -> None:
    sections = a_study(an_oblique_t1_map).sections
    assert list(a_result.crop_boxes) == [section.section for section in sections]
    for section in sections:
        box, grid = (
            a_result.crop_boxes[section.section],
            SectionGrid.around(an_oblique_t1_map, section.section, section.center_lps_mm),
        )
        np.testing.assert_allclose(crop_box_center(box), grid.center_mm, atol=1e-6)
        np.testing.assert_allclose(box.GetSize(), (128.0, 128.0, 8.0))
        axes = slicer.util.arrayFromVTKMatrix(box.GetObjectToNodeMatrix())[:3, :2].T * (-1, -1, 1)
        np.testing.assert_allclose(axes, (grid.row_axis, grid.column_axis), atol=1e-6)


def test_the_first_result_sets_the_t1_window_of_its_field_strength_and_turns_a_view_into_the_slices(
    a_result: ResultNodes, a_volume_node: Volume, an_oblique_t1_map: T1Map, a_scene: Scene
) -> None:
    display = a_volume_node.GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (700.0, 1300.0)
    normal = an_oblique_t1_map.normal * (-1, -1, 1)
    to_ras = [slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS()) for view in nodes_of(a_scene, "vtkMRMLSliceNode")]
    (in_plane,) = [matrix for matrix in to_ras if abs(matrix[:3, 2] @ normal) > 0.999]
    section = an_oblique_t1_map.section_center(1) * (-1, -1, 1)
    assert (in_plane[:3, 3] - section) @ normal == pytest.approx(0.0, abs=1e-6)


def folder_of(node: slicer.vtkMRMLNode, hierarchy: slicer.vtkMRMLSubjectHierarchyNode) -> int:
    return hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))


def test_the_outputs_are_in_one_folder_beside_the_input(
    an_oblique_t1_map: T1Map, a_study: Callable, a_scene: Scene
) -> None:
    volume = add_t1_map(an_oblique_t1_map, a_scene)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    study_item = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(volume), study_item)

    result = show_exam(a_study(an_oblique_t1_map), [volume], a_scene)[0]

    nodes = (result.table, *result.labels.values(), *result.maps.values(), *result.crop_boxes.values())
    (folder,) = {folder_of(node, hierarchy) for node in nodes}
    assert hierarchy.GetItemParent(folder) == study_item


def test_running_again_brings_the_outputs_up_to_date_and_touches_nothing_else(
    a_result: ResultNodes, a_study: Callable, a_volume_node: Volume, a_scene: Scene
) -> None:
    own_label = a_scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", a_result.labels["combined"].GetName())
    own_markup = a_scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "mine")
    a_volume_node.GetDisplayNode().SetWindowLevelMinMax(500.0, 1500.0)
    a_result.table.SetName("renamed")
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    folder = folder_of(a_result.table, hierarchy)
    hierarchy.SetItemParent(hierarchy.CreateItem(hierarchy.GetSceneItemID(), own_markup), folder)
    count, names = a_scene.GetNumberOfNodes(), names_of_data(a_scene)
    t1_map = t1_map_from_volume_node(a_volume_node)
    study = a_study(t1_map, t1_map.center + np.array([5.0, 0.0, 0.0]), probability_dcm=0.3)

    again = show_exam(study, [a_volume_node], a_scene)[0]

    assert again == a_result
    assert (a_scene.GetNumberOfNodes(), names_of_data(a_scene)) == (count, names)
    assert own_label.GetImageData() is None
    assert folder_of(own_markup, hierarchy) == folder_of(again.table, hierarchy) == folder
    assert a_volume_node.GetDisplayNode().GetWindowLevelMin() == 500.0
    assert read_record(again.table).verdict == "uncertain"
    np.testing.assert_array_equal(
        slicer.util.arrayFromVolume(again.labels["combined"]), study.images[0].bands["combined"]
    )
    np.testing.assert_allclose(crop_box_center(again.crop_boxes[1]), study.sections[1].center_lps_mm, atol=1e-6)


def test_outputs_that_the_new_result_does_not_have_go_and_come_back(
    a_result: ResultNodes, a_study: Callable, an_oblique_t1_map: T1Map, a_volume_node: Volume, a_scene: Scene
) -> None:
    study, count = a_study(an_oblique_t1_map), a_scene.GetNumberOfNodes()
    gone = a_result.crop_boxes[1]
    nodes = show_exam(with_map(study, sections=study.sections[:1]), [a_volume_node], a_scene)[0]
    assert list(nodes.crop_boxes) == [0]
    assert not a_scene.IsNodePresent(gone)
    for node in (nodes.labels["combined"].GetDisplayNode(), nodes.labels["combined"]):
        a_scene.RemoveNode(node)
    nodes = show_exam(study, [a_volume_node], a_scene)[0]
    assert list(nodes.crop_boxes) == [0, 1]
    assert nodes == result_of(a_volume_node, a_scene)
    assert a_scene.GetNumberOfNodes() == count


def test_a_users_copy_of_an_output_is_kept(
    a_result: ResultNodes, a_study: Callable, a_volume_node: Volume, a_scene: Scene
) -> None:
    copy = a_scene.CopyNode(a_result.table)
    show_exam(a_study(t1_map_from_volume_node(a_volume_node), probability_dcm=0.3), [a_volume_node], a_scene)
    assert read_record(copy).probability_dcm == 0.91
    assert read_record(a_result.table).probability_dcm == 0.3


def test_a_copy_of_the_input_has_no_result_yet_and_leaves_that_of_the_input_alone(
    a_result: ResultNodes, a_study: Callable, a_volume_node: Volume, a_scene: Scene
) -> None:
    copy = a_scene.CopyNode(a_volume_node)
    assert find_result(copy, a_scene) is None
    show_exam(a_study(t1_map_from_volume_node(copy), probability_dcm=0.3), [copy], a_scene)
    assert read_record(a_result.table).probability_dcm == 0.91


def test_outputs_that_the_user_moved_stay_where_they_are(
    a_result: ResultNodes, a_study: Callable, a_volume_node: Volume, a_scene: Scene
) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(a_scene)
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(a_result.table), hierarchy.GetSceneItemID())
    again = show_exam(a_study(t1_map_from_volume_node(a_volume_node)), [a_volume_node], a_scene)[0]
    assert again.table is a_result.table
    assert folder_of(again.table, hierarchy) == hierarchy.GetSceneItemID()


def test_the_result_of_another_volume_is_kept(
    a_result: ResultNodes, a_study: Callable, an_oblique_t1_map: T1Map, a_scene: Scene
) -> None:
    other = add_t1_map(an_oblique_t1_map, a_scene)
    show_exam(a_study(an_oblique_t1_map, probability_dcm=0.3), [other], a_scene)
    assert read_record(a_result.table).probability_dcm == 0.91
    assert read_record(result_of(other, a_scene).table).probability_dcm == 0.3


def test_a_result_is_found_again_by_its_input(
    a_result: ResultNodes, a_volume_node: Volume, a_scene: Scene, an_oblique_t1_map: T1Map
) -> None:
    assert find_result(a_volume_node, a_scene) == a_result
    assert find_result(add_t1_map(an_oblique_t1_map, a_scene), a_scene) is None


def test_the_table_of_an_older_acnet_is_no_result_and_is_written_anew(
    a_result: ResultNodes, a_study: Callable, an_oblique_t1_map: T1Map, a_volume_node: Volume, a_scene: Scene
) -> None:
    a_result.table.RemoveAttribute(RECORD)
    assert find_result(a_volume_node, a_scene) is None
    show_exam(a_study(an_oblique_t1_map), [a_volume_node], a_scene)
    assert find_result(a_volume_node, a_scene) == a_result


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
    assert read_record(result.table) == read_record(a_result.table)
    study = a_study(an_oblique_t1_map)
    label = result.labels["combined"]
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(label), study.images[0].bands["combined"])
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(result.labels[VENTRICLE]), study.images[0].ventricle)
    values = slicer.util.arrayFromVolume(result.maps["combined"])
    np.testing.assert_allclose(values, study.images[0].attention["combined"], atol=1e-6)
    np.testing.assert_allclose(ijk_to_ras(label), ijk_to_ras(volume), atol=1e-6)
    assert label.GetDisplayNode().GetColorNode().GetColorName(5) == BAND_NAMES[4]
    composite = scene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode")
    assert composite.GetLabelVolumeID() == label.GetID()
    assert t1_map_from_volume_node(volume).field_strength_tesla == 1.5
    np.testing.assert_allclose(crop_box_center(result.crop_boxes[0]), study.sections[0].center_lps_mm, atol=1e-3)


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


def test_the_table_keeps_the_reference_and_the_range_that_follows_from_it(
    a_study: Callable, an_oblique_t1_map: T1Map, a_volume_node: Volume, a_scene: Scene
) -> None:
    study = a_study(an_oblique_t1_map)
    card = replace(study.model, uncertain_range_without_reference=(0.05, 0.95))
    table = show_exam(replace(study, model=card), [a_volume_node], a_scene)[0].table
    summary = read_record(table)
    assert summary.uncertain_range == (0.05, 0.95)
    assert reference_text(summary).startswith("No reference T1 of this scanner was given")
    assert summary.reference is None
    leave_out(table, {1})
    assert read_record(table).verdict == "uncertain", "0.91 lies within the wider range"

    known = replace(study, model=replace(card, normal_t1_ms=(996.0, 31.0)), reference=ReferenceT1(1012.0, 28.0))
    summary = read_record(show_exam(known, [a_volume_node], a_scene)[0].table)
    assert summary.uncertain_range == (0.2, 0.8)
    assert summary.reference == ReferenceT1(1012.0, 28.0)


def test_a_map_judged_by_reference_has_a_result_without_field_strength(
    a_study: Callable, an_oblique_t1_map: T1Map, a_volume_node: Volume, a_scene: Scene
) -> None:
    study = a_study(replace(an_oblique_t1_map, field_strength_tesla=None))
    nodes = show_exam(replace(study, reference=ReferenceT1(1012.0)), [a_volume_node], a_scene)[0]
    assert read_record(nodes.table).maps[0].field_strength_tesla is None

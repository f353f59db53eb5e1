"""Base and apex that were planned one by one, two volumes in Slicer with one result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.errors import VentricleNotFound
from ACNetLib.inference.exam import pool_exam
from ACNetLib.scene.crop_boxes import crop_box_center
from ACNetLib.scene.output import add_t1_map, find_result, save_scene
from ACNetLib.scene.table import read_record
from ACNetLib.t1map.t1_map import T1Map
from panel_fixtures import (
    StandInClassifier,
    choose,
    classify,
    composites,
    open_bundle,
    result_of,
    start,
    tick,
    wait_for_end,
)
from slicer_host import wait_until


@pytest.fixture
def an_apex(an_oblique_t1_map: T1Map) -> T1Map:
    """One slice, 30 mm from the first one of the other map."""
    image = sitk.Image(an_oblique_t1_map.planes[0])
    image.SetOrigin((np.array(image.GetOrigin()) + 30 * an_oblique_t1_map.normal).tolist())
    return replace(an_oblique_t1_map, image=image, name="apex")


@pytest.fixture
def apex_volume(a_volume: Volume, an_apex: T1Map) -> Volume:
    return add_t1_map(an_apex, slicer.mrmlScene)


@pytest.fixture
def an_exam(a_module: Any, ui: Any, a_volume: Volume, apex_volume: Volume) -> tuple[Volume, Volume]:
    """Both volumes, classified together."""
    ui.volumeSelector.setCurrentNode(a_volume)
    ui.otherSlicesSelector.check(apex_volume)
    classify(a_module, a_volume)
    return a_volume, apex_volume


def shown_volume() -> Volume:
    (volume_id,) = {composite.GetBackgroundVolumeID() for composite in composites()}
    return slicer.mrmlScene.GetNodeByID(volume_id)


def first_cells(ui: Any) -> list[str]:
    return [ui.sectionTable.item(row, 1).text() for row in range(ui.sectionTable.rowCount)]


def test_several_volumes_give_one_result_and_each_its_own_overlay(
    an_exam: tuple[Volume, Volume], ui: Any, a_study: Callable, an_oblique_t1_map: T1Map, an_apex: T1Map
) -> None:
    studies = [a_study(t1_map) for t1_map in (an_oblique_t1_map, an_apex)]
    expected = pool_exam(studies)
    assert first_cells(ui) == ["short axis: 0", "short axis: 1", "apex: 0"]
    assert f"<b>{100 * expected.probability_dcm:.0f} %</b>" in ui.verdictLabel.text
    assert "Slice short axis: 1: The crop reaches beyond the map." in ui.studyLabel.text
    for volume, study in zip(an_exam, studies, strict=True):
        nodes = result_of(volume)
        assert read_record(nodes.table).probability_dcm == pytest.approx(expected.probability_dcm)
        assert len(read_record(nodes.table).sections) == 3
        np.testing.assert_array_equal(
            slicer.util.arrayFromVolume(nodes.labels["combined"]), study.images[0].bands["combined"]
        )
    assert shown_volume() is an_exam[0]


def test_the_panel_says_before_apply_what_is_classified_together_and_what_can_not_be(
    a_module: Any, ui: Any, a_volume: Volume, apex_volume: Volume, an_oblique_t1_map: T1Map
) -> None:
    ui.volumeSelector.setCurrentNode(a_volume)
    ui.otherSlicesSelector.check(apex_volume)
    assert "\nTogether with apex: 1 slice." in ui.checkLabel.text
    assert "with another T1 map" in ui.optionsLabel.text
    assert ui.applyButton.enabled
    choose(ui.sectionsComboBox, "current")
    assert (ui.applyButton.enabled, ui.applyButton.toolTip[:17]) == (False, "Choose all slices")
    choose(ui.sectionsComboBox, "all")
    again = add_t1_map(replace(an_oblique_t1_map, name="again"), slicer.mrmlScene)
    ui.otherSlicesSelector.check(again)
    assert "short axis and again: they lie at the same place" in ui.checkLabel.text
    assert not ui.applyButton.enabled
    slicer.mrmlScene.RemoveNode(again)
    a_module.widget.panel._update()
    assert ui.applyButton.enabled


def test_a_click_on_a_row_shows_its_volume_and_its_slice(
    an_exam: tuple[Volume, Volume], ui: Any, an_apex: T1Map
) -> None:
    base, apex = an_exam
    ui.sectionTable.cellClicked.emit(2, 0)
    assert shown_volume() is apex
    assert composites()[0].GetLabelVolumeID() == result_of(apex).labels["combined"].GetID()
    view = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    shown = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())[:3, 3] * (-1, -1, 1)
    assert (shown - an_apex.center) @ an_apex.normal == pytest.approx(0, abs=1e-3)
    choose(ui.overlayComboBox, "ventricle")
    assert composites()[0].GetLabelVolumeID() == result_of(apex).labels["ventricle"].GetID()
    assert ui.volumeSelector.currentNode() is base
    assert len(first_cells(ui)) == 3
    ui.sectionTable.cellClicked.emit(0, 0)
    assert shown_volume() is base


def test_a_slice_that_is_left_out_is_left_out_for_all_volumes(
    a_module: Any, an_exam: tuple[Volume, Volume], ui: Any
) -> None:
    tick(ui.sectionTable, 2)
    runs = [a_module.widget.panel.logic.run(volume) for volume in an_exam]
    assert runs[0] is runs[1]
    left_out = [[section.left_out for section in each.sections] for each in runs[0].study.maps]
    assert left_out == [[False, False], [True]]
    for volume in an_exam:
        study = read_record(result_of(volume).table)
        rows = study.sections
        assert [row.left_out for row in rows] == [0, 0, 1]
        assert study.probability_dcm == pytest.approx(runs[0].study.probability_dcm)
    assert "Left out of the study: slice apex: 0." in ui.studyLabel.text


def test_a_moved_box_of_any_volume_pools_the_exam_anew(
    a_module: Any, an_exam: tuple[Volume, Volume], ui: Any, a_classifier: StandInClassifier
) -> None:
    tick(ui.sectionTable, 2)  # all slices of this map: it can be moved all the same
    ui.sectionTable.cellClicked.emit(2, 0)
    box = result_of(an_exam[1]).crop_boxes[0]
    box.SetCenterWorld(*np.add(box.GetCenterWorld(), (6.0, 0.0, 0.0)))
    place = crop_box_center(box)
    wait_until(lambda: bool(a_classifier.moves))
    wait_for_end(a_module)
    assert a_classifier.moves[0][0] == 2
    np.testing.assert_allclose(a_classifier.moves[0][1], place, atol=1e-6)
    for volume in an_exam:
        rows = read_record(result_of(volume).table).sections
        assert [row.probability_dcm for row in rows] == pytest.approx([0.91, 0.81, 0.6])
        assert [row.left_out for row in rows] == [0, 0, 1]
    assert shown_volume() is an_exam[1]


def test_a_volume_without_a_heart_is_a_note_also_where_it_is_the_chosen_one(
    a_module: Any, ui: Any, a_volume: Volume, apex_volume: Volume, a_classifier: StandInClassifier, a_study: Callable
) -> None:
    def answer(t1_map: T1Map, center_mm: Any) -> Any:
        if t1_map.name == "short axis":
            raise VentricleNotFound("short axis: the left ventricle was not found.")
        return a_study(t1_map, center_mm)

    a_classifier.answer = answer
    ui.volumeSelector.setCurrentNode(a_volume)
    ui.otherSlicesSelector.check(apex_volume)
    classify(a_module, a_volume)
    assert "short axis was left out: the left ventricle was not found." in ui.studyLabel.text
    assert first_cells(ui) == ["0"]
    assert shown_volume() is apex_volume
    assert find_result(a_volume, slicer.mrmlScene) is None


@pytest.mark.parametrize("chosen", [True, False])
def test_an_exam_of_which_the_first_volume_is_removed_while_it_is_classified_has_its_result_by_the_others(
    a_module: Any, ui: Any, a_volume: Volume, apex_volume: Volume, a_classifier: StandInClassifier, chosen: bool
) -> None:
    ui.volumeSelector.setCurrentNode(a_volume)
    ui.otherSlicesSelector.check(apex_volume)
    start(a_module, a_volume, a_classifier)
    slicer.mrmlScene.RemoveNode(a_volume)
    ui.volumeSelector.setCurrentNode(apex_volume if chosen else None)
    a_classifier.may_answer.set()
    wait_for_end(a_module)
    assert [each.name for each in read_record(result_of(apex_volume).table).maps] == ["short axis", "apex"]
    if not chosen:
        assert ui.statusLabel.text == "The result is that of apex: choose it as T1 map."
        ui.volumeSelector.setCurrentNode(apex_volume)
    assert first_cells(ui) == ["short axis: 0", "short axis: 1", "apex: 0"]


def test_a_saved_exam_is_there_again(a_module: Any, an_exam: tuple[Volume, Volume], ui: Any, tmp_path: Path) -> None:
    verdict = ui.verdictLabel.text
    save_scene(slicer.mrmlScene, tmp_path / "scene.mrb")
    slicer.mrmlScene.Clear(0)
    assert ui.verdictLabel.text == "No result yet"
    open_bundle(tmp_path / "scene.mrb")
    assert [node.GetName() for node in ui.otherSlicesSelector.checkedNodes()] == ["apex"]
    assert ui.verdictLabel.text == verdict
    ui.sectionTable.cellClicked.emit(2, 0)
    assert shown_volume().GetName() == "apex"
    tick(ui.sectionTable, 0)
    left_out = [row.left_out for row in read_record(result_of(shown_volume()).table).sections]
    assert left_out == [1, 0, 0]


def test_a_volume_that_is_classified_alone_again_is_no_longer_of_the_exam(
    a_module: Any, an_exam: tuple[Volume, Volume], ui: Any
) -> None:
    from ACNetLib.scene.exam import results_of_exam

    base, apex = an_exam
    a_module.widget.panel.logic.classify(apex)
    assert [each.name for each in read_record(result_of(apex).table).maps] == ["apex"]
    assert [each.t1_volume for each in results_of_exam(result_of(base), slicer.mrmlScene)] == [base]
    assert [each.t1_volume for each in results_of_exam(result_of(apex), slicer.mrmlScene)] == [apex]


def test_the_logic_classifies_an_exam_without_panel(a_module: Any, a_volume: Volume, apex_volume: Volume) -> None:
    from ACNetLib.panel.logic import Choices

    nodes = a_module.widget.panel.logic.classify(a_volume, Choices(other_slices=[apex_volume]))
    assert [each.of_map.name for each in read_record(nodes.table).slices] == ["short axis", "short axis", "apex"]


def test_where_one_map_lacks_its_colours_no_map_of_the_exam_is_made_a_segmentation(
    an_exam: tuple[Volume, Volume], ui: Any, raised: list[BaseException]
) -> None:
    slicer.mrmlScene.RemoveNode(result_of(an_exam[1]).labels["combined"].GetDisplayNode().GetColorNode())
    ui.segmentationButton.click()
    assert ui.statusLabel.text.startswith("apex: the label map of its result is gone, or its colours are")
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 0
    assert raised == []


def test_another_t1_map_ends_the_exam_unless_it_is_of_it(
    ui: Any, a_volume: Volume, apex_volume: Volume, an_oblique_t1_map: T1Map
) -> None:
    """The ticked ones may be those of the patient before."""
    ui.volumeSelector.setCurrentNode(a_volume)
    ui.otherSlicesSelector.check(apex_volume)
    ui.volumeSelector.setCurrentNode(apex_volume)
    assert ui.otherSlicesSelector.checkedNodes() == (a_volume,)
    ui.volumeSelector.setCurrentNode(add_t1_map(replace(an_oblique_t1_map, name="another"), slicer.mrmlScene))
    assert ui.otherSlicesSelector.checkedNodes() == ()


def test_a_map_that_was_classified_alone_since_keeps_its_own_result(
    an_exam: tuple[Volume, Volume], a_module: Any, ui: Any, a_classifier: StandInClassifier
) -> None:
    base, apex = an_exam
    logic = a_module.widget.panel.logic
    logic.classify(apex)
    tick(ui.sectionTable, 0)  # of the exam
    assert read_record(result_of(base).table).sections[0].left_out
    assert [each.name for each in read_record(result_of(apex).table).maps] == ["apex"]
    assert not read_record(result_of(apex).table).sections[0].left_out
    assert logic.run(base) is None  # a slice that is cut anew would write the result of the apex, too
    assert logic.run(apex) is not None
    assert not ui.moveCropButton.enabled

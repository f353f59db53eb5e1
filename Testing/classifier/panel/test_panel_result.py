"""The middle and lower part of the panel: the result, what the user changes of it, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.errors import ACNetError
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.scene.crop_boxes import crop_box_center
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import add_t1_map
from ACNetLib.scene.table import read_record
from ACNetLib.t1map.t1_map import T1Map
from conftest import with_map
from panel_fixtures import StandInClassifier, choose, classify, composites, tick, wait_for_end
from slicer_host import wait_until

PANEL_WIDTH = 430
"""As wide as Slicer's module panel is at first."""


def table_texts(table: Any) -> list[list[str]]:
    """Of all columns but that of the ticks."""
    return [[table.item(row, column).text() for column in range(1, table.columnCount)] for row in range(table.rowCount)]


def move(nodes: ResultNodes, section: int, by_mm: np.ndarray) -> np.ndarray:
    """Drag a crop box; returns where it is then, LPS mm."""
    box = nodes.crop_boxes[section]
    box.SetCenterWorld(*(np.array(box.GetCenterWorld()) + by_mm * (-1, -1, 1)))
    return crop_box_center(box)


def test_the_panel_says_the_verdict_how_it_came_about_and_each_section(
    a_module: Any, ui: Any, a_volume: Volume
) -> None:
    assert (ui.verdictLabel.text, ui.sectionTable.rowCount) == ("No result yet", 0)
    assert "Research use only" in ui.researchLabel.text
    assert "DCM against normal only" in ui.researchLabel.text
    classify(a_module, a_volume)
    assert "DCM" in ui.verdictLabel.text
    assert "#a63a24" in ui.verdictLabel.text
    assert ui.verdictLabel.text.endswith("probability of DCM <b>91 %</b> (stability: 86 % to 94 %)")
    for said in (
        "acnet-made-up-1.5T",
        "cpu",
        "The map is odd.",
        "Attention: not validated as an explanation.",
        "Slice 1: The crop reaches beyond the map.",
        "trained on simulated data",
        "Left ventricle: found by localizer-made-up.",
        "Normal below 20 %, DCM from 80 % on, uncertain between.",
        "Prevalence of DCM: 50 %, as in the model's training.",
        "Field strength: 1.5 T.",
    ):
        assert said in ui.studyLabel.text
    assert table_texts(ui.sectionTable) == [
        ["0", "91 %", "DCM", "97 %", "1043", "1.17", ""],
        ["1", "81 %", "DCM", "87 %", "1043", "1.07", "The crop reaches beyond the map."],
    ]


@pytest.mark.parametrize(
    ("probability", "word", "color"),
    [(0.91, "DCM", "#a63a24"), (0.5, "Uncertain", "#7d6300"), (0.06, "Normal", "#2a64a0")],
)
def test_a_verdict_is_said_in_words_and_colour(
    a_module: Any,
    ui: Any,
    a_volume: Volume,
    a_classifier: StandInClassifier,
    a_study: Callable,
    probability: float,
    word: str,
    color: str,
) -> None:
    a_classifier.answer = lambda t1_map, center_mm: a_study(t1_map, center_mm, probability_dcm=probability)
    classify(a_module, a_volume)
    assert f"background-color:{color}" in ui.verdictLabel.text
    assert f";{word}&" in ui.verdictLabel.text


def test_a_rounded_probability_does_not_speak_against_its_verdict(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, a_study: Callable
) -> None:
    a_classifier.answer = lambda t1_map, center_mm: a_study(t1_map, center_mm, probability_dcm=0.796)
    classify(a_module, a_volume)
    assert "Uncertain" in ui.verdictLabel.text
    assert "probability of DCM <b>79.6 %</b> (stability: 75 % to 83 %)" in ui.verdictLabel.text
    assert table_texts(ui.sectionTable)[0][1:3] == ["79.6 %", "Uncertain"]
    assert "DCM from 80 % on" in ui.studyLabel.text


def test_no_probability_is_said_to_be_certain_and_what_is_unknown_is_a_dash(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, a_study: Callable
) -> None:
    def extreme(t1_map: T1Map, center_mm: Any) -> Any:
        study = a_study(t1_map, center_mm, probability_dcm=0.9999)
        sections = tuple(
            replace(section, measures=None, confidence=1.0, wall_attention=float("nan")) for section in study.sections
        )
        return replace(with_map(study, sections=sections), stability=(0.001, 1.0))

    a_classifier.answer = extreme
    classify(a_module, a_volume)
    assert ui.verdictLabel.text.endswith("<b>&gt; 99 %</b> (stability: &lt; 1 % to &gt; 99 %)")
    assert table_texts(ui.sectionTable)[0] == ["0", "> 99 %", "DCM", "given", "-", "-", ""]


def test_a_result_fits_into_a_narrow_panel(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, a_study: Callable
) -> None:
    a_classifier.answer = lambda t1_map, center_mm: a_study(t1_map, center_mm, probability_dcm=0.75)  # the longest word
    panel = a_module.widget.parent
    panel.resize(PANEL_WIDTH, 860)
    panel.show()
    a_volume.SetName("a name that is much longer than any panel is wide " * 3)
    classify(a_module, a_volume)
    slicer.app.processEvents()
    assert panel.width <= PANEL_WIDTH
    table = ui.sectionTable
    widths = [table.columnWidth(column) for column in range(table.columnCount)]
    assert sum(widths) <= table.viewport().width
    assert table.item(1, table.columnCount - 1).toolTip() == "The crop reaches beyond the map."


@pytest.mark.parametrize(
    "label", ["checkLabel", "noticeLabel", "optionsLabel", "statusLabel", "studyLabel", "listLabel", "listStatusLabel"]
)
def test_a_long_path_is_cut_at_the_panels_edge_and_whole_in_the_tool_tip(a_module: Any, ui: Any, label: str) -> None:
    from ACNetLib.panel import labels

    panel, path = a_module.widget.panel.widget, "C:\\Users\\radiology\\" + "a_long_name_of_a_folder\\" * 5
    panel.show()
    ui.listCollapsibleButton.collapsed = False
    narrow = panel.minimumSizeHint().width()
    labels.say(getattr(ui, label), f"Report written: {path}")
    slicer.app.processEvents()
    assert panel.minimumSizeHint().width() == narrow
    assert path in getattr(ui, label).toolTip
    labels.say(getattr(ui, label), "Short words.")
    assert getattr(ui, label).toolTip == ""


def test_the_panel_says_the_reference_and_the_z_scores_of_what_counts(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, a_study: Callable
) -> None:
    def with_reference(t1_map: T1Map, center_mm: Any) -> Any:
        study = a_study(t1_map, center_mm)
        first, second = study.sections
        assert first.measures is not None
        higher = replace(second, measures=replace(first.measures, septal_t1_ms=1103.2))
        return replace(with_map(study, sections=(first, higher)), reference=ReferenceT1(983.2, 30.0))

    classify(a_module, a_volume)
    assert "No reference T1 of this scanner was given" in ui.studyLabel.text
    assert "Septal T1: 1043 ms, the median of the slices." in ui.studyLabel.text
    assert "z-score" not in ui.studyLabel.text
    a_classifier.answer = with_reference
    classify(a_module, a_volume)
    assert "Reference T1 of this scanner, given: 983 ± 30 ms." in ui.studyLabel.text
    assert "Septal T1: 1073 ms, the median of the slices." in ui.studyLabel.text
    assert "z-score against the reference T1: +3.0 (slice 0: +2.0, slice 1: +4.0)." in ui.studyLabel.text
    tick(ui.sectionTable, 1)
    assert "Septal T1: 1043 ms, the median of the slices." in ui.studyLabel.text
    assert "+2.0 (slice 0: +2.0)." in ui.studyLabel.text


@pytest.mark.parametrize("signal", ["cellClicked", "cellActivated"])
def test_a_click_on_a_row_or_enter_shows_its_section(
    a_result: ResultNodes, ui: Any, an_oblique_t1_map: T1Map, signal: str
) -> None:
    red = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    for section in (1, 0):
        getattr(ui.sectionTable, signal).emit(section, 2)
        shown = slicer.util.arrayFromVTKMatrix(red.GetSliceToRAS())[:3, 3] * (-1, -1, 1)
        normal = an_oblique_t1_map.normal
        assert (shown - an_oblique_t1_map.section_center(section)) @ normal == pytest.approx(0, abs=1e-3)


def test_a_tick_leaves_the_section_out_and_the_study_is_recomputed(
    a_module: Any, a_result: ResultNodes, ui: Any, a_classifier: StandInClassifier
) -> None:
    before = ui.verdictLabel.text
    tick(ui.sectionTable, 0)
    study = read_record(a_result.table)
    rows = study.sections
    assert [row.left_out for row in rows] == [1, 0]
    assert study.probability_dcm < 0.91
    assert f"<b>{100 * study.probability_dcm:.0f} %</b>" in ui.verdictLabel.text
    assert "Left out of the study: slice 0." in ui.studyLabel.text
    run = a_module.widget.panel.logic.run(a_result.t1_volume)
    assert [section.left_out for section in run.study.sections] == [True, False]
    assert run.study.probability_dcm == pytest.approx(study.probability_dcm)
    tick(ui.sectionTable, 0, ticked=False)
    assert ui.verdictLabel.text != before  # pooled from the sections: the made-up study's own number was another
    assert "Left out" not in ui.studyLabel.text
    assert len(a_classifier.calls) == 1


def test_the_last_section_can_not_be_left_out(a_result: ResultNodes, ui: Any) -> None:
    import qt

    tick(ui.sectionTable, 0)
    tick(ui.sectionTable, 1)
    assert "expected at least one that counts" in ui.statusLabel.text
    assert ui.sectionTable.item(1, 0).checkState() == qt.Qt.Unchecked
    assert [row.left_out for row in read_record(a_result.table).sections] == [1, 0]


def test_a_moved_crop_box_has_its_section_classified_anew(
    a_module: Any, a_result: ResultNodes, ui: Any, a_classifier: StandInClassifier
) -> None:
    tick(ui.sectionTable, 0)
    place = move(a_result, 1, np.array([6.0, 0.0, 0.0]))
    wait_until(lambda: bool(a_classifier.moves))
    wait_for_end(a_module)
    (section, center_mm), rows = a_classifier.moves[0], read_record(a_result.table).sections
    assert section == 1
    np.testing.assert_allclose(center_mm, place, atol=1e-6)
    assert rows[1].probability_dcm == pytest.approx(0.5)
    assert [row.left_out for row in rows] == [1, 0]  # what the reader chose stays
    assert (len(a_classifier.calls), len(a_classifier.moves)) == (1, 1)


def test_a_box_that_can_not_be_classified_there_goes_back(
    a_module: Any, a_result: ResultNodes, ui: Any, a_classifier: StandInClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object, **_named: object) -> None:
        raise ACNetError("80% of the crop of slice 1 lies outside the map.")

    monkeypatch.setattr(a_classifier, "move_section", refuse)
    before = crop_box_center(a_result.crop_boxes[1])
    move(a_result, 1, np.array([90.0, 0.0, 0.0]))
    wait_until(lambda: "lies outside the map" in ui.statusLabel.text)
    np.testing.assert_allclose(crop_box_center(a_result.crop_boxes[1]), before, atol=1e-6)


def test_boxes_can_be_moved_only_when_their_section_can_be_classified_anew(
    a_module: Any, a_result: ResultNodes, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    ui = a_module.widget.panel.ui
    boxes = list(a_result.crop_boxes.values())
    assert all(box.GetLocked() for box in boxes)
    ui.moveCropButton.click()
    assert not any(box.GetLocked() for box in boxes)
    a_classifier.may_answer.clear()
    ui.applyButton.click()
    assert all(box.GetLocked() for box in boxes)
    a_classifier.may_answer.set()
    wait_for_end(a_module)
    assert not any(box.GetLocked() for box in boxes)
    a_module.widget.panel.logic.forget_runs()  # as in a scene that was opened from a file
    a_module.enter()
    assert not ui.moveCropButton.enabled
    assert all(box.GetLocked() for box in boxes)


def test_overlay_style_and_opacity_are_shown_without_another_run(
    a_module: Any, ui: Any, a_volume: Volume, a_result: ResultNodes, a_classifier: StandInClassifier
) -> None:
    ui.opacitySlider.value = 0.2
    for overlay in ("module_2", "ventricle"):
        choose(ui.overlayComboBox, overlay)
        for composite in composites():
            assert composite.GetLabelVolumeID() == a_result.labels[overlay].GetID()
            assert composite.GetLabelOpacity() == pytest.approx(0.2)
    assert not ui.styleComboBox.enabled  # the ventricle has no heat map
    choose(ui.overlayComboBox, "module_1")
    choose(ui.styleComboBox, "heat")
    for composite in composites():
        assert composite.GetForegroundVolumeID() == a_result.maps["module_1"].GetID()
        assert composite.GetForegroundOpacity() == pytest.approx(0.2)
    assert len(a_classifier.calls) == 1


def test_crop_boxes_are_hidden_at_first_outlines_when_asked_for_and_have_a_handle_while_they_are_moved(
    a_module: Any, ui: Any, a_result: ResultNodes
) -> None:
    displays = [box.GetDisplayNode() for box in a_result.crop_boxes.values()]

    def shown() -> tuple[set[int], set[bool]]:
        return {each.GetVisibility() for each in displays}, {each.GetHandlesInteractive() for each in displays}

    assert shown() == ({0}, {False})
    ui.cropBoxesCheckBox.click()
    assert shown() == ({1}, {False})
    ui.cropBoxesCheckBox.click()
    ui.moveCropButton.click()
    assert shown() == ({1}, {True})
    a_module.exit()
    a_module.enter()
    assert shown() == ({0}, {False})
    assert not ui.moveCropButton.checked


def test_the_polar_map_is_shown_of_three_slices_and_a_slice_left_out_empties_its_level_alone(
    a_module: Any, ui: Any, a_volume: Volume, three_slices: T1Map
) -> None:
    classify(a_module, a_volume)  # two slices
    assert ui.segmentsLabel.isHidden()
    volume = add_t1_map(three_slices, slicer.mrmlScene)
    classify(a_module, volume)
    assert not ui.segmentsLabel.isHidden()
    assert ui.segmentsLabel.pixmap.width() == 240
    of_all = ui.segmentsLabel.pixmap.toImage()
    tick(ui.sectionTable, 0)
    assert not ui.segmentsLabel.isHidden()
    assert ui.segmentsLabel.pixmap.toImage() != of_all
    tick(ui.sectionTable, 0, ticked=False)
    assert ui.segmentsLabel.pixmap.toImage() == of_all
    ui.volumeSelector.setCurrentNode(a_volume)
    assert ui.segmentsLabel.isHidden()


def test_t1_colours_are_shown_by_a_click(ui: Any, a_result: ResultNodes) -> None:
    for colors in ("lipari", "navia"):
        choose(ui.t1ColorsComboBox, colors)
        assert a_result.t1_volume.GetDisplayNode().GetColorNode().GetName() == f"T1 {colors}"
    choose(ui.t1ColorsComboBox, "gray")
    assert a_result.t1_volume.GetDisplayNode().GetColorNodeID() == "vtkMRMLColorTableNodeGrey"


def test_the_views_are_left_alone_until_the_user_changes_the_overlay(a_module: Any, ui: Any, a_volume: Volume) -> None:
    classify(a_module, a_volume)
    composites()[0].SetLabelVolumeID(None)
    a_module.exit()
    a_module.enter()
    assert composites()[0].GetLabelVolumeID() is None

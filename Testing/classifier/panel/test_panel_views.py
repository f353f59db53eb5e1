"""What the panel makes of Slicer's views: slices as acquired, its own layout while the user is there, and copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util
from slicer import vtkMRMLLayoutNode as Layout
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.scene.input import section_in_view
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import add_t1_map
from ACNetLib.scene.sources import DICOM_INSTANCES, T1_OF_DICOM
from ACNetLib.scene.views import is_shown_as_acquired, slice_view
from ACNetLib.t1map.t1_map import FIELD_STRENGTH_KEY, T1Map
from panel_fixtures import StandInClassifier, choose, classify, composites

PANEL_WIDTH, PANEL_HEIGHT = 430, 560
"""What Slicer leaves to a module above its Data Probe."""


@pytest.fixture(autouse=True)
def a_four_up_layout(a_module: Any) -> Layout:
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    layout.SetViewArrangement(Layout.SlicerLayoutFourUpView)
    return layout


def slice_of(volume: Volume, view: str = "Red") -> int:
    return section_in_view(volume, slice_view(view, slicer.mrmlScene))


def window_of(volume: Volume) -> tuple[float, float]:
    return volume.GetDisplayNode().GetWindowLevelMin(), volume.GetDisplayNode().GetWindowLevelMax()


def test_the_sample_is_shown_as_acquired_in_one_view_with_its_window_and_colour_bar(
    ui: Any, a_four_up_layout: Layout
) -> None:
    ui.sampleButton.click()
    volume = ui.volumeSelector.currentNode()
    assert is_shown_as_acquired(volume, slicer.mrmlScene)
    assert slice_of(volume) == 1  # of three
    assert a_four_up_layout.GetViewArrangement() == Layout.SlicerLayoutOneUpRedSliceView
    assert window_of(volume) == (700, 1300)
    assert slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(volume).GetVisibility()
    assert {composite.GetBackgroundVolumeID() for composite in composites()} == {volume.GetID()}


def test_another_volume_takes_the_place_of_the_first_and_of_its_overlay(
    ui: Any, a_result: ResultNodes, an_oblique_t1_map: T1Map
) -> None:
    other = add_t1_map(an_oblique_t1_map, slicer.mrmlScene)
    ui.volumeSelector.setCurrentNode(other)
    for composite in composites():
        assert (composite.GetBackgroundVolumeID(), composite.GetLabelVolumeID()) == (other.GetID(), None)
    ui.volumeSelector.setCurrentNode(a_result.t1_volume)
    for composite in composites():
        assert composite.GetLabelVolumeID() == a_result.labels["combined"].GetID()


def test_the_window_follows_a_field_strength_that_is_chosen_later(
    ui: Any, a_volume_without_field_strength: Volume
) -> None:
    ui.volumeSelector.setCurrentNode(a_volume_without_field_strength)
    assert window_of(a_volume_without_field_strength) == (0, 2000)
    choose(ui.fieldComboBox, "3")
    assert window_of(a_volume_without_field_strength) == (800, 1600)


def test_a_window_that_the_user_has_set_stays(a_module: Any, ui: Any, a_volume: Volume) -> None:
    ui.volumeSelector.setCurrentNode(a_volume)
    a_volume.GetDisplayNode().SetWindowLevelMinMax(100, 900)
    classify(a_module, a_volume)
    a_module.exit()
    a_module.enter()
    assert window_of(a_volume) == (100, 900)


def test_values_in_seconds_get_neither_a_window_in_ms_nor_a_colour_bar(
    a_module: Any, ui: Any, a_volume: Volume
) -> None:
    slicer.util.updateVolumeFromArray(a_volume, slicer.util.arrayFromVolume(a_volume) / 1000)
    ui.volumeSelector.setCurrentNode(a_volume)
    assert ui.applyButton.enabled
    classify(a_module, a_volume)
    assert slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(a_volume) is None
    assert a_volume.GetDisplayNode().GetAutoWindowLevel()


def test_apply_turns_the_view_back_to_the_slices_and_leaves_it_on_one_of_them(
    a_module: Any, ui: Any, a_volume: Volume
) -> None:
    ui.volumeSelector.setCurrentNode(a_volume)
    red = slice_view("Red", slicer.mrmlScene)
    red.SetOrientation("Axial")
    classify(a_module, a_volume)
    assert is_shown_as_acquired(a_volume, slicer.mrmlScene)
    ui.sectionTable.cellClicked.emit(0, 1)
    classify(a_module, a_volume)
    assert slice_of(a_volume) == 0


def test_two_views_show_one_slice_and_follow_a_click_in_the_table(
    ui: Any, a_result: ResultNodes, a_four_up_layout: Layout
) -> None:
    ui.sideBySideCheckBox.click()
    assert a_four_up_layout.GetViewArrangement() == Layout.SlicerLayoutSideBySideView
    layers = {composite.GetLayoutName(): composite.GetLabelVolumeID() for composite in composites()}
    assert (layers["Red"], layers["Yellow"]) == (None, a_result.labels["combined"].GetID())
    for row in (0, 1):
        ui.sectionTable.cellClicked.emit(row, 1)
        assert (slice_of(a_result.t1_volume, "Red"), slice_of(a_result.t1_volume, "Yellow")) == (row, row)
    ui.sideBySideCheckBox.click()
    assert a_four_up_layout.GetViewArrangement() == Layout.SlicerLayoutOneUpRedSliceView
    assert {composite.GetLabelVolumeID() for composite in composites()} == {a_result.labels["combined"].GetID()}


@pytest.mark.parametrize("side_by_side", [False, True])
def test_the_layout_is_given_back_when_the_user_leaves_and_ours_again_when_he_returns(
    a_module: Any, ui: Any, a_result: ResultNodes, a_four_up_layout: Layout, side_by_side: bool
) -> None:
    a_module.widget.panel.logic.getParameterNode().side_by_side = side_by_side
    ours = a_four_up_layout.GetViewArrangement()
    a_module.exit()
    assert a_four_up_layout.GetViewArrangement() == Layout.SlicerLayoutFourUpView
    assert {composite.GetLabelVolumeID() for composite in composites()} == {a_result.labels["combined"].GetID()}
    a_module.enter()
    assert a_four_up_layout.GetViewArrangement() == ours
    plain = next(composite for composite in composites() if composite.GetLayoutName() == "Red")
    assert (plain.GetLabelVolumeID() is None) == side_by_side


def test_the_layout_is_given_back_when_the_scene_is_closed_and_when_the_module_ends(
    a_module: Any, ui: Any, a_four_up_layout: Layout
) -> None:
    ui.sampleButton.click()
    slicer.mrmlScene.Clear(0)
    assert a_four_up_layout.GetViewArrangement() == Layout.SlicerLayoutFourUpView
    ui.sampleButton.click()
    assert a_four_up_layout.GetViewArrangement() == Layout.SlicerLayoutOneUpRedSliceView
    a_module.widget.panel._display_view.close()  # as at the end, when nobody has left the module before
    assert a_four_up_layout.GetViewArrangement() == Layout.SlicerLayoutFourUpView


def test_without_a_t1_map_the_layout_stays_as_it_is(a_module: Any, a_four_up_layout: Layout) -> None:
    a_module.exit()
    a_module.enter()
    assert a_four_up_layout.GetViewArrangement() == Layout.SlicerLayoutFourUpView


def test_t1_map_apply_verdict_and_table_are_seen_without_scrolling(a_module: Any, ui: Any) -> None:
    import qt

    area = qt.QScrollArea()
    area.setWidgetResizable(True)
    area.setWidget(a_module.widget.parent)
    area.resize(PANEL_WIDTH, PANEL_HEIGHT)
    area.show()
    ui.sampleButton.click()
    classify(a_module, ui.volumeSelector.currentNode())
    slicer.app.processEvents()
    seen = area.viewport()
    for widget in (ui.volumeSelector, ui.applyButton, ui.verdictLabel, ui.sectionTable, ui.optionsLabel):
        corner = widget.mapTo(seen, qt.QPoint(widget.width, widget.height))
        assert widget.visible
        assert corner.x() <= seen.width
        assert corner.y() <= seen.height
    assert ui.sectionTable.rowCount == 3
    a_module.widget.parent.setParent(None)


def copy_of(volume: Volume, name: str, instances: str) -> Volume:
    """As Slicer's plugin for scalar volumes makes it."""
    copy = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    slicer.util.updateVolumeFromArray(copy, slicer.util.arrayFromVolume(volume).astype(np.int16))
    copy.SetAttribute(DICOM_INSTANCES, instances)
    return copy


@pytest.fixture
def ours(a_volume: Volume) -> Volume:
    """As our DICOM plugin loads it."""
    a_volume.SetName("ours")
    a_volume.SetAttribute(DICOM_INSTANCES, "1.1 1.2")
    a_volume.SetAttribute(T1_OF_DICOM, "1")
    return a_volume


def test_our_plugins_volume_is_taken_when_none_is_chosen(a_module: Any, ui: Any, ours: Volume) -> None:
    copy_of(ours, "scalar volume", "1.1 1.2")
    a_module.exit()
    a_module.enter()
    assert ui.volumeSelector.currentNode() is ours
    assert not ui.noticeLabel.isVisibleTo(a_module.widget.parent)


def test_a_volume_that_the_user_has_chosen_is_not_replaced(a_module: Any, ui: Any, ours: Volume) -> None:
    copy = copy_of(ours, "scalar volume", "1.1 1.2")
    ui.volumeSelector.setCurrentNode(copy)
    a_module.exit()
    a_module.enter()
    assert ui.volumeSelector.currentNode() is copy


def test_another_copy_of_the_same_files_is_said_to_be_one(a_module: Any, ui: Any, ours: Volume) -> None:
    from slicer import vtkMRMLSubjectHierarchyNode as Hierarchy

    scalar_volume = copy_of(ours, "scalar volume", "1.1 1.2")
    frame = copy_of(ours, "a sequence's present frame", "1.2")
    proxy = copy_of(ours, "a sequence's volume", "")
    hierarchy = Hierarchy.GetSubjectHierarchyNode(slicer.mrmlScene)
    hierarchy.SetItemUID(hierarchy.CreateItem(hierarchy.GetSceneItemID(), proxy), "DICOMInstanceUID", "1.1 1.2")
    for copy in (scalar_volume, frame, proxy):
        ui.volumeSelector.setCurrentNode(copy)
        assert "another copy of the DICOM files of ours" in ui.noticeLabel.text
        assert ui.noticeLabel.isVisibleTo(a_module.widget.parent)
    ui.volumeSelector.setCurrentNode(ours)
    assert ui.noticeLabel.text == ""
    ui.volumeSelector.setCurrentNode(copy_of(ours, "another series", "2.1"))
    assert ui.noticeLabel.text == ""


def test_a_disabled_module_of_slicer_is_said_in_a_sentence_and_the_rest_works(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, raised: list[BaseException]
) -> None:
    from slicer_host.loadable_modules import disabled

    with disabled("Markups", "Segmentations"):
        a_module.exit()
        a_module.enter()
        assert ui.noticeLabel.text.startswith("Markups and Segmentations is disabled in Slicer's settings: ")
        classify(a_module, a_volume)
        assert "DCM" in ui.verdictLabel.text
        ui.segmentationButton.click()
        assert ui.statusLabel.text.startswith("The module Segmentations is disabled")
        segments = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "segments")
        segments.GetSegmentation().AddEmptySegment("myocardium", "myocardium")
        ui.centerSelector.setCurrentNode(segments)
        classify(a_module, a_volume)
        assert len(a_classifier.calls) == 1
        a_module.exit()
    assert raised == []


def test_nothing_of_slicers_modules_is_needed_at_the_end(
    a_module: Any, ui: Any, a_result: ResultNodes, raised: list[BaseException]
) -> None:
    from slicer_host.loadable_modules import while_instantiating

    ui.moveCropButton.click()
    with while_instantiating(""):  # no class of theirs exists any more
        a_module.exit()
        a_module.widget.cleanup()
    assert raised == []
    assert slicer.mrmlScene.GetNodeByID(a_result.t1_volume.GetID()).GetAttribute(FIELD_STRENGTH_KEY) == "1.5"

"""A scene with parts that are gone or damaged: the panel goes on and says so, and Apply makes the result anew."""

from __future__ import annotations

from typing import Any

import pytest
import slicer
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.table import RECORD
from panel_fixtures import choose, classify, composites


@pytest.mark.parametrize("text", ["", "{", "null", '{"format_version": 1}', "[" * 100_000])
def test_a_result_whose_record_is_damaged_is_none_and_another_run_makes_it_anew(
    a_module: Any, ui: Any, a_result: ResultNodes, a_volume: Volume, raised: list[BaseException], text: str
) -> None:
    a_result.table.SetAttribute(RECORD, text)
    a_volume.Modified()
    assert "No result" in ui.verdictLabel.text
    assert not ui.reportButton.enabled
    assert ui.applyButton.enabled
    classify(a_module, a_volume)
    assert "DCM" in ui.verdictLabel.text
    assert raised == []


@pytest.mark.parametrize("kind", ["labels", "maps"])
def test_a_result_of_which_a_volume_has_no_image_is_shown_without_it(
    ui: Any, a_result: ResultNodes, a_volume: Volume, raised: list[BaseException], kind: str
) -> None:
    getattr(a_result, kind)["combined"].SetAndObserveImageData(None)
    a_result.table.Modified()
    a_volume.Modified()
    assert "DCM" in ui.verdictLabel.text
    ui.reportButton.click()
    assert "is gone or was changed" in ui.statusLabel.text
    assert raised == []


def test_a_label_map_without_image_makes_no_segmentation(ui: Any, a_result: ResultNodes) -> None:
    a_result.labels["combined"].SetAndObserveImageData(None)
    ui.segmentationButton.click()
    assert "the label map of its result is gone" in ui.statusLabel.text


def test_a_volume_keeps_its_place_in_the_views_where_its_display_node_was_removed(
    a_module: Any, ui: Any, a_result: ResultNodes, a_volume: Volume, raised: list[BaseException]
) -> None:
    """The first display node is that of its colour bar then."""
    slicer.mrmlScene.RemoveNode(a_volume.GetDisplayNode())
    choose(ui.t1ColorsComboBox, "lipari")
    choose(ui.fieldComboBox, "")
    a_module.exit()
    a_module.enter()
    assert {composite.GetBackgroundVolumeID() for composite in composites()} == {a_volume.GetID()}
    assert raised == []


def test_crop_boxes_without_a_display_node_are_passed_over(
    ui: Any, a_result: ResultNodes, raised: list[BaseException]
) -> None:
    slicer.mrmlScene.RemoveNode(a_result.crop_boxes[0].GetDisplayNode())
    ui.cropBoxesCheckBox.click()
    assert a_result.crop_boxes[1].GetDisplayNode().GetVisibility()
    assert raised == []

"""A scene that is added to the present one brings a volume with the ID of one that was removed: it is another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import slicer
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import add_t1_map, save_scene
from ACNetLib.scene.table import read_record
from ACNetLib.t1map.t1_map import T1Map
from panel_fixtures import StandInClassifier, answer_with_folder, classify, open_bundle, result_of, tick, wait_for_end


@pytest.fixture
def an_added_result(a_module: Any, an_oblique_t1_map: T1Map, three_slices: T1Map, tmp_path: Path) -> ResultNodes:
    """Of a patient with three slices, in the place of one with two slices who was classified before."""
    added = add_t1_map(three_slices, slicer.mrmlScene)
    classify(a_module, added)
    save_scene(slicer.mrmlScene, tmp_path / "scene.mrb")
    slicer.mrmlScene.Clear(0)

    before = add_t1_map(T1Map(an_oblique_t1_map.image, "before", 1.5), slicer.mrmlScene)
    taken = before.GetID()
    classify(a_module, before)
    slicer.mrmlScene.RemoveNode(before)
    open_bundle(tmp_path / "scene.mrb")
    volume: Volume = slicer.mrmlScene.GetFirstNodeByName(three_slices.name)
    assert volume.GetID() == taken
    a_module.widget.panel.ui.volumeSelector.setCurrentNode(volume)
    return result_of(volume)


def test_its_boxes_are_not_moved_and_its_report_is_its_own(
    a_module: Any,
    ui: Any,
    an_added_result: ResultNodes,
    a_classifier: StandInClassifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    raised: list[BaseException],
) -> None:
    assert len(read_record(an_added_result.table).sections) == 3
    assert not ui.moveCropButton.enabled  # as after any scene that was opened
    assert a_module.widget.panel.logic.moved_sections(an_added_result) == {}
    answer_with_folder(tmp_path, monkeypatch)
    ui.reportButton.click()
    wait_for_end(a_module)
    assert len(list(tmp_path.rglob("report.html"))) == 1
    assert a_classifier.moves == []
    assert raised == []


def test_its_slices_are_left_out_of_its_own_study(
    a_module: Any, ui: Any, an_added_result: ResultNodes, raised: list[BaseException]
) -> None:
    tick(ui.sectionTable, 2)
    assert [row.left_out for row in read_record(an_added_result.table).sections] == [0, 0, 1]
    assert a_module.widget.panel.logic.run(an_added_result.t1_volume) is None
    assert raised == []

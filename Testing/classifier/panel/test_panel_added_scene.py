"""A scene that is added to the present one brings a volume with the ID of one that was removed: it is another's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import slicer
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import add_t1_map, new_scene, save_scene
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


@pytest.fixture
def a_foreign_scene(three_slices: T1Map, tmp_path: Path) -> Path:
    """With a map and without parameters, as the command writes it."""
    scene = new_scene()
    add_t1_map(replace(three_slices, name="another patient"), scene)
    (tmp_path / "foreign").mkdir()
    save_scene(scene, tmp_path / "foreign" / "scene.mrb")
    return tmp_path / "foreign" / "scene.mrb"


def test_what_is_chosen_stays_so_when_a_scene_without_parameters_is_added(
    a_module: Any, ui: Any, three_slices: T1Map, a_foreign_scene: Path, raised: list[BaseException]
) -> None:
    chosen, other = (add_t1_map(replace(three_slices, name=name), slicer.mrmlScene) for name in ("chosen", "other"))
    parameters = a_module.widget.panel.logic.getParameterNode()
    parameters.t1_volume, parameters.other_slices = chosen, [other]
    parameters.field_strength, parameters.reference_t1_mean = "3", 1200.0
    open_bundle(a_foreign_scene)
    assert slicer.mrmlScene.GetFirstNodeByName("another patient") is not None
    parameters = a_module.widget.panel.logic.getParameterNode()
    assert (parameters.t1_volume, parameters.other_slices) == (chosen, [other])
    assert (parameters.field_strength, parameters.reference_t1_mean) == ("3", 1200.0)
    assert ui.volumeSelector.currentNode() is chosen
    assert raised == []


@pytest.mark.parametrize("removed", [False, True])
def test_an_added_scenes_map_takes_nothing_of_the_one_that_was_chosen_before(
    a_module: Any, ui: Any, three_slices: T1Map, a_foreign_scene: Path, removed: bool, raised: list[BaseException]
) -> None:
    """Also where it has the ID of that one, which was removed."""
    chosen, other = (add_t1_map(replace(three_slices, name=name), slicer.mrmlScene) for name in ("chosen", "other"))
    parameters = a_module.widget.panel.logic.getParameterNode()
    parameters.t1_volume, parameters.other_slices = chosen, [other]
    parameters.field_strength, parameters.reference_t1_mean = "3", 1200.0
    before = chosen.GetID()
    if removed:
        slicer.mrmlScene.RemoveNode(chosen)
        parameters.t1_volume = None
    open_bundle(a_foreign_scene)
    added = slicer.mrmlScene.GetFirstNodeByName("another patient")
    assert (added.GetID() == before) == removed
    ui.volumeSelector.setCurrentNode(added)
    parameters = a_module.widget.panel.logic.getParameterNode()
    assert parameters.t1_volume is added
    assert [other for other in parameters.other_slices if other is not None] == []
    assert (parameters.field_strength, parameters.reference_t1_mean) == ("", 0.0)
    assert raised == []


def test_its_slices_are_left_out_of_its_own_study(
    a_module: Any, ui: Any, an_added_result: ResultNodes, raised: list[BaseException]
) -> None:
    tick(ui.sectionTable, 2)
    assert [row.left_out for row in read_record(an_added_result.table).sections] == [0, 0, 1]
    assert a_module.widget.panel.logic.run(an_added_result.t1_volume) is None
    assert raised == []

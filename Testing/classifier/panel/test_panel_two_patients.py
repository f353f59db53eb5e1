"""Two patients, or two results, in one scene: what is chosen, shown and written is of one of them alone."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import slicer
import vtk
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import add_t1_map, save_scene
from ACNetLib.scene.sources import DICOM_INSTANCES
from ACNetLib.t1map.t1_map import FIELD_STRENGTH_KEY, T1Map
from panel_fixtures import StandInClassifier, choose, classify, composites, open_bundle, result_of, wait_for_end


@pytest.fixture
def another_patient(a_module: Any, an_oblique_t1_map: T1Map) -> Volume:
    return add_t1_map(replace(an_oblique_t1_map, name="another patient"), slicer.mrmlScene)


def in_views() -> set[tuple[str | None, str | None]]:
    """Background and label volume of each."""
    return {(each.GetBackgroundVolumeID(), each.GetLabelVolumeID()) for each in composites()}


def of(nodes: ResultNodes) -> set[tuple[str | None, str | None]]:
    return {(nodes.t1_volume.GetID(), nodes.labels["combined"].GetID())}


def spaced_by_nothing(volume: Volume) -> None:
    volume.SetSpacing(1.4, 1.6, 0.0)


def flattened(volume: Volume) -> None:
    transform, matrix = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode"), vtk.vtkMatrix4x4()
    matrix.SetElement(2, 2, 0.0)
    transform.SetMatrixTransformToParent(matrix)
    volume.SetAndObserveTransformNodeID(transform.GetID())


def placed_nowhere(volume: Volume) -> None:
    volume.SetOrigin(float("nan"), 0.0, 0.0)


def shows_nothing_but(ui: Any, name: str) -> bool:
    assert ui.verdictLabel.text == "No result yet"
    assert not ui.sectionTable.visible
    for button in (ui.applyButton, ui.reportButton, ui.segmentationButton, ui.dicomButton, ui.moveCropButton):
        assert not button.enabled
    return name in ui.checkLabel.text and "short axis" not in ui.checkLabel.text + ui.noticeLabel.text


@pytest.mark.parametrize("broken", [spaced_by_nothing, flattened, placed_nowhere])
def test_the_verdict_goes_also_where_the_next_patients_map_has_no_volume_in_space(
    ui: Any, a_result: ResultNodes, another_patient: Volume, raised: list[BaseException], broken: Any
) -> None:
    broken(another_patient)
    ui.volumeSelector.setCurrentNode(another_patient)
    assert shows_nothing_but(ui, "another patient: its pixels measure")
    assert in_views() == {(another_patient.GetID(), None)}
    assert raised == []
    ui.volumeSelector.setCurrentNode(a_result.t1_volume)
    assert "DCM" in ui.verdictLabel.text


@pytest.mark.parametrize("where", ["input_view.t1_map_from_volume_node", "panel.find_result"])
def test_the_verdict_goes_also_where_an_error_that_nobody_foresaw_ends_the_look_at_the_next_patients_map(
    ui: Any,
    a_result: ResultNodes,
    another_patient: Volume,
    raised: list[BaseException],
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(f"ACNetLib.panel.{where}", lambda *_: 1 / 0)
        ui.volumeSelector.setCurrentNode(another_patient)
        assert shows_nothing_but(ui, "another patient can't be shown. See the error log.")
        assert in_views() == {(another_patient.GetID(), None)}
        ui.cropBoxesCheckBox.click()  # brings the panel up to date once more
        assert shows_nothing_but(ui, "another patient")
    assert raised
    assert all(isinstance(error, ZeroDivisionError) for error in raised)
    ui.volumeSelector.setCurrentNode(a_result.t1_volume)
    assert "DCM" in ui.verdictLabel.text
    assert ui.applyButton.enabled


@pytest.mark.parametrize("has_result", [True, False])
def test_a_run_that_ends_while_another_patient_is_looked_at_leaves_the_views_to_that_one(
    a_module: Any, ui: Any, a_volume: Volume, another_patient: Volume, a_classifier: StandInClassifier, has_result: bool
) -> None:
    if has_result:
        classify(a_module, another_patient)
    a_classifier.may_answer.clear()
    ui.volumeSelector.setCurrentNode(a_volume)
    ui.applyButton.click()
    ui.volumeSelector.setCurrentNode(another_patient)
    a_classifier.may_answer.set()
    wait_for_end(a_module)
    assert in_views() == (of(result_of(another_patient)) if has_result else {(another_patient.GetID(), None)})
    ui.volumeSelector.setCurrentNode(a_volume)
    assert in_views() == of(result_of(a_volume))


def test_a_point_or_a_segmentation_is_of_one_patient_and_is_named_among_the_options(
    ui: Any, a_module: Any, a_result: ResultNodes, a_volume: Volume, another_patient: Volume
) -> None:
    point = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "in the heart")
    for center in (point, a_result.labels["ventricle"]):
        ui.volumeSelector.setCurrentNode(a_volume)
        ui.centerSelector.setCurrentNode(center)
        assert f"left ventricle by {center.GetName()}" in ui.optionsLabel.text
        ui.volumeSelector.setCurrentNode(another_patient)
        assert ui.centerSelector.currentNode() is None
        assert "left ventricle by" not in ui.optionsLabel.text
    ui.centerSelector.setCurrentNode(a_result.labels["ventricle"])
    ui.volumeSelector.setCurrentNode(a_volume)
    assert ui.centerSelector.currentNode() is a_result.labels["ventricle"]  # its own


@pytest.fixture
def a_point(ui: Any, a_volume: Volume) -> Any:
    """Chosen as the left ventricle of the volume."""
    point = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "in the heart")
    ui.volumeSelector.setCurrentNode(a_volume)
    ui.centerSelector.setCurrentNode(point)
    return point


def test_a_point_goes_with_its_map_also_where_no_map_is_chosen_in_between(
    ui: Any, a_volume: Volume, a_point: Any, another_patient: Volume
) -> None:
    ui.volumeSelector.setCurrentNode(None)
    ui.volumeSelector.setCurrentNode(a_volume)
    assert ui.centerSelector.currentNode() is a_point
    ui.volumeSelector.setCurrentNode(None)
    ui.volumeSelector.setCurrentNode(another_patient)
    assert ui.centerSelector.currentNode() is None


@pytest.mark.parametrize("was_away", [True, False])
def test_a_point_goes_with_a_map_that_is_removed(
    a_module: Any, ui: Any, a_volume: Volume, a_point: Any, another_patient: Volume, was_away: bool
) -> None:
    if was_away:
        a_module.exit()
    slicer.mrmlScene.RemoveNode(a_volume)
    if was_away:
        a_module.enter()
        assert ui.centerSelector.currentNode() is None
    ui.volumeSelector.setCurrentNode(another_patient)
    assert ui.centerSelector.currentNode() is None


@pytest.mark.parametrize("is_away", [True, False])
def test_a_scene_that_is_added_brings_the_point_of_its_own_map(
    a_module: Any, ui: Any, a_point: Any, another_patient: Volume, tmp_path: Path, is_away: bool
) -> None:
    save_scene(slicer.mrmlScene, tmp_path / "scene.mrb")
    ui.volumeSelector.setCurrentNode(another_patient)
    if is_away:
        a_module.exit()
    open_bundle(tmp_path / "scene.mrb")
    a_module.enter()
    assert ui.volumeSelector.currentNode().GetName() == "short axis"
    assert ui.centerSelector.currentNode().GetName() == "in the heart"
    ui.volumeSelector.setCurrentNode(another_patient)
    assert ui.centerSelector.currentNode() is None


def headers(**of_instances: tuple[str, str]) -> SimpleNamespace:
    """A DICOM database that knows model and field strength of these images of Siemens."""

    def value(instance: str, tag: str) -> str:
        model, field = of_instances[instance]
        return {"0008,0070": "SIEMENS", "0008,1090": model, "0018,0087": field}.get(tag, "")

    return SimpleNamespace(instanceValue=value, fileForInstance=lambda _instance: "")


@pytest.mark.parametrize(
    ("next_one", "kept"),
    [(("Avanto", "1.494"), True), (("Avanto", "3"), False), (("Aera", "1.5"), False), (("", ""), False)],
)
def test_a_reference_t1_is_given_with_its_map_and_stays_for_the_same_scanner_alone(
    ui: Any,
    a_volume_without_field_strength: Volume,
    another_patient: Volume,
    monkeypatch: pytest.MonkeyPatch,
    next_one: tuple[str, str],
    kept: bool,
) -> None:
    monkeypatch.setattr(slicer, "dicomDatabase", headers(first=("Avanto", "1.5"), second=next_one), raising=False)
    another_patient.RemoveAttribute(FIELD_STRENGTH_KEY)
    for volume, instance in ((a_volume_without_field_strength, "first"), (another_patient, "second")):
        volume.SetAttribute(DICOM_INSTANCES, instance)
    ui.volumeSelector.setCurrentNode(a_volume_without_field_strength)
    ui.referenceMeanSpinBox.value, ui.referenceSdSpinBox.value = 1012, 28
    ui.volumeSelector.setCurrentNode(another_patient)
    assert (ui.referenceMeanSpinBox.value, ui.referenceSdSpinBox.value) == ((1012, 28) if kept else (0, 0))
    assert ("reference T1 1012 ms" in ui.optionsLabel.text) == kept


def test_a_field_strength_is_chosen_for_one_map_alone(
    a_module: Any, ui: Any, a_volume_without_field_strength: Volume, another_patient: Volume
) -> None:
    another_patient.RemoveAttribute(FIELD_STRENGTH_KEY)
    ui.volumeSelector.setCurrentNode(a_volume_without_field_strength)
    choose(ui.fieldComboBox, "3")
    a_module.exit()
    a_module.enter()
    assert (ui.fieldComboBox.currentData, ui.applyButton.enabled) == ("3", True)
    ui.volumeSelector.setCurrentNode(another_patient)
    assert (ui.fieldComboBox.currentData, ui.applyButton.enabled) == ("", False)
    assert ui.applyButton.toolTip == "Choose the field strength: the T1 map does not tell it"


def test_the_maps_of_one_exam_have_one_reference_t1(ui: Any, a_volume: Volume, another_patient: Volume) -> None:
    ui.volumeSelector.setCurrentNode(a_volume)
    ui.otherSlicesSelector.check(another_patient)
    ui.referenceMeanSpinBox.value = 1012
    ui.volumeSelector.setCurrentNode(another_patient)
    assert ui.referenceMeanSpinBox.value == 1012


def test_a_model_that_was_published_in_the_place_of_another_is_loaded(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, tmp_path: Path
) -> None:
    model = tmp_path / "mine.safetensors"
    model.write_bytes(b"first")
    a_module.widget.panel.logic.model_for_field = lambda _field: model
    for _ in range(2):
        classify(a_module, a_volume)
    assert a_classifier.models == [model]
    assert ui.moveCropButton.enabled
    model.write_bytes(b"second")
    os.utime(model, (0, 0))
    classify(a_module, a_volume)
    assert a_classifier.models == [model, model]
    model.write_bytes(b"third, after the run")
    ui.cropBoxesCheckBox.click()
    assert not ui.moveCropButton.enabled  # its network is not the one of the result


def test_crop_boxes_are_those_of_the_result_that_is_shown(
    a_module: Any, ui: Any, a_result: ResultNodes, another_patient: Volume
) -> None:
    boxes = list(a_result.crop_boxes.values())

    def shown() -> tuple[set[int], set[bool]]:
        return {box.GetDisplayNode().GetVisibility() for box in boxes}, {bool(box.GetLocked()) for box in boxes}

    ui.cropBoxesCheckBox.click()
    ui.moveCropButton.click()
    assert shown() == ({1}, {False})
    ui.volumeSelector.setCurrentNode(another_patient)
    assert shown() == ({0}, {True})
    ui.volumeSelector.setCurrentNode(a_result.t1_volume)
    assert shown() == ({1}, {True})
    ui.moveCropButton.click()
    a_module.exit()
    assert shown() == ({1}, {True})


def test_what_is_written_is_the_result_that_is_shown(
    a_module: Any, ui: Any, a_result: ResultNodes, another_patient: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Volume] = []

    def make_segmentation(nodes: ResultNodes, *_: Any) -> Volume:
        written.append(nodes.t1_volume)
        return nodes.t1_volume

    monkeypatch.setattr("ACNetLib.panel.outputs_view.make_segmentation", make_segmentation)
    panel = a_module.widget.panel
    ui.volumeSelector.setCurrentNode(another_patient)
    panel._looked_at = another_patient.GetID(), a_result.t1_volume.GetID()  # as a click on a row of an exam's table
    panel._update()
    ui.segmentationButton.click()
    assert set(written) == {a_result.t1_volume}

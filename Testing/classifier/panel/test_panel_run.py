"""A run of the panel, from the click on Apply to its end: real clicks, real threads, real MRML."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.errors import ACNetError
from ACNetLib.scene.nodes import ResultNodes
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
    wait_for_end,
)


def ijk_to_ras(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def test_a_click_on_apply_ends_in_an_overlay_on_the_t1_map(
    a_module: Any, ui: Any, a_volume: Volume, a_study: Callable, an_oblique_t1_map: T1Map
) -> None:
    classify(a_module, a_volume)
    label = slicer.mrmlScene.GetNodeByID(composites()[0].GetLabelVolumeID())
    assert all(composite.GetLabelVolumeID() == label.GetID() for composite in composites())
    expected = a_study(an_oblique_t1_map).images[0].bands["combined"]
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(label), expected)
    np.testing.assert_allclose(ijk_to_ras(label), ijk_to_ras(a_volume), atol=1e-6)


def test_while_it_runs_apply_is_cancel_and_the_main_thread_is_free(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    assert not ui.progressBar.visible
    start(a_module, a_volume, a_classifier)
    assert (ui.applyButton.text, ui.applyButton.enabled) == ("Cancel", True)
    assert ui.progressBar.isVisibleTo(a_module.widget.parent)
    assert ui.progressBar.value == 40
    assert find_result(a_volume, slicer.mrmlScene) is None
    a_classifier.may_answer.set()
    wait_for_end(a_module)
    assert ui.applyButton.enabled
    assert ui.statusLabel.text == ""
    assert a_classifier.threads[0] is not threading.main_thread()


def test_cancelling_keeps_the_earlier_result_and_the_panel_can_run_again(
    a_module: Any, ui: Any, a_volume: Volume, a_result: ResultNodes, a_classifier: StandInClassifier, a_study: Callable
) -> None:
    before = read_record(a_result.table)
    a_classifier.answer = lambda t1_map, center_mm: a_study(t1_map, center_mm, probability_dcm=0.3)
    start(a_module, a_volume, a_classifier)
    ui.applyButton.click()
    assert (ui.applyButton.text, ui.applyButton.enabled) == ("Cancel", False)
    assert ui.statusLabel.text == "Cancelling..."
    a_classifier.may_answer.set()
    wait_for_end(a_module)
    assert ui.statusLabel.text == "Cancelled: nothing was changed."
    assert read_record(a_result.table) == before
    classify(a_module, a_volume)
    assert read_record(a_result.table).probability_dcm == 0.3


def test_cancelling_the_first_run_leaves_no_half_result(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    ui.volumeSelector.setCurrentNode(a_volume)
    count = slicer.mrmlScene.GetNumberOfNodes()
    start(a_module, a_volume, a_classifier)
    ui.applyButton.click()
    a_classifier.may_answer.set()
    wait_for_end(a_module)
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert ui.verdictLabel.text == "No result yet"


def test_a_users_error_in_the_thread_becomes_a_sentence_without_options_of_the_command(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, raised: list[BaseException]
) -> None:
    def refuse(*_arguments: object) -> None:
        raise ACNetError("It was not found.", cli="Give its centre: --center=L,P,S.", panel="centre")

    a_classifier.answer = refuse
    classify(a_module, a_volume)
    assert ui.statusLabel.text == (
        "It was not found. Place a control point in the left ventricle and choose it as its centre."
    )
    assert ui.applyButton.enabled
    assert not raised


def test_another_error_in_the_thread_is_raised_and_the_panel_stays_usable(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, raised: list[BaseException]
) -> None:
    def fail(*_arguments: object) -> None:
        raise ZeroDivisionError("a bug")

    answer, a_classifier.answer = a_classifier.answer, fail
    classify(a_module, a_volume)
    assert [type(error) for error in raised] == [ZeroDivisionError]
    assert ui.statusLabel.text == "The classification failed. See the error log."
    a_classifier.answer = answer
    classify(a_module, a_volume)
    assert find_result(a_volume, slicer.mrmlScene) is not None


def test_each_volume_keeps_its_own_result(a_module: Any, ui: Any, a_volume: Volume, an_oblique_t1_map: T1Map) -> None:
    classify(a_module, a_volume)
    ui.volumeSelector.setCurrentNode(add_t1_map(an_oblique_t1_map, slicer.mrmlScene))
    assert ui.verdictLabel.text == "No result yet"
    ui.volumeSelector.setCurrentNode(a_volume)
    assert ui.verdictLabel.text.startswith("<span")


def test_running_again_brings_the_result_up_to_date(
    a_module: Any, a_volume: Volume, a_result: ResultNodes, a_classifier: StandInClassifier
) -> None:
    count = slicer.mrmlScene.GetNumberOfNodes()
    classify(a_module, a_volume)
    assert len(a_classifier.calls) == 2
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    assert result_of(a_volume) == a_result


def test_closing_the_scene_in_the_middle_leaves_no_half_result(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, an_oblique_t1_map: T1Map
) -> None:
    start(a_module, a_volume, a_classifier)
    slicer.mrmlScene.Clear(0)
    other = add_t1_map(an_oblique_t1_map, slicer.mrmlScene)  # it gets the ID of the volume that is gone
    ui.volumeSelector.setCurrentNode(other)
    assert not ui.applyButton.enabled
    a_classifier.may_answer.set()
    wait_for_end(a_module)
    assert find_result(other, slicer.mrmlScene) is None
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 0
    classify(a_module, other)
    assert find_result(other, slicer.mrmlScene) is not None


@pytest.mark.parametrize("error", [None, ACNetError("It was not found."), ZeroDivisionError("a bug")])
def test_removing_the_volume_in_the_middle_leaves_no_half_result_and_is_said_or_why_there_would_have_been_none(
    a_module: Any,
    ui: Any,
    a_volume: Volume,
    a_classifier: StandInClassifier,
    raised: list[BaseException],
    error: Exception | None,
) -> None:
    def fail(*_arguments: object) -> None:
        assert error is not None
        raise error

    if error is not None:
        a_classifier.answer = fail
    start(a_module, a_volume, a_classifier)
    slicer.mrmlScene.RemoveNode(a_volume)
    a_classifier.may_answer.set()
    wait_for_end(a_module)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 0
    if isinstance(error, ZeroDivisionError):
        assert ui.statusLabel.text == "The classification failed. See the error log."
        assert raised == [error]
    else:
        assert ui.statusLabel.text == str(error or "The T1 map was removed while it was classified.")
        assert not raised


def test_the_result_arrives_while_the_user_is_in_another_module(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    choose(ui.overlayComboBox, "module_1")
    start(a_module, a_volume, a_classifier)
    a_module.exit()
    a_classifier.may_answer.set()
    wait_for_end(a_module)
    label_id = result_of(a_volume).labels["module_1"].GetID()
    assert composites()[0].GetLabelVolumeID() == label_id
    a_module.enter()
    assert ui.verdictLabel.text.startswith("<span")


def test_the_choices_and_the_result_are_saved_with_the_scene(
    a_module: Any, ui: Any, a_volume: Volume, tmp_path: Path
) -> None:
    boxes = {
        ui.fieldComboBox: "1.5",
        ui.modelComboBox: "acnet-b",
        ui.deviceComboBox: "cpu",
        ui.overlayComboBox: "module_1",
        ui.styleComboBox: "heat",
        ui.t1ColorsComboBox: "perceptual",
        ui.sectionsComboBox: "chosen",
    }
    for box, value in boxes.items():
        choose(box, value)
    ui.chosenSectionsLineEdit.text = "0, 1"
    ui.sideBySideCheckBox.checked = True
    ui.cropBoxesCheckBox.checked = True
    ui.prevalenceSpinBox.value = 30.0
    ui.opacitySlider.value = 0.3
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "heart")
    roi.SetSize(90.0, 80.0, 70.0)
    roi.SetCenter(1.0, 2.0, 3.0)
    ui.centerSelector.setCurrentNode(roi)
    classify(a_module, a_volume)
    save_scene(slicer.mrmlScene, tmp_path / "scene.mrb")

    slicer.mrmlScene.Clear(0)
    assert [box.currentData for box in boxes] == ["", "", "auto", "combined", "bands", "gray", "all"]
    assert (ui.sideBySideCheckBox.checked, ui.cropBoxesCheckBox.checked) == (False, False)
    assert (ui.prevalenceSpinBox.value, ui.centerSelector.currentNode()) == (0.0, None)
    assert ui.verdictLabel.text == "No result yet"
    open_bundle(tmp_path / "scene.mrb")

    assert ui.volumeSelector.currentNode().GetName() == "short axis"
    assert ui.centerSelector.currentNode().GetName() == "heart"
    assert [box.currentData for box in boxes] == list(boxes.values())
    assert (ui.sideBySideCheckBox.checked, ui.cropBoxesCheckBox.checked) == (True, True)
    assert ui.chosenSectionsLineEdit.text == "0, 1"
    assert (ui.prevalenceSpinBox.value, ui.opacitySlider.value) == pytest.approx((30.0, 0.3))
    assert ui.verdictLabel.text.startswith("<span")
    assert ui.sectionTable.rowCount == 2


def test_the_logic_classifies_without_panel(a_module: Any, a_volume: Volume) -> None:
    from ACNetLib.panel.logic import Choices

    logic = a_module.widget.panel.logic
    nodes = logic.classify(a_volume)
    assert read_record(nodes.table).verdict == "dcm"
    with pytest.raises(ACNetError, match="acnet-c"):
        logic.classify(a_volume, Choices(model_name="acnet-c"))


def test_the_logic_takes_the_reference_that_is_given_or_the_remembered_one(
    a_module: Any, a_volume: Volume, a_classifier: StandInClassifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ACNetLib.inference import exam
    from ACNetLib.panel.logic import Choices
    from ACNetLib.panel.parameters import reference_of
    from ACNetLib.reference.t1 import ReferenceT1

    logic = a_module.widget.panel.logic
    monkeypatch.setattr(exam, "reference_for", lambda _map, given: given or ReferenceT1(1000.0, 30.0, "remembered"))
    parameters = logic.getParameterNode()
    assert reference_of(parameters) is None
    parameters.reference_t1_mean = 1012.0
    assert reference_of(parameters) == ReferenceT1(1012.0)
    parameters.reference_t1_sd = 28.0
    logic.classify(a_volume, Choices(reference=reference_of(parameters)))
    logic.classify(a_volume)
    assert [call.reference for call in a_classifier.calls] == [
        ReferenceT1(1012.0, 28.0),
        ReferenceT1(1000.0, 30.0, "remembered"),
    ]
    parameters.reference_t1_mean = 12.0
    with pytest.raises(ACNetError, match="found a mean of 12 ms"):
        reference_of(parameters)


def test_the_logic_takes_a_model_by_the_reference_where_the_map_does_not_tell_its_field_strength(
    a_module: Any,
    a_volume_without_field_strength: Volume,
    a_classifier: StandInClassifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ACNetLib.panel import logic as module
    from ACNetLib.panel.logic import Choices
    from ACNetLib.reference.t1 import ReferenceT1

    monkeypatch.setattr(module, "shipped_model_for_reference", lambda mean_ms: Path(f"{mean_ms:g}.safetensors"))
    logic = a_module.widget.panel.logic
    with pytest.raises(ACNetError, match="does not tell its field strength"):
        logic.classify(a_volume_without_field_strength)
    logic.classify(a_volume_without_field_strength, Choices(reference=ReferenceT1(1012.0)))
    assert a_classifier.models == [Path("1012.safetensors")]


@pytest.fixture
def an_untrained_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With an untrained localizer in place of the shipped one."""
    from ACNetLib.models import store as model_store
    from ACNetLib.models.model import Model, save_model
    from ACNetLib.networks.acnet import ACNet
    from ACNetLib.networks.localizer import LocalizerCard, LocalizerModel, LocalizerNetwork, save_localizer
    from conftest import a_card

    save_model(Model(ACNet(), a_card("untrained")), tmp_path / "untrained.safetensors")
    card = LocalizerCard("untrained localizer", True, confidence_threshold=0.5, field_strengths_tesla=(1.5,))
    save_localizer(LocalizerModel(LocalizerNetwork(), card), tmp_path / "localizer.safetensors")
    monkeypatch.setattr(model_store, "default_localizer", lambda: tmp_path / "localizer.safetensors")
    return tmp_path / "untrained.safetensors"


@pytest.fixture
def ui_of_an_untrained_model(a_module: Any, ui: Any, an_untrained_model: Path) -> Any:
    from ACNetLib.panel.logic import load_classifier_from_file

    logic = a_module.widget.panel.logic
    logic.models = lambda: {"untrained": an_untrained_model}
    logic.model_for_field = lambda _field: an_untrained_model
    logic.load_classifier = load_classifier_from_file
    a_module.enter()
    choose(ui.deviceComboBox, "cpu")
    return ui


def test_a_click_runs_a_real_network_on_the_processor(
    a_module: Any, ui_of_an_untrained_model: Any, a_volume: Volume, an_oblique_t1_map: T1Map
) -> None:
    ui = ui_of_an_untrained_model
    point = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "LV")
    point.AddControlPoint(*(an_oblique_t1_map.center * (-1, -1, 1)))
    ui.centerSelector.setCurrentNode(point)
    classify(a_module, a_volume)
    assert ui.statusLabel.text == ""
    nodes = result_of(a_volume)
    study = read_record(nodes.table)
    rows = study.sections
    assert (study.model.name, study.device.device) == ("untrained", "cpu")
    assert (study.maps[0].center_source, len(rows)) == ("point", 2)
    word = {"dcm": "DCM", "normal": "Normal", "uncertain": "Uncertain"}[study.verdict]
    assert word in ui.verdictLabel.text
    bands = slicer.util.arrayFromVolume(nodes.labels["combined"])
    area_mm2 = np.count_nonzero(bands[0]) * 1.4 * 1.6
    assert area_mm2 == pytest.approx(128.0**2, rel=0.05)


def test_where_the_real_localizer_finds_nothing_the_panel_asks_for_the_centre(
    a_module: Any, ui_of_an_untrained_model: Any, a_volume: Volume
) -> None:
    classify(a_module, a_volume)
    said = ui_of_an_untrained_model.statusLabel.text
    assert "the left ventricle was not found on any slice" in said
    assert "centre" in said
    assert "--" not in said
    assert find_result(a_volume, slicer.mrmlScene) is None


def test_a_volume_is_read_and_checked_once_however_often_the_panel_looks_at_it(
    a_module: Any, ui: Any, a_volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ACNetLib.panel import input_view, logic

    read: list[str] = []
    for module in (input_view, logic):
        original = module.t1_map_from_volume_node

        def counted(node: Volume, *arguments: Any, original: Any = original) -> T1Map:
            read.append(node.GetName())
            return original(node, *arguments)

        monkeypatch.setattr(module, "t1_map_from_volume_node", counted)
    ui.volumeSelector.setCurrentNode(None)
    classify(a_module, a_volume)
    assert read == ["short axis"]
    classify(a_module, a_volume)
    assert read == ["short axis"]
    slicer.util.arrayFromVolume(a_volume)[0, 0, 0] = 1000.0
    slicer.util.arrayFromVolumeModified(a_volume)
    classify(a_module, a_volume)
    assert read == ["short axis"] * 2

"""The classifier's unchanged module file in the headless host: real clicks, real threads, real MRML."""

from __future__ import annotations

import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util
import vtk
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.errors import ACNetError
from ACNetLib.scene import ResultNodes, add_t1_map, find_result, read_summary, save_scene
from ACNetLib.t1map import T1Map

REPOSITORY = Path(__file__).parent.parent
MODULE_FILE = REPOSITORY / "ACNetClassifier" / "ACNetClassifier.py"

pytestmark = pytest.mark.usefixtures("host")


class StandInClassifier:
    """Answers with a made-up study once it is allowed to; `answer` may raise instead."""

    def __init__(self, study: Callable) -> None:
        self.answer = study
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.calls: list[tuple[T1Map, Any]] = []
        self.threads: list[threading.Thread] = []

    def classify(self, t1_map: T1Map, center_mm: Any = None) -> Any:
        self.calls.append((t1_map, center_mm))
        self.threads.append(threading.current_thread())
        assert self.may_answer.wait(20)
        return self.answer(t1_map, center_mm)


@pytest.fixture
def a_classifier(a_study: Callable) -> Iterator[StandInClassifier]:
    classifier = StandInClassifier(a_study)
    yield classifier
    classifier.may_answer.set()


@pytest.fixture
def a_module(a_classifier: StandInClassifier) -> Iterator[Any]:
    """The module, opened by the user, with a classifier that needs no network."""
    from slicer_host import load_module

    slicer.mrmlScene.Clear(0)
    module = load_module(MODULE_FILE)
    module.widget.panel.logic = module.python_module.ACNetClassifierLogic(
        models=lambda: {"acnet-a": Path("a.safetensors"), "acnet-b": Path("b.safetensors")},
        load_classifier=lambda path, device: a_classifier,
    )
    module.enter()
    yield module
    a_classifier.may_answer.set()
    wait_for_end(module)
    module.unload()
    slicer.mrmlScene.Clear(0)


@pytest.fixture
def ui(a_module: Any) -> Any:
    return a_module.widget.panel.ui


@pytest.fixture
def a_volume(a_module: Any, an_oblique_t1_map: T1Map) -> Volume:
    return add_t1_map(an_oblique_t1_map, slicer.mrmlScene)


@pytest.fixture
def raised(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """What slots raised: Qt's event loop hands it to sys.excepthook."""
    errors: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: errors.append(error))
    return errors


def wait_for_end(module: Any) -> None:
    from slicer_host import wait_until

    wait_until(lambda: module.widget.panel.ui.applyButton.text == "Apply")


def classify(module: Any, volume: Volume) -> None:
    module.widget.panel.ui.volumeSelector.setCurrentNode(volume)
    module.widget.panel.ui.applyButton.click()
    wait_for_end(module)


def ijk_to_ras(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def composites() -> list[slicer.vtkMRMLSliceCompositeNode]:
    scene = slicer.mrmlScene
    count = scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")
    return [scene.GetNthNodeByClass(index, "vtkMRMLSliceCompositeNode") for index in range(count)]


def result_of(volume: Volume) -> ResultNodes:
    result = find_result(volume, slicer.mrmlScene)
    assert result is not None
    return result


def choose(combo_box: Any, value: str) -> None:
    combo_box.setCurrentIndex(combo_box.findData(value))


def table_texts(table: Any) -> list[list[str]]:
    return [[table.item(row, column).text() for column in range(table.columnCount)] for row in range(table.rowCount)]


def test_the_module_says_what_it_is_for(a_module: Any) -> None:
    assert a_module.description.title == "ACNet: DCM on T1 maps"
    assert a_module.description.categories == ["Cardiac"]
    assert "research use only" in a_module.description.helpText
    assert a_module.description.icon is not None


def test_apply_waits_for_a_t1_map(ui: Any, a_volume: Volume) -> None:
    assert not ui.applyButton.enabled
    assert ui.applyButton.toolTip == "Select a T1 map"
    ui.volumeSelector.setCurrentNode(a_volume)
    assert ui.applyButton.enabled


def test_apply_waits_for_a_model(a_module: Any, ui: Any, a_volume: Volume) -> None:
    a_module.widget.panel.logic.models = dict
    ui.volumeSelector.setCurrentNode(a_volume)
    a_module.enter()
    assert not ui.applyButton.enabled
    assert ui.applyButton.toolTip == "No model is installed"


def test_a_click_on_apply_ends_in_an_overlay_on_the_t1_map(
    a_module: Any, ui: Any, a_volume: Volume, a_study: Callable, an_oblique_t1_map: T1Map
) -> None:
    classify(a_module, a_volume)
    label = slicer.mrmlScene.GetNodeByID(composites()[0].GetLabelVolumeID())
    assert all(composite.GetLabelVolumeID() == label.GetID() for composite in composites())
    expected = a_study(an_oblique_t1_map).bands["combined"]
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(label), expected)
    np.testing.assert_allclose(ijk_to_ras(label), ijk_to_ras(a_volume), atol=1e-6)


def test_the_panel_says_the_verdict_how_it_came_about_and_each_section(
    a_module: Any, ui: Any, a_volume: Volume
) -> None:
    assert (ui.verdictLabel.text, ui.sectionTable.rowCount) == ("No result yet", 0)
    assert "Research use only" in ui.researchLabel.text
    classify(a_module, a_volume)
    assert ui.verdictLabel.text == "<b>DCM</b>, probability of DCM 91 %"
    for said in ("acnet-made-up-1.5T", "cpu", "No centre was given", "trained on simulated data"):
        assert said in ui.studyLabel.text
    assert table_texts(ui.sectionTable) == [
        ["0", "91 %", "DCM", ""],
        ["1", "81 %", "DCM", "The crop reaches beyond the map."],
    ]


def test_while_it_runs_apply_is_off_and_the_main_thread_is_free(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    from slicer_host import wait_until

    a_classifier.may_answer.clear()
    ui.volumeSelector.setCurrentNode(a_volume)
    ui.applyButton.click()
    assert (ui.applyButton.enabled, ui.applyButton.text) == (False, "Running...")
    wait_until(lambda: ui.statusLabel.text == "Classifying the sections...")
    assert find_result(a_volume, slicer.mrmlScene) is None
    a_classifier.may_answer.set()
    wait_for_end(a_module)
    assert ui.applyButton.enabled
    assert ui.statusLabel.text == ""
    assert a_classifier.threads[0] is not threading.main_thread()


def test_the_control_point_is_the_centre(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    point = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "LV")
    point.AddControlPoint(vtk.vtkVector3d(1.0, 2.0, 3.0))
    ui.centerSelector.setCurrentNode(point)
    classify(a_module, a_volume)
    np.testing.assert_allclose(a_classifier.calls[0][1], (-1.0, -2.0, 3.0))
    assert "Heart centre: the control point." in ui.studyLabel.text


def test_a_centre_without_control_point_is_named_in_the_panel(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    ui.centerSelector.setCurrentNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "LV"))
    classify(a_module, a_volume)
    assert ui.statusLabel.text.startswith("LV: it has no control point")
    assert not a_classifier.calls


def test_a_volume_that_is_no_t1_map_is_refused_in_the_panel(a_module: Any, ui: Any, a_volume: Volume) -> None:
    slicer.util.arrayFromVolume(a_volume)[:] = 3
    classify(a_module, a_volume)
    assert ui.statusLabel.text.startswith("short axis:")
    assert ui.applyButton.enabled


def test_without_torch_the_panel_says_how_to_install_it(
    a_module: Any, ui: Any, a_volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    classify(a_module, a_volume)
    assert "Install the extension PyTorch" in ui.statusLabel.text


def test_a_users_error_in_the_thread_becomes_a_sentence(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, raised: list[BaseException]
) -> None:
    def refuse(*_arguments: object) -> None:
        raise ACNetError("the model is for 3 T")

    a_classifier.answer = refuse
    classify(a_module, a_volume)
    assert ui.statusLabel.text == "the model is for 3 T"
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
    assert "failed" in ui.statusLabel.text
    a_classifier.answer = answer
    classify(a_module, a_volume)
    assert find_result(a_volume, slicer.mrmlScene) is not None


def test_another_attention_map_and_opacity_are_shown_without_another_run(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    classify(a_module, a_volume)
    choose(ui.attentionComboBox, "module_2")
    ui.opacitySlider.value = 0.2
    labels = result_of(a_volume).labels
    for composite in composites():
        assert composite.GetLabelVolumeID() == labels["module_2"].GetID()
        assert composite.GetLabelOpacity() == pytest.approx(0.2)
    assert len(a_classifier.calls) == 1


def test_the_views_are_left_alone_until_the_user_changes_the_overlay(a_module: Any, ui: Any, a_volume: Volume) -> None:
    classify(a_module, a_volume)
    composites()[0].SetLabelVolumeID(None)
    a_module.exit()
    a_module.enter()
    assert composites()[0].GetLabelVolumeID() is None


def test_each_volume_keeps_its_own_result(a_module: Any, ui: Any, a_volume: Volume, an_oblique_t1_map: T1Map) -> None:
    classify(a_module, a_volume)
    ui.volumeSelector.setCurrentNode(add_t1_map(an_oblique_t1_map, slicer.mrmlScene))
    assert ui.verdictLabel.text == "No result yet"
    ui.volumeSelector.setCurrentNode(a_volume)
    assert ui.verdictLabel.text.startswith("<b>DCM</b>")


def test_running_again_replaces_the_result(a_module: Any, a_volume: Volume, a_classifier: StandInClassifier) -> None:
    classify(a_module, a_volume)
    count = slicer.mrmlScene.GetNumberOfNodes()
    classify(a_module, a_volume)
    assert len(a_classifier.calls) == 2
    assert slicer.mrmlScene.GetNumberOfNodes() == count


def test_closing_the_scene_in_the_middle_leaves_no_half_result(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, an_oblique_t1_map: T1Map
) -> None:
    a_classifier.may_answer.clear()
    ui.volumeSelector.setCurrentNode(a_volume)
    ui.applyButton.click()
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


def test_removing_the_volume_in_the_middle_leaves_no_half_result(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, raised: list[BaseException]
) -> None:
    a_classifier.may_answer.clear()
    ui.volumeSelector.setCurrentNode(a_volume)
    ui.applyButton.click()
    slicer.mrmlScene.RemoveNode(a_volume)
    a_classifier.may_answer.set()
    wait_for_end(a_module)
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode") == 0
    assert not raised


def test_the_result_arrives_while_the_user_is_in_another_module(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    a_classifier.may_answer.clear()
    ui.volumeSelector.setCurrentNode(a_volume)
    choose(ui.attentionComboBox, "module_1")
    ui.applyButton.click()
    a_module.exit()
    a_classifier.may_answer.set()
    wait_for_end(a_module)
    label_id = result_of(a_volume).labels["module_1"].GetID()
    assert composites()[0].GetLabelVolumeID() == label_id
    a_module.enter()
    assert ui.verdictLabel.text.startswith("<b>DCM</b>")


def test_the_choices_and_the_result_are_saved_with_the_scene(
    a_module: Any, ui: Any, a_volume: Volume, tmp_path: Path
) -> None:
    choose(ui.modelComboBox, "acnet-b")
    choose(ui.deviceComboBox, "cpu")
    choose(ui.attentionComboBox, "module_1")
    ui.opacitySlider.value = 0.3
    classify(a_module, a_volume)
    save_scene(slicer.mrmlScene, tmp_path / "scene.mrb")

    slicer.mrmlScene.Clear(0)
    assert ui.modelComboBox.currentData == "acnet-a"
    assert ui.verdictLabel.text == "No result yet"
    zipfile.ZipFile(tmp_path / "scene.mrb").extractall(tmp_path)
    slicer.mrmlScene.SetURL(str(tmp_path / "scene" / "scene.mrml"))
    assert slicer.mrmlScene.Import()

    assert ui.volumeSelector.currentNode().GetName() == "short axis"
    chosen = [box.currentData for box in (ui.modelComboBox, ui.deviceComboBox, ui.attentionComboBox)]
    assert chosen == ["acnet-b", "cpu", "module_1"]
    assert ui.opacitySlider.value == pytest.approx(0.3)
    assert ui.verdictLabel.text.startswith("<b>DCM</b>")
    assert ui.sectionTable.rowCount == 2


def test_a_model_that_is_no_longer_there_is_replaced_by_the_first(a_module: Any, ui: Any) -> None:
    a_module.widget.panel.logic.getParameterNode().model_name = "acnet-gone"
    a_module.enter()
    assert ui.modelComboBox.currentData == "acnet-a"


def test_the_logic_classifies_without_panel(a_module: Any, a_volume: Volume) -> None:
    nodes = a_module.widget.panel.logic.classify(a_volume, model_name="acnet-b")
    assert read_summary(nodes.table)[0].decision == "dcm"
    with pytest.raises(ACNetError, match="acnet-c"):
        a_module.widget.panel.logic.classify(a_volume, model_name="acnet-c")


def test_the_modules_own_test_passes(a_module: Any) -> None:
    a_module.python_module.ACNetClassifierTest().runTest()


@pytest.fixture
def an_untrained_model(tmp_path: Path) -> Path:
    from ACNetLib.model import Model, save_model
    from ACNetLib.network import ACNet
    from conftest import a_card

    path = tmp_path / "untrained.safetensors"
    save_model(Model(ACNet(), a_card("untrained")), path)
    return path


def test_a_click_runs_a_real_network_on_the_processor(
    a_module: Any, ui: Any, a_volume: Volume, an_untrained_model: Path
) -> None:
    a_module.widget.panel.logic = a_module.python_module.ACNetClassifierLogic(
        models=lambda: {"untrained": an_untrained_model}
    )
    a_module.enter()
    choose(ui.deviceComboBox, "cpu")
    classify(a_module, a_volume)
    assert ui.statusLabel.text == ""
    nodes = result_of(a_volume)
    study, rows = read_summary(nodes.table)
    assert (study.model, study.device, len(rows)) == ("untrained", "cpu", 2)
    assert ui.verdictLabel.text.startswith(f"<b>{'DCM' if study.decision == 'dcm' else 'Normal'}</b>")
    bands = slicer.util.arrayFromVolume(nodes.labels["combined"])
    area_mm2 = np.count_nonzero(bands[0]) * 1.4 * 1.6
    assert area_mm2 == pytest.approx(128.0**2, rel=0.05)

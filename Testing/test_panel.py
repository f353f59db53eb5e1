"""The classifier's unchanged module file in the headless host: real clicks, real threads, real MRML."""

from __future__ import annotations

import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import slicer.util
import vtk
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.errors import ACNetError
from ACNetLib.scene import ResultNodes, add_t1_map, find_result, save_scene
from ACNetLib.scene_table import read_summary
from ACNetLib.t1map import FIELD_STRENGTH_KEY, T1Map

REPOSITORY = Path(__file__).parent.parent
MODULE_FILE = REPOSITORY / "ACNetClassifier" / "ACNetClassifier.py"

PANEL_WIDTH = 430
"""As wide as Slicer's module panel is at first."""

pytestmark = pytest.mark.usefixtures("host")


class StandInClassifier:
    """Answers with a made-up study once it is allowed to; `answer` may raise instead."""

    def __init__(self, study: Callable) -> None:
        self.answer = study
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.models: list[Path] = []
        self.calls: list[SimpleNamespace] = []
        self.threads: list[threading.Thread] = []

    def load(self, model: Path, _device: str) -> StandInClassifier:
        self.models.append(model)
        return self

    def classify(
        self,
        t1_map: T1Map,
        *,
        center_mm: Any = None,
        segmentation: sitk.Image | None = None,
        prevalence_dcm: float | None = None,
    ) -> Any:
        self.calls.append(
            SimpleNamespace(t1_map=t1_map, center_mm=center_mm, segmentation=segmentation, prevalence=prevalence_dcm)
        )
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
        model_for_field=lambda field: Path(f"{field:g}T.safetensors"),
        load_classifier=a_classifier.load,
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
def a_volume_without_field_strength(a_volume: Volume) -> Volume:
    a_volume.RemoveAttribute(FIELD_STRENGTH_KEY)
    return a_volume


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
    assert "DCM against normal only" in ui.researchLabel.text
    classify(a_module, a_volume)
    assert ui.verdictLabel.text == "<b>DCM</b>, probability of DCM 91 % (86 % to 94 %)"
    for said in (
        "acnet-made-up-1.5T",
        "cpu",
        "The map is odd.",
        "trained on simulated data",
        "Left ventricle: found by localizer-made-up.",
        "Normal below 20 %, DCM from 80 % on, uncertain between.",
        "Prevalence of DCM: 50 %, as in the model's training.",
        "Field strength: 1.5 T.",
    ):
        assert said in ui.studyLabel.text
    assert table_texts(ui.sectionTable) == [
        ["0", "91 %", "DCM", "97 %", "1043 ms", ""],
        ["1", "81 %", "DCM", "87 %", "1043 ms", "The crop reaches beyond the map."],
    ]


@pytest.mark.parametrize(
    ("probability", "said"),
    [(0.5, "<b>Uncertain</b>, probability of DCM 50 %"), (0.06, "<b>Normal</b>, probability of DCM 6 %")],
)
def test_a_verdict_is_said_in_words(
    a_module: Any,
    ui: Any,
    a_volume: Volume,
    a_classifier: StandInClassifier,
    a_study: Callable,
    probability: float,
    said: str,
) -> None:
    a_classifier.answer = lambda t1_map, center_mm: a_study(t1_map, center_mm, probability_dcm=probability)
    classify(a_module, a_volume)
    assert ui.verdictLabel.text.startswith(said)


def test_no_probability_is_said_to_be_certain_and_what_is_unknown_is_a_dash(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, a_study: Callable
) -> None:
    def extreme(t1_map: T1Map, center_mm: Any) -> Any:
        study = a_study(t1_map, center_mm, probability_dcm=0.9999)
        sections = tuple(replace(section, measures=None, confidence=1.0) for section in study.sections)
        return replace(study, sections=sections, probability_range=(0.001, 1.0))

    a_classifier.answer = extreme
    classify(a_module, a_volume)
    assert ui.verdictLabel.text.endswith("&gt; 99 % (&lt; 1 % to &gt; 99 %)")
    assert table_texts(ui.sectionTable)[0] == ["0", "> 99 %", "DCM", "given", "-", ""]


def test_a_result_fits_into_a_narrow_panel(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, a_study: Callable
) -> None:
    a_classifier.answer = lambda t1_map, center_mm: a_study(t1_map, center_mm, probability_dcm=0.75)  # the longest word
    panel = a_module.widget.parent
    panel.resize(PANEL_WIDTH, 860)
    panel.show()
    classify(a_module, a_volume)
    slicer.app.processEvents()
    assert panel.width <= PANEL_WIDTH
    table = ui.sectionTable
    widths = [table.columnWidth(column) for column in range(table.columnCount)]
    assert sum(widths) <= table.viewport().width
    assert widths[-1] >= 60
    assert table.rowHeight(1) > table.rowHeight(0)  # notes in several lines


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
    np.testing.assert_allclose(a_classifier.calls[0].center_mm, (-1.0, -2.0, 3.0))
    assert a_classifier.calls[0].segmentation is None
    assert "Left ventricle: around the chosen centre" in ui.studyLabel.text


def test_the_middle_of_an_roi_is_the_centre(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "heart")
    roi.SetSize(90.0, 80.0, 70.0)
    roi.SetCenter(1.0, 2.0, 3.0)
    ui.centerSelector.setCurrentNode(roi)
    classify(a_module, a_volume)
    np.testing.assert_allclose(a_classifier.calls[0].center_mm, (-1.0, -2.0, 3.0))


def test_a_label_map_is_the_segmentation(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, a_study: Callable
) -> None:
    label_map = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "reader")
    slicer.util.updateVolumeFromArray(label_map, np.eye(8, dtype=np.uint8)[np.newaxis])
    a_classifier.answer = lambda t1_map, center_mm: replace(a_study(t1_map), center_source="segmentation")
    ui.centerSelector.setCurrentNode(label_map)
    classify(a_module, a_volume)
    call = a_classifier.calls[0]
    np.testing.assert_array_equal(sitk.GetArrayFromImage(call.segmentation)[0], np.eye(8))
    assert call.center_mm is None
    assert "Left ventricle: the chosen segmentation." in ui.studyLabel.text


def test_without_a_choice_the_left_ventricle_and_the_prevalence_are_left_to_the_classifier(
    a_module: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    classify(a_module, a_volume)
    call = a_classifier.calls[0]
    assert (call.center_mm, call.segmentation, call.prevalence) == (None, None, None)


def test_the_chosen_prevalence_is_used_and_said(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, a_study: Callable
) -> None:
    assert ui.prevalenceSpinBox.text == "As in the model's training"
    a_classifier.answer = lambda t1_map, center_mm: replace(a_study(t1_map), prevalence_dcm=0.125)
    ui.prevalenceSpinBox.value = 12.5
    classify(a_module, a_volume)
    assert a_classifier.calls[0].prevalence == pytest.approx(0.125)
    assert "Prevalence of DCM: 12.5 %, as chosen." in ui.studyLabel.text


def test_a_prevalence_is_taken_and_left_alone_while_it_is_typed(a_module: Any, ui: Any) -> None:
    from PySide6.QtTest import QTest

    ui.prevalenceSpinBox.selectAll()
    QTest.keyClicks(ui.prevalenceSpinBox, "7")
    assert ui.prevalenceSpinBox.text == "7 %"
    QTest.keyClicks(ui.prevalenceSpinBox, "0.5")
    assert ui.prevalenceSpinBox.text == "70.5 %"
    assert a_module.widget.panel.logic.getParameterNode().prevalence == pytest.approx(0.705)


def test_the_model_is_the_one_for_the_field_strength_unless_one_is_chosen(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    assert ui.modelComboBox.currentText == "Automatic, by field strength"
    classify(a_module, a_volume)
    choose(ui.modelComboBox, "acnet-b")
    classify(a_module, a_volume)
    assert a_classifier.models == [Path("1.5T.safetensors"), Path("b.safetensors")]


def test_a_field_strength_that_nobody_tells_is_asked_for_by_the_name_of_its_choice(
    a_module: Any, ui: Any, a_volume_without_field_strength: Volume, a_classifier: StandInClassifier
) -> None:
    classify(a_module, a_volume_without_field_strength)
    assert 'Choose it under "Field strength".' in ui.statusLabel.text
    assert ui.fieldLabel.text == "Field strength:"
    assert not a_classifier.calls
    choose(ui.fieldComboBox, "3")
    classify(a_module, a_volume_without_field_strength)
    assert a_classifier.calls[0].t1_map.field_strength_tesla == 3.0
    assert a_classifier.models == [Path("3T.safetensors")]
    assert "Field strength: 3 T." in ui.studyLabel.text


def test_another_field_strength_than_that_of_the_image_is_refused_in_the_panel(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    choose(ui.fieldComboBox, "3")
    classify(a_module, a_volume)
    assert "1.5 T, you say 3 T" in ui.statusLabel.text
    assert not a_classifier.calls


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


def test_a_refusal_in_the_panel_names_no_options_of_the_command(a_module: Any, ui: Any, a_volume: Volume) -> None:
    slicer.util.arrayFromVolume(a_volume)[:] *= 0.75
    classify(a_module, a_volume)
    assert ui.statusLabel.text.endswith("expected a native T1 map, with 12% or more. Give the native map.")


def test_without_torch_the_panel_says_how_to_install_it(
    a_module: Any, ui: Any, a_volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    classify(a_module, a_volume)
    assert "Install the extension PyTorch" in ui.statusLabel.text


def test_a_users_error_in_the_thread_becomes_a_sentence_without_options_of_the_command(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, raised: list[BaseException]
) -> None:
    def refuse(*_arguments: object) -> None:
        raise ACNetError("It was not found. Give its centre (--center=L,P,S; in Slicer a control point).")

    a_classifier.answer = refuse
    classify(a_module, a_volume)
    assert ui.statusLabel.text == "It was not found. Give its centre."
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


def test_another_overlay_and_opacity_are_shown_without_another_run(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    classify(a_module, a_volume)
    ui.opacitySlider.value = 0.2
    for overlay in ("module_2", "ventricle"):
        choose(ui.overlayComboBox, overlay)
        for composite in composites():
            assert composite.GetLabelVolumeID() == result_of(a_volume).labels[overlay].GetID()
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
    choose(ui.overlayComboBox, "module_1")
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
    boxes = {
        ui.fieldComboBox: "1.5",
        ui.modelComboBox: "acnet-b",
        ui.deviceComboBox: "cpu",
        ui.overlayComboBox: "module_1",
    }
    for box, value in boxes.items():
        choose(box, value)
    ui.prevalenceSpinBox.value = 30.0
    ui.opacitySlider.value = 0.3
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "heart")
    roi.SetSize(90.0, 80.0, 70.0)
    roi.SetCenter(1.0, 2.0, 3.0)
    ui.centerSelector.setCurrentNode(roi)
    classify(a_module, a_volume)
    save_scene(slicer.mrmlScene, tmp_path / "scene.mrb")

    slicer.mrmlScene.Clear(0)
    assert [box.currentData for box in boxes] == ["", "", "auto", "combined"]
    assert (ui.prevalenceSpinBox.value, ui.centerSelector.currentNode()) == (0.0, None)
    assert ui.verdictLabel.text == "No result yet"
    zipfile.ZipFile(tmp_path / "scene.mrb").extractall(tmp_path)
    slicer.mrmlScene.SetURL(str(tmp_path / "scene" / "scene.mrml"))
    assert slicer.mrmlScene.Import()

    assert ui.volumeSelector.currentNode().GetName() == "short axis"
    assert ui.centerSelector.currentNode().GetName() == "heart"
    assert [box.currentData for box in boxes] == list(boxes.values())
    assert (ui.prevalenceSpinBox.value, ui.opacitySlider.value) == pytest.approx((30.0, 0.3))
    assert ui.verdictLabel.text.startswith("<b>DCM</b>")
    assert ui.sectionTable.rowCount == 2


def test_a_model_that_is_no_longer_there_is_left_to_the_field_strength(a_module: Any, ui: Any) -> None:
    a_module.widget.panel.logic.getParameterNode().model_name = "acnet-gone"
    a_module.enter()
    assert ui.modelComboBox.currentData == ""


def test_the_logic_classifies_without_panel(a_module: Any, a_volume: Volume) -> None:
    nodes = a_module.widget.panel.logic.classify(a_volume)
    assert read_summary(nodes.table)[0].verdict == "dcm"
    with pytest.raises(ACNetError, match="acnet-c"):
        a_module.widget.panel.logic.classify(a_volume, model_name="acnet-c")


def test_the_modules_own_test_passes(a_module: Any) -> None:
    a_module.python_module.ACNetClassifierTest().runTest()


@pytest.fixture
def the_librarys_own_modules() -> Iterator[dict[str, Any]]:
    """The library as the tests know it, whatever happens to it."""

    def ours() -> dict[str, Any]:
        return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "ACNetLib"}

    before = ours()
    yield before
    for name in ours():
        del sys.modules[name]
    sys.modules.update(before)


def test_reload_takes_the_library_too(a_module: Any, the_librarys_own_modules: dict[str, Any]) -> None:
    parent = a_module.widget.parent
    a_module.widget.onReload()
    assert parent.self() is not a_module.widget
    panel = parent.self().panel
    assert sys.modules[type(panel).__module__] is not the_librarys_own_modules["ACNetLib.panel.panel"]
    assert panel.ui.applyButton.text == "Apply"
    parent.exit()
    parent.self().cleanup()


@pytest.fixture
def an_untrained_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """With an untrained localizer in place of the shipped one."""
    from ACNetLib import model_store
    from ACNetLib.localizer import LocalizerCard, LocalizerModel, LocalizerNetwork, save_localizer
    from ACNetLib.model import Model, save_model
    from ACNetLib.network import ACNet
    from conftest import a_card

    save_model(Model(ACNet(), a_card("untrained")), tmp_path / "untrained.safetensors")
    card = LocalizerCard("untrained localizer", True, confidence_threshold=0.5, field_strengths_tesla=(1.5,))
    save_localizer(LocalizerModel(LocalizerNetwork(), card), tmp_path / "localizer.safetensors")
    monkeypatch.setattr(model_store, "default_localizer", lambda: tmp_path / "localizer.safetensors")
    return tmp_path / "untrained.safetensors"


@pytest.fixture
def ui_of_an_untrained_model(a_module: Any, ui: Any, an_untrained_model: Path) -> Any:
    a_module.widget.panel.logic = a_module.python_module.ACNetClassifierLogic(
        models=lambda: {"untrained": an_untrained_model}, model_for_field=lambda _field: an_untrained_model
    )
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
    study, rows = read_summary(nodes.table)
    assert (study.model, study.device, study.center_source, len(rows)) == ("untrained", "cpu", "point", 2)
    word = {"dcm": "DCM", "normal": "Normal", "uncertain": "Uncertain"}[study.verdict]
    assert ui.verdictLabel.text.startswith(f"<b>{word}</b>")
    bands = slicer.util.arrayFromVolume(nodes.labels["combined"])
    area_mm2 = np.count_nonzero(bands[0]) * 1.4 * 1.6
    assert area_mm2 == pytest.approx(128.0**2, rel=0.05)


def test_where_the_real_localizer_finds_nothing_the_panel_asks_for_the_centre(
    a_module: Any, ui_of_an_untrained_model: Any, a_volume: Volume
) -> None:
    classify(a_module, a_volume)
    said = ui_of_an_untrained_model.statusLabel.text
    assert "the left ventricle was not found on any section" in said
    assert "centre" in said
    assert "--" not in said
    assert find_result(a_volume, slicer.mrmlScene) is None

"""The upper part of the panel: what the check says at once, and what becomes of the choices."""

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
import vtk
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.models.model import Model, save_model
from ACNetLib.models.store import SHIPPED_MODELS_FOLDER
from ACNetLib.reference.store import remembered_references
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.views import jump_to
from ACNetLib.t1map.t1_map import FIELD_STRENGTH_KEY, T1Map
from conftest import with_map
from panel_fixtures import StandInClassifier, choose, classify, say_it_is_from_dicom


def test_apply_waits_for_a_t1_map(ui: Any, a_volume: Volume) -> None:
    assert not ui.applyButton.enabled
    assert ui.applyButton.toolTip == "Select a T1 map"
    assert not ui.checkLabel.visible
    ui.volumeSelector.setCurrentNode(a_volume)
    assert ui.applyButton.enabled


def test_apply_waits_for_a_model(a_module: Any, ui: Any, a_volume: Volume) -> None:
    a_module.widget.panel.logic.models = dict
    ui.volumeSelector.setCurrentNode(a_volume)
    a_module.enter()
    assert not ui.applyButton.enabled
    assert ui.applyButton.toolTip == "No model is installed"


def test_the_check_says_at_once_what_the_map_is(a_module: Any, ui: Any, a_volume: Volume) -> None:
    ui.volumeSelector.setCurrentNode(a_volume)
    assert ui.checkLabel.text.splitlines() == [
        "A native T1 map in ms: 2 slices of 170 x 150 pixels, 1.4 x 1.6 x 8 mm.",
        "Field strength: 1.5 T, by the file.",
        "The plane is 68 degrees from a usual short axis: make sure that it is no long-axis view.",
    ]


def test_the_check_says_that_the_field_strength_is_the_dicom_headers(
    ui: Any, a_volume_without_field_strength: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = {"0018,0087": "2.8936", "0020,4000": "SIMULATED T1 MAP"}
    say_it_is_from_dicom(a_volume_without_field_strength, header, monkeypatch)
    ui.volumeSelector.setCurrentNode(a_volume_without_field_strength)
    assert "Field strength: 3 T, by the DICOM header." in ui.checkLabel.text
    assert "Simulated data." in ui.checkLabel.text


def test_values_in_another_unit_are_said_at_once(ui: Any, a_volume: Volume) -> None:
    slicer.util.updateVolumeFromArray(a_volume, slicer.util.arrayFromVolume(a_volume) / 1000)
    ui.volumeSelector.setCurrentNode(a_volume)
    assert "Its values were taken as T1 in s and converted to ms." in ui.checkLabel.text


def test_a_volume_that_is_no_t1_map_is_refused_at_once_without_options_of_the_command(
    ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    slicer.util.arrayFromVolume(a_volume)[:] *= 0.75
    ui.volumeSelector.setCurrentNode(a_volume)
    assert ui.checkLabel.text.startswith("short axis:")
    assert ui.checkLabel.text.endswith("expected a native T1 map, with 12% or more. Give the native map.")
    assert not ui.applyButton.enabled
    assert ui.applyButton.toolTip == ui.checkLabel.text


def test_a_change_of_the_image_is_checked_at_once(ui: Any, a_volume: Volume) -> None:
    ui.volumeSelector.setCurrentNode(a_volume)
    before = slicer.util.arrayFromVolume(a_volume).copy()
    slicer.util.updateVolumeFromArray(a_volume, np.full_like(before, 3.0))
    assert not ui.applyButton.enabled
    slicer.util.updateVolumeFromArray(a_volume, before)
    assert ui.applyButton.enabled


@pytest.mark.parametrize("read", ["t1_map_from_volume_node", "read_card_values"])
def test_neither_the_map_nor_the_models_card_is_read_again_while_nothing_of_it_changes(
    ui: Any, a_volume: Volume, monkeypatch: pytest.MonkeyPatch, read: str
) -> None:
    ui.volumeSelector.setCurrentNode(a_volume)
    from ACNetLib.panel import input_view

    monkeypatch.delattr(input_view, read)
    ui.opacitySlider.value = 0.3
    assert ui.applyButton.enabled


def test_a_field_strength_that_nobody_tells_is_asked_for(
    a_module: Any, ui: Any, a_volume_without_field_strength: Volume, a_classifier: StandInClassifier
) -> None:
    ui.volumeSelector.setCurrentNode(a_volume_without_field_strength)
    assert "Field strength: unknown. Choose it under Options." in ui.checkLabel.text
    assert ui.applyButton.toolTip == "Choose the field strength: the T1 map does not tell it"
    assert not ui.applyButton.enabled
    choose(ui.fieldComboBox, "3")
    assert "Field strength: 3 T, as chosen." in ui.checkLabel.text
    classify(a_module, a_volume_without_field_strength)
    assert a_classifier.calls[0].t1_map.field_strength_tesla == 3.0
    assert a_classifier.models == [Path("3T.safetensors")]


def test_another_field_strength_than_that_of_the_image_is_refused(ui: Any, a_volume: Volume) -> None:
    ui.volumeSelector.setCurrentNode(a_volume)
    choose(ui.fieldComboBox, "3")
    assert "1.5 T, you say 3 T" in ui.checkLabel.text
    assert not ui.applyButton.enabled


def test_the_card_of_the_model_that_will_run_is_shown(a_module: Any, ui: Any, a_volume: Volume) -> None:
    logic = a_module.widget.panel.logic
    logic.model_for_field = lambda field: SHIPPED_MODELS_FOLDER / f"acnet-simulated-{field:g}T.safetensors"
    ui.volumeSelector.setCurrentNode(a_volume)
    assert ui.cardLabel.text.startswith("acnet-simulated-1.5T, for 1.5 T. Trained on ")
    assert "simulated patients with DCM" in ui.cardLabel.text
    assert ui.cardLabel.text.endswith(" on simulated patients.")
    for said in (
        "Research only.",
        "Share of DCM in its training: 50 %.",
        "Sensitivity for DCM (recall_dcm): 0.",
        "Licence: Apache-2.0.",
    ):
        assert said in ui.cardLabel.toolTip
    a_volume.SetAttribute(FIELD_STRENGTH_KEY, "3")
    assert ui.cardLabel.text.startswith("acnet-simulated-3T, for 3 T.")


def test_a_card_with_a_field_missing_is_said_to_be_damaged(
    ui: Any, a_volume: Volume, raised: list[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ACNetLib.panel.input_view.read_card_values", lambda _file: {"name": "ward", "simulated": False}
    )
    ui.volumeSelector.setCurrentNode(a_volume)
    assert "a value in it is missing or wrong (KeyError: 'field_strength_tesla')" in ui.cardLabel.text
    assert ui.applyButton.enabled
    assert raised == []


def test_a_card_whose_metrics_are_cross_validated_says_so(
    a_module: Any, ui: Any, a_volume: Volume, a_model: Model, tmp_path: Path
) -> None:
    metrics = {
        "auroc": {"value": 0.91, "low": 0.86, "high": 0.95},
        "simulated": False,
        "cross_validated": {"folds": 5, "repeats": 1},
    }
    save_model(Model(a_model.network, replace(a_model.card, metrics=metrics)), tmp_path / "untrained.safetensors")
    a_module.widget.panel.logic.model_for_field = lambda field: tmp_path / "untrained.safetensors"
    ui.volumeSelector.setCurrentNode(a_volume)
    said = "AUROC 0.910. Cross-validated with 5 folds: each patient by a model that was trained without it."
    assert ui.cardLabel.text.endswith(said)


def test_the_model_is_the_one_for_the_field_strength_unless_one_is_chosen(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    assert ui.modelComboBox.currentText == "Automatic, by field strength"
    classify(a_module, a_volume)
    choose(ui.modelComboBox, "acnet-b")
    classify(a_module, a_volume)
    assert a_classifier.models == [Path("1.5T.safetensors"), Path("b.safetensors")]


def test_a_model_that_is_no_longer_there_is_left_to_the_field_strength(a_module: Any, ui: Any) -> None:
    a_module.widget.panel.logic.getParameterNode().model_name = "acnet-gone"
    a_module.enter()
    assert ui.modelComboBox.currentData == ""


def test_without_a_choice_all_sections_are_classified_and_the_rest_is_left_to_the_classifier(
    a_module: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    classify(a_module, a_volume)
    call = a_classifier.calls[0]
    assert (call.center_mm, call.segmentation, call.prevalence_dcm, call.sections) == (None, None, None, None)


def test_chosen_sections_are_classified(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    ui.volumeSelector.setCurrentNode(a_volume)
    assert not ui.chosenSectionsLineEdit.enabled
    choose(ui.sectionsComboBox, "chosen")
    assert ui.chosenSectionsLineEdit.enabled
    ui.chosenSectionsLineEdit.text = "1, x"
    assert "expected numbers such as 0, 2" in ui.applyButton.toolTip
    assert not ui.applyButton.enabled
    ui.chosenSectionsLineEdit.text = "1, 0"
    classify(a_module, a_volume)
    assert a_classifier.calls[0].sections == (1, 0)


def test_the_current_section_is_that_of_the_red_view(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, an_oblique_t1_map: T1Map
) -> None:
    choose(ui.sectionsComboBox, "current")
    ui.volumeSelector.setCurrentNode(a_volume)
    for section in (1, 0):
        jump_to(an_oblique_t1_map.section_center(section), slicer.mrmlScene)
        classify(a_module, a_volume)
        assert a_classifier.calls[-1].sections == (section,)
    jump_to(an_oblique_t1_map.section_center(0) + 100 * an_oblique_t1_map.normal, slicer.mrmlScene)
    classify(a_module, a_volume)
    assert "the Red view shows none of its slices" in ui.statusLabel.text
    assert len(a_classifier.calls) == 2


@pytest.mark.parametrize("node_class", ["vtkMRMLMarkupsFiducialNode", "vtkMRMLMarkupsROINode"])
def test_a_control_point_or_the_middle_of_an_roi_is_the_centre(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, node_class: str
) -> None:
    place = slicer.mrmlScene.AddNewNodeByClass(node_class, "heart")
    if node_class == "vtkMRMLMarkupsROINode":
        place.SetSize(90.0, 80.0, 70.0)
        place.SetCenter(1.0, 2.0, 3.0)
    else:
        place.AddControlPoint(vtk.vtkVector3d(1.0, 2.0, 3.0))
    ui.centerSelector.setCurrentNode(place)
    classify(a_module, a_volume)
    np.testing.assert_allclose(a_classifier.calls[0].center_mm, (-1.0, -2.0, 3.0))
    assert a_classifier.calls[0].segmentation is None


def test_a_label_map_is_the_segmentation(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, a_study: Callable
) -> None:
    label_map = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "reader")
    slicer.util.updateVolumeFromArray(label_map, np.eye(8, dtype=np.uint8)[np.newaxis])
    a_classifier.answer = lambda t1_map, center_mm: with_map(a_study(t1_map), center_source="segmentation")
    ui.centerSelector.setCurrentNode(label_map)
    classify(a_module, a_volume)
    call = a_classifier.calls[0]
    np.testing.assert_array_equal(sitk.GetArrayFromImage(call.segmentation)[0], np.eye(8))
    assert call.center_mm is None
    assert "Left ventricle: the chosen segmentation." in ui.studyLabel.text


def test_the_ventricle_that_was_found_can_be_chosen_and_stays_chosen(
    a_module: Any, ui: Any, a_volume: Volume, a_result: ResultNodes, a_classifier: StandInClassifier
) -> None:
    """A reader corrects it and runs again: the output is brought up to date, it is still there to be chosen."""
    ui.centerSelector.setCurrentNode(a_result.labels["ventricle"])
    classify(a_module, a_volume)
    assert a_classifier.calls[1].segmentation is not None
    assert ui.centerSelector.currentNode() is a_result.labels["ventricle"]


def test_a_centre_without_control_point_is_named_in_the_panel(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier
) -> None:
    ui.centerSelector.setCurrentNode(slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "LV"))
    classify(a_module, a_volume)
    assert ui.statusLabel.text.startswith("LV: it has no control point")
    assert not a_classifier.calls


def test_the_chosen_prevalence_is_used_and_said(
    a_module: Any, ui: Any, a_volume: Volume, a_classifier: StandInClassifier, a_study: Callable
) -> None:
    assert ui.prevalenceSpinBox.text == "As in the model's training"
    a_classifier.answer = lambda t1_map, center_mm: replace(a_study(t1_map), prevalence_dcm=0.125)
    ui.prevalenceSpinBox.value = 12.5
    classify(a_module, a_volume)
    assert a_classifier.calls[0].prevalence_dcm == pytest.approx(0.125)
    assert "Prevalence of DCM: 12.5 %, as chosen." in ui.studyLabel.text


def test_a_reference_t1_is_used_said_and_remembered_for_its_scanner(
    a_module: Any,
    ui: Any,
    a_volume_without_field_strength: Volume,
    a_classifier: StandInClassifier,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    header = {"0018,0087": "1.5", "0008,0070": "SIEMENS", "0008,1090": "Avanto", "0018,1030": "MOLLI_SAX"}
    say_it_is_from_dicom(a_volume_without_field_strength, header, monkeypatch)
    ui.volumeSelector.setCurrentNode(a_volume_without_field_strength)
    assert ui.referenceMeanSpinBox.text == "As remembered"
    assert not ui.rememberReferenceButton.enabled
    ui.referenceMeanSpinBox.value = 1012
    ui.referenceSdSpinBox.value = 28
    assert "reference T1 1012 ms" in ui.optionsLabel.text
    classify(a_module, a_volume_without_field_strength)
    assert a_classifier.calls[-1].reference == ReferenceT1(1012, 28)
    ui.rememberReferenceButton.click()
    assert ui.statusLabel.text == "Remembered for SIEMENS Avanto, 1.5 T, MOLLI: 1012 ms."
    assert remembered_references() == {("SIEMENS Avanto", 1.5, "MOLLI"): ReferenceT1(1012, 28, "remembered")}
    assert (ui.referenceMeanSpinBox.text, ui.referenceSdSpinBox.value) == ("As remembered", 0)
    classify(a_module, a_volume_without_field_strength)
    assert a_classifier.calls[-1].reference == ReferenceT1(1012, 28, "remembered for its sequence")


def test_a_reference_t1_that_no_healthy_heart_has_holds_apply_back(ui: Any, a_volume: Volume) -> None:
    ui.volumeSelector.setCurrentNode(a_volume)
    ui.referenceMeanSpinBox.value = 300
    assert not ui.applyButton.enabled
    assert "expected 700 to 1700 ms" in ui.applyButton.toolTip


def test_a_prevalence_is_taken_and_left_alone_while_it_is_typed(a_module: Any, ui: Any) -> None:
    from PySide6.QtTest import QTest

    ui.prevalenceSpinBox.selectAll()
    QTest.keyClicks(ui.prevalenceSpinBox, "7")
    assert ui.prevalenceSpinBox.text == "7 %"
    QTest.keyClicks(ui.prevalenceSpinBox, "0.5")
    assert ui.prevalenceSpinBox.text == "70.5 %"
    assert a_module.widget.panel.logic.getParameterNode().prevalence == pytest.approx(0.705)


def test_among_many_volumes_only_a_tick_that_changes_is_set(
    ui: Any, a_volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode") for _ in range(3)]
    ui.volumeSelector.setCurrentNode(a_volume)
    selector, changed = type(ui.otherSlicesSelector), list[str]()

    def noted(name: str) -> Callable[[Any, Volume], None]:
        change = getattr(selector, name)

        def answer(self: Any, node: Volume) -> None:
            changed.append(name)
            change(self, node)

        return answer

    for name in ("check", "uncheck"):
        monkeypatch.setattr(selector, name, noted(name))
    ui.opacitySlider.value = 0.25
    assert changed == []
    ui.otherSlicesSelector.check(others[1])
    a_volume.SetName("another name")
    assert changed == ["check"]
    ui.volumeSelector.setCurrentNode(others[0])
    assert changed == ["check", "uncheck"]


def test_the_options_are_closed_and_one_line_says_what_is_set(
    a_module: Any, ui: Any, a_volume_without_field_strength: Volume
) -> None:
    volume = a_volume_without_field_strength
    a_module.widget.panel.logic.model_for_field = lambda field: (
        SHIPPED_MODELS_FOLDER / (f"acnet-simulated-{field:g}T.safetensors")
    )
    assert ui.optionsCollapsibleButton.collapsed
    assert not ui.modelComboBox.isVisibleTo(a_module.widget.parent)
    ui.volumeSelector.setCurrentNode(volume)
    assert ui.optionsLabel.text == "field strength unknown, automatic model"
    volume.SetAttribute(FIELD_STRENGTH_KEY, "1.5")
    assert ui.optionsLabel.text == "1.5 T from the file, automatic model, prevalence 50 %"
    ui.prevalenceSpinBox.value = 12.5
    choose(ui.sectionsComboBox, "chosen")
    ui.chosenSectionsLineEdit.text = "0"
    choose(ui.modelComboBox, "acnet-b")
    choose(ui.deviceComboBox, "cpu")
    expected = "1.5 T from the file, model acnet-b, prevalence 12.5 %, slices 0, Processor (CPU)"
    assert ui.optionsLabel.text == expected
    ui.optionsCollapsibleButton.click()
    assert ui.modelComboBox.isVisibleTo(a_module.widget.parent)


def test_a_reading_list_is_made_as_the_options_say(a_module: Any, ui: Any) -> None:
    from ACNetLib.panel.parameters import triage_options

    parameters = a_module.widget.panel.logic.getParameterNode()
    assert triage_options(parameters) == ["--identify", "none", "--device", "auto"]
    choose(ui.modelComboBox, "acnet-b")
    choose(ui.fieldComboBox, "3")
    ui.prevalenceSpinBox.value = 20
    ui.referenceMeanSpinBox.value = 1210
    ui.referenceSdSpinBox.value = 30
    options = dict(zip(*[iter(triage_options(parameters))] * 2, strict=True))
    assert options == {
        "--identify": "none",
        "--device": "auto",
        "--model": "acnet-b",
        "--field": "3",
        "--prevalence": "0.2",
        "--reference-t1": "1210,30",
    }

"""The trainer's unchanged module file in the headless host: cases by clicks, trainings in real processes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import unittest
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.model_store import available_models
from ACNetLib.sample_data import sample_cases
from ACNetLib.scene import add_t1_map
from ACNetLib.t1map import read_t1_map
from ACNetTrainerLib.background_training import (
    Request,
    Training,
    find_trainings,
    new_training,
    read_events,
    trainings_folder,
)
from ACNetTrainerLib.case_editing import remove_cases
from ACNetTrainerLib.cases import CaseLibrary, read_case_library
from ACNetTrainerLib.networks import NETWORKS
from conftest import Finder, simulate_library
from panel_fixtures import choose

MODULE_FILE = Path(__file__).parent.parent / "ACNetTrainer" / "ACNetTrainer.py"
TRAINING_SECONDS = 300.0
SHORT_RECIPE = Path(__file__).parent.parent / "ACNetTrainer" / "Resources" / "Recipes" / "recommended.toml"


@pytest.fixture
def a_module(host: None) -> Iterator[Any]:
    from slicer_host import load_module, wait_until

    slicer.mrmlScene.Clear(0)
    module = load_module(MODULE_FILE)
    module.widget.panel.logic.load_localizer = Finder
    module.enter()
    yield module
    wait_until(lambda: not module.widget.panel.running)
    if hasattr(slicer.modules, "acnettrainer"):
        module.unload()
    slicer.mrmlScene.Clear(0)


@pytest.fixture
def ui(a_module: Any) -> Any:
    return a_module.widget.panel.ui


@pytest.fixture
def a_sample(a_module: Any) -> Volume:
    return add_t1_map(read_t1_map(sample_cases()[1].folder), slicer.mrmlScene)


@pytest.fixture
def chosen_folders(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What the user answers when asked for a folder, one after the other."""
    import qt

    folders: list[Path] = []
    monkeypatch.setattr(qt.QFileDialog, "getExistingDirectory", lambda *_arguments: str(folders.pop(0)))
    return folders


@pytest.fixture
def a_library(tmp_path: Path, a_module: Any, ui: Any, chosen_folders: list[Path]) -> Path:
    """A new library, made by a click."""
    chosen_folders.append(tmp_path / "library")
    click(a_module, ui.newButton)
    return tmp_path / "library"


@pytest.fixture(scope="module")
def two_libraries(tmp_path_factory: pytest.TempPathFactory) -> tuple[CaseLibrary, CaseLibrary]:
    """Simulated patients to train on and others to judge on, one section each."""
    folder = tmp_path_factory.mktemp("libraries")
    return (
        simulate_library(folder / "training", patients=12, seed=31, levels=("mid",)),
        simulate_library(folder / "judging", patients=12, seed=32, levels=("mid",)),
    )


@pytest.fixture
def two_epochs(tmp_path: Path, a_module: Any) -> Path:
    """A recipe of two short epochs, offered beside the shipped ones."""
    text = SHORT_RECIPE.read_text(encoding="utf-8")
    for setting, value in {"epochs": 2, "batch_size": 4, "warmup_epochs": 0}.items():
        lines = [
            f"{setting} = {value}" if line.split("=")[0].strip() == setting else line for line in text.splitlines()
        ]
        text = "\n".join(lines) + "\n"
    path = tmp_path / "two-epochs.toml"
    path.write_text(text, encoding="utf-8")
    return path


def add(module: Any, volume: Volume, label: str, patient: str) -> str:
    """Add the volume by clicks; returns what the panel says then."""
    from slicer_host import wait_until

    ui = module.widget.panel.ui
    ui.volumeSelector.setCurrentNode(volume)
    choose(ui.labelComboBox, label)
    ui.patientLineEdit.text = patient
    wait_until(lambda: ui.addButton.enabled)
    click(module, ui.addButton)
    return str(ui.statusLabel.text)


def click(module: Any, button: Any) -> None:
    """And wait for what it has started in the thread."""
    from slicer_host import wait_until

    button.click()
    wait_until(lambda: not module.widget.panel.running)


def open_library(module: Any, folder: Path) -> None:
    from slicer_host import wait_until

    module.widget.panel.logic.getParameterNode().library = str(folder)
    wait_until(lambda: not module.widget.panel.running)


def wait_for_state(module: Any, word: str) -> None:
    from slicer_host import wait_until

    wait_until(lambda: f"({word}" in module.widget.panel.ui.trainingComboBox.currentText, TRAINING_SECONDS)


def texts_of(table: Any, column: int) -> list[str]:
    return [table.item(row, column).text() for row in range(table.rowCount)]


def test_the_module_says_what_it_is_for(a_module: Any) -> None:
    assert a_module.description.title == "ACNet: retrain on your own cases"
    assert "research use only" in a_module.description.helpText
    assert a_module.description.icon is not None


def test_the_networks_that_can_be_trained_are_offered(ui: Any) -> None:
    box = ui.networkComboBox
    assert [box.itemData(index) for index in range(box.count)] == list(NETWORKS)


def test_a_new_library_is_made_and_a_map_becomes_its_cases(
    a_module: Any, ui: Any, a_library: Path, a_sample: Volume
) -> None:
    assert read_case_library(a_library, may_be_empty=True).cases == ()
    assert add(a_module, a_sample, "dcm", "Jane Roe, 1234") == "Added: 3 sections."
    cases = read_case_library(a_library).cases
    assert [case.label for case in cases] == ["dcm"] * 3
    assert texts_of(ui.casesTable, 1) == ["DCM"] * 3
    assert ui.dcmBar.format == "DCM: 1 patients, 3 sections"
    assert ui.patientLineEdit.text == ""
    assert "patients" in ui.warningsLabel.text  # too few
    assert not any(b"Roe" in file.read_bytes() for file in a_library.rglob("*") if file.is_file())


def test_the_same_map_is_refused_and_a_patient_is_asked_for(
    a_module: Any, ui: Any, a_library: Path, a_sample: Volume
) -> None:
    assert add(a_module, a_sample, "dcm", "  ").startswith("Patient: found nothing")
    add(a_module, a_sample, "dcm", "first")
    assert "already" in add(a_module, a_sample, "dcm", "second") or "has" in ui.statusLabel.text
    assert len(read_case_library(a_library).cases) == 3


def test_the_patient_is_not_kept_in_the_scene(a_module: Any, ui: Any, a_library: Path, a_sample: Volume) -> None:
    ui.patientLineEdit.text = "Jane Roe"
    node = a_module.widget.panel.logic.getParameterNode().parameterNode
    values = [node.GetParameter(name) for name in node.GetParameterNames()]
    assert not any("Roe" in value for value in values)


def test_the_table_shows_thumbnails_and_is_filtered(
    a_module: Any, ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary]
) -> None:
    library = two_libraries[0]
    open_library(a_module, library.folder)
    assert ui.casesTable.rowCount == len(library.cases) == 12
    assert not ui.casesTable.item(0, 0).icon().isNull()
    assert ui.dcmBar.value == ui.normalBar.value == 6
    ui.filterLineEdit.text = "dcm 1.5t"
    assert texts_of(ui.casesTable, 1) == ["DCM"] * 6
    ui.filterLineEdit.text = "no such words"
    assert ui.casesTable.rowCount == 0


def test_a_case_is_shown_in_the_slice_views_by_a_double_click_and_loaded_once(
    a_module: Any, ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary]
) -> None:
    library = two_libraries[0]
    open_library(a_module, library.folder)
    for row in (2, 3, 2):
        ui.casesTable.cellDoubleClicked.emit(row, 1)
        shown = slicer.mrmlScene.GetFirstNodeByName(library.cases[row].case)
        composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        assert {composite.GetBackgroundVolumeID() for composite in composites} == {shown.GetID()}
    assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 2
    view = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode").GetSliceToRAS()
    center_mm = [view.GetElement(axis, 3) for axis in range(3)]
    left, posterior, superior = library.cases[2].center_mm
    assert center_mm == pytest.approx([-left, -posterior, superior], abs=1e-3)


def test_a_library_that_is_opened_while_another_is_drawn_gets_its_own_pictures(
    a_module: Any, ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary]
) -> None:
    from slicer_host import wait_until

    first, second = two_libraries
    a_module.widget.panel.logic.getParameterNode().library = str(first.folder)
    wait_until(lambda: ui.casesTable.rowCount == 12)
    open_library(a_module, second.folder)
    assert texts_of(ui.casesTable, 2) == [case.patient for case in second.cases]
    assert not any(ui.casesTable.item(row, 0).icon().isNull() for row in range(12))


def test_a_change_by_another_program_is_seen_when_the_library_is_opened_again(
    a_module: Any, ui: Any, a_library: Path, a_sample: Volume, chosen_folders: list[Path]
) -> None:
    add(a_module, a_sample, "dcm", "first")
    remove_cases(a_library, [read_case_library(a_library).cases[0].case])
    chosen_folders.append(a_library)
    click(a_module, ui.openButton)
    assert ui.casesTable.rowCount == 2


def test_a_change_that_is_refused_is_said_above_the_cases(
    a_module: Any, ui: Any, a_library: Path, a_sample: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(a_module, a_sample, "dcm", "first")
    remove_cases(a_library, [read_case_library(a_library).cases[0].case])  # behind the panel's back
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda _text, **_named: True)
    ui.casesTable.selectRow(0)
    click(a_module, ui.removeButton)
    assert "found 0 cases named" in ui.warningsLabel.text
    assert ui.casesTable.rowCount == 2


def test_a_patients_label_is_changed_and_the_library_checked_by_clicks(
    a_module: Any, ui: Any, a_library: Path, a_sample: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(a_module, a_sample, "dcm", "first")
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda _text, **_named: True)
    ui.casesTable.selectRow(1)
    click(a_module, ui.changeLabelButton)
    assert texts_of(ui.casesTable, 1) == ["Normal"] * 3
    click(a_module, ui.checkButton)
    assert "Patients who are dcm: 0" in ui.warningsLabel.text


def test_cases_are_removed_by_a_click_after_a_question(
    a_module: Any, ui: Any, a_library: Path, a_sample: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(a_module, a_sample, "dcm", "first")
    questions: list[str] = []

    def decline(text: str, **_named: object) -> bool:
        questions.append(text)
        return False

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", decline)
    ui.casesTable.selectRow(1)
    click(a_module, ui.removeButton)
    assert "Remove 1 cases" in questions[0]
    assert ui.casesTable.rowCount == 3
    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", lambda _text, **_named: True)
    click(a_module, ui.removeButton)
    assert ui.casesTable.rowCount == 2
    assert len(read_case_library(a_library).cases) == 2


def test_a_folder_that_is_no_library_is_refused_in_a_sentence(
    a_module: Any, ui: Any, tmp_path: Path, chosen_folders: list[Path]
) -> None:
    assert "Open a case library" in ui.warningsLabel.text
    chosen_folders.append(tmp_path)
    click(a_module, ui.openButton)
    assert "cases.csv" in ui.warningsLabel.text
    assert not ui.addButton.enabled


def test_a_model_is_trained_judged_published_and_then_used_by_the_classifiers_panel(
    a_module: Any,
    ui: Any,
    two_libraries: tuple[CaseLibrary, CaseLibrary],
    two_epochs: Path,
    a_sample: Volume,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from slicer_host import load_module, wait_until

    training, judging = two_libraries
    open_library(a_module, training.folder)
    parameters = a_module.widget.panel.logic.getParameterNode()
    parameters.recipe = str(two_epochs)
    ui.nameLineEdit.text = "retrained"
    ui.trainButton.click()
    wait_for_state(a_module, "running")
    assert (ui.stopButton.enabled, ui.goOnButton.enabled) == (True, False)
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.GetViewArrangement() == layout.SlicerLayoutConventionalPlotView
    layout.SetViewArrangement(layout.SlicerLayoutFourUpView)
    wait_for_state(a_module, "finished")
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpView, "the user's choice stays"
    assert ui.progressLabel.text.startswith("Finished.")
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotChartNode").GetNumberOfPlotSeriesNodes() == 3
    curves = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLTableNode").GetTable()
    assert curves.GetNumberOfRows() == 2
    assert np.isfinite(curves.GetColumnByName("validation_loss").GetValue(1))

    parameters.judging_library = str(judging.folder)
    ui.judgeButton.click()
    wait_until(lambda: ui.resultLabel.text.startswith("Judged"), TRAINING_SECONDS)
    assert "6 DCM and 6 normal simulated patients" in ui.resultLabel.text
    rows = dict(zip(texts_of(ui.metricsTable, 0), texts_of(ui.metricsTable, 1), strict=True))
    assert re.fullmatch(r"[01]\.\d{3} \([01]\.\d{3} to [01]\.\d{3}\)", rows["AUROC"])
    assert int(rows["DCM, called DCM"]) + int(rows["DCM, called Normal"]) == 6
    assert not any(label.pixmap.isNull() for label in (ui.rocLabel, ui.reliabilityLabel, ui.attentionLabel))
    ui.judgeButton.click()  # once more takes the place of the first
    wait_until(lambda: ui.judgeButton.enabled, TRAINING_SECONDS)
    ui.publishButton.click()
    wait_until(lambda: "Published" in ui.resultLabel.text, TRAINING_SECONDS)
    assert "retrained" in available_models()
    assert ui.parentComboBox.findData("retrained") >= 0, "it can be trained on"
    questions: list[str] = []

    def decline(text: str, **_named: object) -> bool:
        questions.append(text)
        return False

    monkeypatch.setattr(slicer.util, "confirmOkCancelDisplay", decline)
    ui.publishButton.click()  # once more: the user is asked, and declines
    assert "has your model retrained already" in questions[0]
    assert not a_module.widget.panel.judging

    classifier = load_module(MODULE_FILE.parent.parent / "ACNetClassifier" / "ACNetClassifier.py")
    classifier.enter()
    classifier_ui = classifier.widget.panel.ui
    classifier_ui.volumeSelector.setCurrentNode(a_sample)
    choose(classifier_ui.modelComboBox, "retrained")
    classifier_ui.applyButton.click()
    wait_until(lambda: classifier_ui.applyButton.text == "Apply", TRAINING_SECONDS)
    assert "Model: retrained" in classifier_ui.studyLabel.text
    classifier.unload()


def test_a_published_model_is_trained_on_by_the_recipe_fine_tune(
    a_module: Any, ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary]
) -> None:
    from slicer_host import wait_until

    open_library(a_module, two_libraries[0].folder)
    assert (ui.parentComboBox.enabled, ui.networkComboBox.enabled) == (False, True)
    choose(ui.networkComboBox, "vgg16")
    choose(ui.recipeComboBox, "fine-tune")
    assert (ui.parentComboBox.enabled, ui.networkComboBox.enabled) == (True, False)
    choose(ui.parentComboBox, "acnet-simulated-1.5T")
    ui.trainButton.click()
    (training,) = find_trainings()
    wait_until(lambda: any(event["event"] == "start" for event in read_events(training)), TRAINING_SECONDS)
    ui.stopButton.click()
    wait_for_state(a_module, "stopped")
    settings = json.loads((training.folder / "my-model.training" / "settings.json").read_text("utf-8"))
    assert settings["parent"]["name"] == "acnet-simulated-1.5T"
    assert settings["recipe"]["network"]["name"] == "acnet"


def test_a_training_is_stopped_with_a_checkpoint_found_again_and_goes_on(
    a_module: Any, ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary], two_epochs: Path
) -> None:
    from slicer_host import load_module, wait_until

    open_library(a_module, two_libraries[0].folder)
    a_module.widget.panel.logic.getParameterNode().recipe = str(two_epochs)
    ui.nameLineEdit.text = "interrupted"
    ui.trainButton.click()
    (training,) = find_trainings()
    wait_until(lambda: any(event["event"] == "step" for event in read_events(training)), TRAINING_SECONDS)
    slicer.mrmlScene.Clear(0)  # closing the scene stops it
    wait_until(lambda: read_events(training)[-1]["event"] == "stopped", TRAINING_SECONDS)
    assert not training.model_file.exists()

    a_module.unload()  # Slicer is started again
    again = load_module(MODULE_FILE)
    again.enter()
    ui = again.widget.panel.ui
    assert ui.trainingComboBox.currentText == "interrupted (stopped, can go on)"
    ui.goOnButton.click()
    wait_for_state(again, "finished")
    again.unload()
    slicer.mrmlScene.Clear(0)

    again = load_module(MODULE_FILE)
    again.enter()
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotChartNode") is None, "nobody has asked for it"
    again.widget.panel.ui.curvesButton.click()
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotChartNode").GetTitle() == "interrupted"
    assert training.model_file.is_file()
    again.unload()


def test_a_training_that_another_slicer_runs_is_found_and_can_be_stopped(
    a_module: Any, ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary], two_epochs: Path
) -> None:
    from slicer_host import wait_until

    request = {"cases": str(two_libraries[0].folder), "recipe": str(two_epochs), "network": "acnet"}
    code = (
        "import json, sys\n"
        "from ACNetTrainerLib.background_training import Request, new_training, start\n"
        "start(new_training('elsewhere', Request(**json.loads(sys.argv[1]))))\n"
    )
    paths = os.pathsep.join(str(MODULE_FILE.parent.parent / name) for name in ("ACNetClassifier", "ACNetTrainer"))
    subprocess.run(
        [sys.executable, "-c", code, json.dumps(request)], env={**os.environ, "PYTHONPATH": paths}, check=True
    )
    training = Training(trainings_folder() / "elsewhere")
    wait_until(lambda: any(event["event"] == "start" for event in read_events(training)), TRAINING_SECONDS)
    a_module.exit()
    a_module.enter()
    assert ui.trainingComboBox.currentText == "elsewhere (running)"
    ui.stopButton.click()
    wait_for_state(a_module, "stopped")


def test_a_training_that_fails_says_why(
    a_module: Any, ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary], tmp_path: Path
) -> None:
    open_library(a_module, two_libraries[0].folder)
    (tmp_path / "odd.toml").write_text("epochs = 3\n")
    a_module.widget.panel.logic.getParameterNode().recipe = str(tmp_path / "odd.toml")
    ui.trainButton.click()
    wait_for_state(a_module, "failed")
    assert "odd.toml" in ui.progressLabel.text
    assert ui.goOnButton.enabled


def test_a_name_that_is_taken_or_no_file_name_is_refused(
    a_module: Any, ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary]
) -> None:
    from ACNetTrainerLib.panel.training_view import POLL_MS
    from slicer_host import wait_until

    open_library(a_module, two_libraries[0].folder)
    for name in ("../evil", ""):
        ui.nameLineEdit.text = name
        ui.trainButton.click()
        assert "found the name" in ui.refusalLabel.text
    assert find_trainings() == ()
    new_training("taken", Request("library", "recommended", "acnet"))
    ui.nameLineEdit.text = "taken"
    ui.trainButton.click()
    next_looks = time.monotonic() + 3 * POLL_MS / 1000  # at the trainings, which must not write over it
    wait_until(lambda: time.monotonic() > next_looks)
    assert "there is one named 'taken' already" in ui.refusalLabel.text
    ui.nameLineEdit.text = "free"
    ui.trainButton.click()
    assert ui.refusalLabel.text == ""
    ui.stopButton.click()
    assert ui.progressLabel.text == "Stopping after this step..."
    wait_for_state(a_module, "stopped")


def test_the_modules_own_test_retrains_on_the_shipped_cases(a_module: Any) -> None:
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(a_module.python_module.ACNetTrainerTest)
    result = unittest.TestResult()
    tests.run(result)
    assert result.wasSuccessful(), result.failures + result.errors
    assert (result.testsRun, result.skipped) == (2, [])


def test_without_its_packages_the_modules_own_training_is_skipped_with_the_reason(
    a_module: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lightning", None)
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(a_module.python_module.ACNetTrainerTest)
    result = unittest.TestResult()
    tests.run(result)
    assert result.wasSuccessful(), result.failures + result.errors
    (skipped,) = result.skipped
    assert "lightning is not installed" in skipped[1]

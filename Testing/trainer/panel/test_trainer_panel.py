"""The trainer's panel in the headless host: trainings in real processes, their evaluation and publishing."""

from __future__ import annotations

import gc
import json
import os
import re
import subprocess
import sys
import time
import unittest
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode as Volume

from ACNetLib.models.card import read_card
from ACNetLib.models.store import available_models
from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.training.background import (
    Request,
    Training,
    find_trainings,
    new_training,
    read_events,
    stop_requested,
    trainings_folder,
)
from panel_fixtures import choose
from slicer_host import load_module, wait_until
from trainer_panel_fixtures import (
    TRAINER_FILE,
    TRAINING_SECONDS,
    open_library,
    questions_answered,
    texts_of,
    wait_for_state,
)

VALIDATION_SECONDS = 3 * TRAINING_SECONDS
"""Of three trainings."""


def test_the_module_says_what_it_is_for(a_trainer: Any) -> None:
    assert a_trainer.description.title == "ACNet: retrain on your own cases"
    assert "research use only" in a_trainer.description.helpText
    assert '<a href="https://' in a_trainer.description.helpText
    assert a_trainer.description.icon is not None


def test_a_visit_leaves_nothing_behind_that_reads_the_parameters_at_every_change(a_trainer: Any) -> None:
    parameters = weakref.ref(a_trainer.widget.panel._parameters)
    a_trainer.exit()
    gc.collect()
    assert parameters() is None


def test_the_recipes_for_acnet_are_offered(trainer_ui: Any) -> None:
    box = trainer_ui.recipeComboBox
    assert [box.itemData(index) for index in range(box.count)] == ["fine-tune", "paper", "recommended", "simulated"]


def test_a_model_is_trained_judged_published_and_then_used_by_the_classifiers_panel(
    a_trainer: Any,
    trainer_ui: Any,
    two_libraries: tuple[CaseLibrary, CaseLibrary],
    two_epochs: Path,
    a_sample: Volume,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    training, judging = two_libraries
    open_library(a_trainer, training.folder)
    parameters = a_trainer.widget.panel.logic.getParameterNode()
    parameters.recipe = str(two_epochs)
    trainer_ui.nameLineEdit.text = "retrained"
    trainer_ui.trainButton.click()
    wait_for_state(a_trainer, "running")
    assert (trainer_ui.stopButton.enabled, trainer_ui.goOnButton.enabled) == (True, False)
    layout = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    assert layout.GetViewArrangement() == layout.SlicerLayoutConventionalPlotView
    layout.SetViewArrangement(layout.SlicerLayoutFourUpView)
    wait_for_state(a_trainer, "finished")
    assert layout.GetViewArrangement() == layout.SlicerLayoutFourUpView, "the user's choice stays"
    assert trainer_ui.progressLabel.text.startswith("Finished.")
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotChartNode").GetNumberOfPlotSeriesNodes() == 3
    curves = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLTableNode").GetTable()
    assert curves.GetNumberOfRows() == 2
    assert np.isfinite(curves.GetColumnByName("validation_loss").GetValue(1))

    parameters.judging_library = str(judging.folder)
    trainer_ui.judgeButton.click()
    wait_until(lambda: trainer_ui.resultLabel.text.startswith("Evaluated"), TRAINING_SECONDS)
    assert "6 DCM and 6 normal simulated patients" in trainer_ui.resultLabel.text
    rows = dict(zip(texts_of(trainer_ui.metricsTable, 0), texts_of(trainer_ui.metricsTable, 1), strict=True))
    assert re.fullmatch(r"[01]\.\d{3} \([01]\.\d{3} to [01]\.\d{3}\)", rows["AUROC"])
    assert int(rows["DCM, called DCM"]) + int(rows["DCM, called Normal"]) == 6
    assert not any(
        label.pixmap.isNull() for label in (trainer_ui.rocLabel, trainer_ui.reliabilityLabel, trainer_ui.attentionLabel)
    )
    trainer_ui.judgeButton.click()  # once more takes the place of the first
    wait_until(lambda: trainer_ui.judgeButton.enabled, TRAINING_SECONDS)
    trainer_ui.publishButton.click()
    wait_until(lambda: "Published" in trainer_ui.resultLabel.text, TRAINING_SECONDS)
    assert "retrained" in available_models()
    assert trainer_ui.parentComboBox.findData("retrained") >= 0, "it can be trained on"
    questions = questions_answered(False, monkeypatch)
    trainer_ui.publishButton.click()  # once more: the user is asked, and declines
    assert "has your model retrained already" in questions[0]
    assert trainer_ui.publishButton.enabled, "nothing runs"

    classifier = load_module(TRAINER_FILE.parent.parent / "ACNetClassifier" / "ACNetClassifier.py")
    classifier.enter()
    classifier_ui = classifier.widget.panel.ui
    classifier_ui.volumeSelector.setCurrentNode(a_sample)
    choose(classifier_ui.modelComboBox, "retrained")
    classifier_ui.applyButton.click()
    wait_until(lambda: classifier_ui.applyButton.text == "Apply", TRAINING_SECONDS)
    assert "Model: retrained" in classifier_ui.studyLabel.text
    classifier.unload()


def test_a_published_model_is_trained_on_by_the_recipe_fine_tune(
    a_trainer: Any, trainer_ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary]
) -> None:
    open_library(a_trainer, two_libraries[0].folder)
    assert not trainer_ui.parentComboBox.enabled
    choose(trainer_ui.recipeComboBox, "fine-tune")
    assert trainer_ui.parentComboBox.enabled
    choose(trainer_ui.parentComboBox, "acnet-simulated-1.5T")
    trainer_ui.trainButton.click()
    (training,) = find_trainings()
    wait_until(lambda: any(event["event"] == "start" for event in read_events(training)), TRAINING_SECONDS)
    trainer_ui.stopButton.click()
    wait_for_state(a_trainer, "stopped")
    settings = json.loads((training.folder / "my-model.training" / "settings.json").read_text("utf-8"))
    assert settings["parent"]["name"] == "acnet-simulated-1.5T"
    assert settings["recipe"]["network"]["name"] == "acnet"


def test_a_training_is_stopped_with_a_checkpoint_found_again_and_goes_on(
    a_trainer: Any, trainer_ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary], two_epochs: Path
) -> None:
    open_library(a_trainer, two_libraries[0].folder)
    a_trainer.widget.panel.logic.getParameterNode().recipe = str(two_epochs)
    trainer_ui.nameLineEdit.text = "interrupted"
    trainer_ui.trainButton.click()
    (training,) = find_trainings()
    wait_until(lambda: any(event["event"] == "step" for event in read_events(training)), TRAINING_SECONDS)
    slicer.mrmlScene.Clear(0)  # of a patient: the training goes on
    assert not stop_requested(training)
    assert trainer_ui.trainingComboBox.currentText == "interrupted (running)"
    a_trainer.unload()  # Slicer is closed, and started again
    wait_until(lambda: read_events(training)[-1]["event"] == "stopped", TRAINING_SECONDS)
    assert not training.model_file.exists()

    again = load_module(TRAINER_FILE)
    again.enter()
    trainer_ui = again.widget.panel.ui
    assert trainer_ui.trainingComboBox.currentText == "interrupted (stopped, can be resumed)"
    trainer_ui.goOnButton.click()
    wait_for_state(again, "finished")
    again.unload()
    slicer.mrmlScene.Clear(0)

    again = load_module(TRAINER_FILE)
    again.enter()
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotChartNode") is None, "nobody has asked for it"
    again.widget.panel.ui.curvesButton.click()
    assert slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLPlotChartNode").GetTitle() == "interrupted"
    assert training.model_file.is_file()
    again.unload()


def test_a_library_goes_to_a_published_cross_validated_model_by_the_panel_alone(
    a_trainer: Any, trainer_ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary], two_epochs: Path
) -> None:
    open_library(a_trainer, two_libraries[0].folder)
    a_trainer.widget.panel.logic.getParameterNode().recipe = str(two_epochs)
    trainer_ui.nameLineEdit.text = "ward"
    trainer_ui.foldsSpinBox.value = 2
    trainer_ui.compareCheckBox.click()
    trainer_ui.learningCurveCheckBox.click()
    trainer_ui.crossValidateButton.click()
    wait_until(lambda: trainer_ui.progressLabel.text.startswith("Training 1 of 3. Epoch"), TRAINING_SECONDS)
    assert trainer_ui.progressLabel.text.endswith("left.")
    trainer_ui.stopButton.click()
    wait_for_state(a_trainer, "stopped")
    assert not trainer_ui.publishButton.enabled
    trainer_ui.goOnButton.click()
    wait_until(lambda: trainer_ui.progressLabel.text.startswith("Training 3 of 3"), VALIDATION_SECONDS)
    assert 67 <= trainer_ui.trainingProgressBar.value <= 100
    wait_until(
        lambda: trainer_ui.resultLabel.text.startswith("Cross-validated: 6 DCM and 6 normal simulated"),
        TRAINING_SECONDS,
    )
    wait_for_state(a_trainer, "finished")
    assert trainer_ui.progressLabel.text.startswith("Finished: every patient was evaluated by a model")
    assert "AUROC, from scratch minus acnet-simulated-1.5T without retraining: " in trainer_ui.resultLabel.text
    assert trainer_ui.metricsTable.horizontalHeaderItem(1).text() == "from scratch"
    assert len(texts_of(trainer_ui.metricsTable, 0)) == 4
    assert not trainer_ui.mistakesLabel.pixmap.isNull()
    trainer_ui.publishButton.click()
    wait_until(lambda: "Published" in trainer_ui.resultLabel.text, TRAINING_SECONDS)
    assert read_card(available_models()["ward"]).metrics["cross_validated"]["folds"] == 2


def test_a_training_that_another_slicer_runs_is_found_and_can_be_stopped(
    a_trainer: Any, trainer_ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary], two_epochs: Path
) -> None:
    request = {"cases": str(two_libraries[0].folder), "recipe": str(two_epochs)}
    code = (
        "import json, sys\n"
        "from ACNetTrainerLib.training.background import Request, new_training, start\n"
        "start(new_training('elsewhere', Request(**json.loads(sys.argv[1]))))\n"
    )
    paths = os.pathsep.join(str(TRAINER_FILE.parent.parent / name) for name in ("ACNetClassifier", "ACNetTrainer"))
    subprocess.run(
        [sys.executable, "-c", code, json.dumps(request)], env={**os.environ, "PYTHONPATH": paths}, check=True
    )
    training = Training(trainings_folder() / "elsewhere")
    wait_until(lambda: any(event["event"] == "start" for event in read_events(training)), TRAINING_SECONDS)
    a_trainer.exit()
    a_trainer.enter()
    assert trainer_ui.trainingComboBox.currentText == "elsewhere (running)"
    trainer_ui.stopButton.click()
    wait_for_state(a_trainer, "stopped")


def test_a_training_that_fails_says_why(
    a_trainer: Any, trainer_ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary], tmp_path: Path
) -> None:
    open_library(a_trainer, two_libraries[0].folder)
    (tmp_path / "odd.toml").write_text("epochs = 3\n")
    a_trainer.widget.panel.logic.getParameterNode().recipe = str(tmp_path / "odd.toml")
    trainer_ui.trainButton.click()
    wait_for_state(a_trainer, "failed")
    assert "odd.toml" in trainer_ui.progressLabel.text
    assert trainer_ui.goOnButton.enabled


def test_a_name_that_is_taken_or_no_file_name_is_refused(
    a_trainer: Any, trainer_ui: Any, two_libraries: tuple[CaseLibrary, CaseLibrary]
) -> None:
    from ACNetTrainerLib.panel.training_view import POLL_MS

    open_library(a_trainer, two_libraries[0].folder)
    for name in ("../evil", ""):
        trainer_ui.nameLineEdit.text = name
        trainer_ui.trainButton.click()
        assert "found the name" in trainer_ui.refusalLabel.text
    assert find_trainings() == ()
    new_training("taken", Request("library", "recommended"))
    trainer_ui.nameLineEdit.text = "taken"
    trainer_ui.trainButton.click()
    next_looks = time.monotonic() + 3 * POLL_MS / 1000  # at the trainings, which must not write over it
    wait_until(lambda: time.monotonic() > next_looks)
    assert "there is one named 'taken' already" in trainer_ui.refusalLabel.text
    trainer_ui.nameLineEdit.text = "free"
    trainer_ui.trainButton.click()
    trainer_ui.trainButton.click()  # a double click
    assert trainer_ui.refusalLabel.text == ""
    assert not trainer_ui.trainButton.enabled
    trainer_ui.nameLineEdit.text = "another"
    assert trainer_ui.trainButton.enabled
    trainer_ui.stopButton.click()
    assert trainer_ui.progressLabel.text == "Stopping after this step..."
    wait_for_state(a_trainer, "stopped")


def test_the_modules_own_test_retrains_on_the_shipped_cases(a_trainer: Any) -> None:
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(a_trainer.python_module.ACNetTrainerTest)
    result = unittest.TestResult()
    tests.run(result)
    assert result.wasSuccessful(), result.failures + result.errors
    assert (result.testsRun, result.skipped) == (2, [])


def test_without_its_packages_the_modules_own_training_is_skipped_with_the_reason(
    a_trainer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    tests = unittest.defaultTestLoader.loadTestsFromTestCase(a_trainer.python_module.ACNetTrainerTest)
    result = unittest.TestResult()
    tests.run(result)
    assert result.wasSuccessful(), result.failures + result.errors
    (skipped,) = result.skipped
    assert "sklearn is not installed" in skipped[1]

"""The Slicer module ACNet Trainer: its description and the panel embedded."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleTest

from ACNetLib import DOCUMENTATION
from ACNetLib.models.store import FOLDER_VARIABLE
from ACNetLib.panel.module_widget import PanelModuleWidget, run_self_test
from ACNetLib.panel.needed_modules import enabled_modules
from ACNetTrainerLib.panel.logic import ACNetTrainerLogic, Center
from ACNetTrainerLib.panel.panel import RESOURCES, ACNetTrainerPanel
from ACNetTrainerLib.training.background import find_trainings

LONGEST_TRAINING_SECONDS = 600


class ACNetTrainer(ScriptedLoadableModule):
    """What Slicer shows of the module."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = _("ACNet: retrain on your own cases")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Cardiac")]
        parent.dependencies = enabled_modules()
        parent.contributors = ["The ACNet developers"]
        parent.helpText = _(
            "Collects annotated cardiac T1 maps, retrains the attention network ACNet on them, evaluates the model on "
            "other patients and publishes it to the classifier. For research use only: not for diagnosis. "
            'See <a href="{url}">the tutorial</a>.'
        ).format(url=DOCUMENTATION + "tutorial-training.md")
        parent.acknowledgementText = _(
            "The method is that of C. Luo et al., ACNET: Attention-based Convolution Network with Additional "
            "Discriminative Features for DCM Classification, SEKE 2019, doi:10.18293/SEKE2019-155. Please cite it."
        )


class ACNetTrainerWidget(PanelModuleWidget):
    """The panel in Slicer's module panel."""

    libraries = ("ACNetLib", "ACNetTrainerLib")

    def make_panel(self) -> ACNetTrainerPanel:
        return ACNetTrainerPanel(self.resourcePath("UI/ACNetTrainer.ui"), ACNetTrainerLogic())

    def offer_case(self, volume: vtkMRMLScalarVolumeNode, center: Center | None) -> None:
        """The classifier's panel hands over a T1 map and where its left ventricle is."""
        self.enter()
        self.panel.offer_case(volume, center)


class ACNetTrainerTest(ScriptedLoadableModuleTest):
    """The self-test: a real retraining on the shipped cases. Without its packages it is skipped, and counts so."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear(0)
        self._folder = TemporaryDirectory(prefix="acnet-")
        self.addCleanup(self._folder.cleanup)
        own_models = patch.dict(os.environ, {FOLDER_VARIABLE: str(Path(self._folder.name) / "models")})
        own_models.start()
        self.addCleanup(own_models.stop)

    def runTest(self) -> None:
        run_self_test(type(self))

    def test_the_shipped_cases_are_shown(self) -> None:
        panel = self._panel_on_shipped_cases()
        self.assertEqual(panel.ui.casesTable.rowCount, 12)
        self.assertEqual((panel.ui.dcmBar.value, panel.ui.normalBar.value), (6, 6))

    def test_two_epochs_of_retraining_make_a_model(self) -> None:
        for package in ("torch", "safetensors", "sklearn", "filelock"):
            if importlib.util.find_spec(package) is None:
                self.skipTest(
                    f"{package} is not installed: click Train in the panel once to install all that is missing"
                )
        panel = self._panel_on_shipped_cases()
        recipe = Path(self._folder.name) / "two-epochs.toml"
        lines = (RESOURCES / "Recipes" / "recommended.toml").read_text(encoding="utf-8").splitlines()
        short = {"epochs": 2, "batch_size": 4, "least_steps": 0, "warmup_epochs": 0}
        named = [(line.partition("=")[0].strip(), line) for line in lines]
        text = "\n".join(f"{name} = {short[name]}" if name in short else line for name, line in named)
        recipe.write_text(text, encoding="utf-8")
        parameters = panel.logic.getParameterNode()
        parameters.recipe = str(recipe)
        parameters.model_name = "self-test"
        panel.ui.trainButton.click()
        (training,) = find_trainings()
        end = time.monotonic() + LONGEST_TRAINING_SECONDS
        while not panel.ui.progressLabel.text.startswith("Finished") and time.monotonic() < end:
            slicer.app.processEvents()
            time.sleep(0.01)
        self.assertTrue(training.model_file.is_file(), panel.ui.progressLabel.text)

    def _panel_on_shipped_cases(self) -> ACNetTrainerPanel:
        widget = slicer.util.getModuleWidget("ACNetTrainer")
        widget.enter()
        panel: ACNetTrainerPanel = widget.panel
        panel.logic.getParameterNode().library = str(RESOURCES / "SampleCases")
        while panel.running:
            slicer.app.processEvents()
        return panel

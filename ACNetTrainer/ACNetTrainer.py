"""The Slicer module ACNet Trainer: its description and the panel embedded."""

from __future__ import annotations

import importlib.util
import os
import sys
import time
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

from ACNetLib.model_store import FOLDER_VARIABLE
from ACNetTrainerLib.background_training import find_trainings
from ACNetTrainerLib.panel.logic import ACNetTrainerLogic, Center
from ACNetTrainerLib.panel.panel import RESOURCES, ACNetTrainerPanel

LONGEST_TRAINING_SECONDS = 600


class ACNetTrainer(ScriptedLoadableModule):
    """What Slicer shows of the module."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = _("ACNet: retrain on your own cases")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Cardiac")]
        parent.dependencies = ["Markups", "Segmentations"]
        parent.contributors = ["The ACNet developers"]
        parent.helpText = _(
            "Collects annotated cardiac T1 maps, retrains the attention network ACNet on them, judges the model on "
            "other patients and publishes it to the classifier. For research use only: not for diagnosis."
        )
        parent.acknowledgementText = _(
            "The method is that of C. Luo et al., ACNET: Attention-based Convolution Network with Additional "
            "Discriminative Features for DCM Classification, SEKE 2019, doi:10.18293/SEKE2019-155. Please cite it."
        )


class ACNetTrainerWidget(ScriptedLoadableModuleWidget, slicer.util.VTKObservationMixin):
    """Embeds the panel and hands it the scene's parameters while the user is in the module."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        slicer.util.VTKObservationMixin.__init__(self)
        self.panel: ACNetTrainerPanel | None = None

    def setup(self) -> None:
        super().setup()
        self.panel = ACNetTrainerPanel(self.resourcePath("UI/ACNetTrainer.ui"), ACNetTrainerLogic())
        self.layout.addWidget(self.panel.widget)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self.onSceneEnd)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndImportEvent, self.onSceneEnd)
        self.enter()

    def cleanup(self) -> None:
        self.removeObservers()
        if self.panel is not None:
            self.panel.close()

    def enter(self) -> None:
        if self.panel is not None:
            self.panel.set_parameters(self.panel.logic.getParameterNode())

    def exit(self) -> None:
        if self.panel is not None:
            self.panel.set_parameters(None)

    def offer_case(self, volume: vtkMRMLScalarVolumeNode, center: Center | None) -> None:
        """The classifier's panel hands over a T1 map and where its left ventricle is."""
        self.enter()
        if self.panel is not None:
            self.panel.offer_case(volume, center)

    def onReload(self) -> None:
        """Developers reload a module after a change, which may be in the libraries too."""
        self.exit()
        for name in [name for name in sys.modules if name.partition(".")[0] in {"ACNetLib", "ACNetTrainerLib"}]:
            del sys.modules[name]
        super().onReload()

    def onSceneStartClose(self, caller: Any, event: Any) -> None:
        if self.panel is not None:
            self.panel.stop()
            self.panel.set_parameters(None)

    def onSceneEnd(self, caller: Any, event: Any) -> None:
        if self.parent.isEntered:
            self.enter()


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
        """All of them, by the button Reload and Test; skipped ones are counted and named."""
        tests = unittest.defaultTestLoader.loadTestsFromTestCase(type(self))
        result = unittest.TextTestRunner(verbosity=2).run(tests)
        if not result.wasSuccessful():
            raise AssertionError(f"{len(result.failures) + len(result.errors)} of {result.testsRun} tests failed")

    def test_the_shipped_cases_are_shown(self) -> None:
        panel = self._panel_on_shipped_cases()
        self.assertEqual(panel.ui.casesTable.rowCount, 12)
        self.assertEqual((panel.ui.dcmBar.value, panel.ui.normalBar.value), (6, 6))

    def test_two_epochs_of_retraining_make_a_model(self) -> None:
        for package in ("torch", "safetensors", "lightning", "sklearn", "filelock"):
            if importlib.util.find_spec(package) is None:
                self.skipTest(
                    f"{package} is not installed: click Train in the panel once to install all that is missing"
                )
        panel = self._panel_on_shipped_cases()
        recipe = Path(self._folder.name) / "two-epochs.toml"
        lines = (RESOURCES / "Recipes" / "recommended.toml").read_text(encoding="utf-8").splitlines()
        short = {"epochs": "epochs = 2", "batch_size": "batch_size = 4", "warmup_epochs": "warmup_epochs = 0"}
        text = "\n".join(short.get(line.split("=")[0].strip(), line) for line in lines)
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

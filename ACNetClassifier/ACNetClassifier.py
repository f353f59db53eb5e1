"""The Slicer module ACNet Classifier: its description, the panel embedded, its self-test."""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
import slicer
import slicer.util
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import ScriptedLoadableModule, ScriptedLoadableModuleTest

from ACNetLib import DOCUMENTATION
from ACNetLib.errors import ACNetError
from ACNetLib.panel.logic import ACNetClassifierLogic, Choices
from ACNetLib.panel.module_widget import PanelModuleWidget, run_self_test
from ACNetLib.panel.needed_modules import enabled_modules
from ACNetLib.panel.panel import ACNetPanel
from ACNetLib.panel.sample_data import load_sample, register_samples
from ACNetLib.sample_data import sample_cases
from ACNetLib.scene.output import find_result
from ACNetLib.scene.table import read_record

LARGEST_OFFSET_MM = 4.0
"""Between the true centre of the left ventricle and that of the section."""


class ACNetClassifier(ScriptedLoadableModule):
    """What Slicer shows of the module."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = _("ACNet: DCM on T1 maps")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Cardiac")]
        parent.dependencies = enabled_modules()
        parent.contributors = ["The ACNet developers"]
        parent.helpText = _(
            "Tells dilated cardiomyopathy (DCM) from normal on cardiac T1 maps with an attention network, and shows "
            'where the network looked. For research use only: not for diagnosis. See <a href="{url}">the tutorial</a>.'
        ).format(url=DOCUMENTATION + "tutorial.md")
        parent.acknowledgementText = _(
            "The method is that of C. Luo et al., ACNET: Attention-based Convolution Network with Additional "
            "Discriminative Features for DCM Classification, SEKE 2019, doi:10.18293/SEKE2019-155. Please cite it."
        )
        slicer.app.connect("startupCompleted()", register_samples)  # the Sample Data module exists by then


class ACNetClassifierWidget(PanelModuleWidget):
    """The panel in Slicer's module panel."""

    def make_panel(self) -> ACNetPanel:
        return ACNetPanel(self.resourcePath("UI/ACNetClassifier.ui"), ACNetClassifierLogic())


class ACNetClassifierTest(ScriptedLoadableModuleTest):
    """The self-test: the real road on the shipped samples. What needs PyTorch is skipped without it."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear(0)

    def runTest(self) -> None:
        run_self_test(type(self))

    def test_a_volume_that_is_no_t1_map_is_refused_by_name(self) -> None:
        volume = slicer.util.addVolumeFromArray(np.zeros((1, 160, 160), np.float32), name="zeros")
        with self.assertRaisesRegex(ACNetError, "^zeros:"):
            ACNetClassifierLogic().prepare(volume, Choices())

    def test_the_sample_is_loaded_checked_and_ready(self) -> None:
        panel = self._panel()
        panel.ui.sampleButton.click()
        self.assertEqual(panel.ui.volumeSelector.currentNode().GetName(), "ACNetSimulatedDCM")
        self.assertIn("3 slices", panel.ui.checkLabel.text)
        self.assertIn("1.5 T", panel.ui.checkLabel.text)
        self.assertTrue(panel.ui.applyButton.enabled)

    def test_the_samples_are_told_apart(self) -> None:
        self._need_torch()
        for case in sample_cases():
            nodes = ACNetClassifierLogic().classify(load_sample(case))
            study = read_record(nodes.table)
            self.assertEqual(study.verdict, case.label)
            self.assertEqual(len(study.sections), 3)
            for section in study.sections:  # a septum of 900 to 1150 ms, and a section cut around the true ventricle
                self.assertTrue(900 < section.known_measures.septal_t1_ms < 1150, section)
            middle = np.array(study.sections[1].center_lps_mm)
            self.assertLess(np.linalg.norm(middle - np.array(case.center_mm)), LARGEST_OFFSET_MM)
            shown = slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLSliceCompositeNode").GetLabelVolumeID()
            self.assertEqual(shown, nodes.labels["combined"].GetID())
            column_mm, row_mm, _ = nodes.labels["combined"].GetSpacing()
            covered = np.count_nonzero(slicer.util.arrayFromVolume(nodes.labels["combined"])[1])
            covered_mm2 = covered * column_mm * row_mm
            self.assertAlmostEqual(covered_mm2 / 128**2, 1, delta=0.05)

    def test_a_click_classifies_and_another_cancels(self) -> None:
        self._need_torch()
        panel = self._panel()
        panel.ui.sampleButton.click()
        for clicks in (1, 2):  # the second click cancels
            for _click in range(clicks):
                panel.ui.applyButton.click()
            while panel.running:
                slicer.app.processEvents()
        nodes = find_result(panel.ui.volumeSelector.currentNode(), slicer.mrmlScene)
        assert nodes is not None
        self.assertEqual(read_record(nodes.table).verdict, "dcm")
        self.assertIn("Cancelled", panel.ui.statusLabel.text)

    def _panel(self) -> ACNetPanel:
        widget = slicer.util.getModuleWidget("ACNetClassifier")
        widget.enter()
        return widget.panel

    def _need_torch(self) -> None:
        if importlib.util.find_spec("torch") is None or importlib.util.find_spec("safetensors") is None:
            self.skipTest("PyTorch or safetensors is not installed: click Apply in the panel once to install them")

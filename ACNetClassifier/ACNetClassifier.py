"""The Slicer module ACNet Classifier: its description, the panel embedded, its self-test."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import slicer.util
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)

from ACNetLib.errors import ACNetError
from ACNetLib.panel.logic import ACNetClassifierLogic
from ACNetLib.panel.panel import ACNetPanel
from ACNetLib.panel.sample_data import register_samples


class ACNetClassifier(ScriptedLoadableModule):
    """What Slicer shows of the module."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        parent.title = _("ACNet: DCM on T1 maps")
        parent.categories = [translate("qSlicerAbstractCoreModule", "Cardiac")]
        parent.dependencies = ["Markups", "Segmentations"]
        parent.contributors = ["The ACNet developers"]
        parent.helpText = _(
            "Tells dilated cardiomyopathy (DCM) from normal on cardiac T1 maps with an attention network, and shows "
            "where the network looked. For research use only: not for diagnosis."
        )
        parent.acknowledgementText = _(
            "The method is that of C. Luo et al., ACNET: Attention-based Convolution Network with Additional "
            "Discriminative Features for DCM Classification, SEKE 2019, doi:10.18293/SEKE2019-155. Please cite it."
        )
        slicer.app.connect("startupCompleted()", register_samples)  # the Sample Data module exists by then


class ACNetClassifierWidget(ScriptedLoadableModuleWidget, slicer.util.VTKObservationMixin):
    """Embeds the panel and hands it the scene's parameters while the user is in the module."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        slicer.util.VTKObservationMixin.__init__(self)
        self.panel: ACNetPanel | None = None

    def setup(self) -> None:
        super().setup()
        self.panel = ACNetPanel(self.resourcePath("UI/ACNetClassifier.ui"), ACNetClassifierLogic())
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

    def onReload(self) -> None:
        """Developers reload a module after a change, which may be in the library too."""
        self.exit()
        for name in [name for name in sys.modules if name.partition(".")[0] == "ACNetLib"]:
            del sys.modules[name]
        super().onReload()

    def onSceneStartClose(self, caller: Any, event: Any) -> None:
        if self.panel is not None:
            self.panel.forget_scene()
            self.panel.set_parameters(None)

    def onSceneEnd(self, caller: Any, event: Any) -> None:
        if self.parent.isEntered:
            self.enter()


class ACNetClassifierTest(ScriptedLoadableModuleTest):
    """The self-test that Slicer runs."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear(0)

    def test_a_volume_that_is_no_t1_map_is_refused_by_name(self) -> None:
        volume = slicer.util.addVolumeFromArray(np.zeros((1, 160, 160), np.float32), name="zeros")
        logic = ACNetClassifierLogic(models=lambda: {"any": Path("any.safetensors")})
        refusal = ""
        try:
            logic.prepare(volume, "any")
        except ACNetError as error:
            refusal = str(error)
        assert refusal.startswith(("zeros:", "PyTorch")), refusal

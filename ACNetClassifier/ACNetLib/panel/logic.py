"""The module's logic: from the chosen nodes to a result in the scene, with or without panel."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import slicer
from slicer import vtkMRMLMarkupsFiducialNode, vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from ACNetLib.errors import ACNetError
from ACNetLib.panel.parameters import ACNetParameters
from ACNetLib.scene import ResultNodes, point_from_markups_node, show_result, t1_map_from_volume_node

if TYPE_CHECKING:  # these import torch
    from ACNetLib.classifier import StudyResult
    from ACNetLib.t1map import T1Map

    class StudyClassifier(Protocol):
        """ACNetLib.classifier.Classifier, or what takes its place in a test."""

        def classify(self, t1_map: T1Map, center_mm: Sequence[float] | None = None) -> StudyResult: ...


# A classification tells its steps, "model" and "sections", to a function.
Report = Callable[[str], None]
Work = Callable[[Report], "StudyResult"]


class ACNetClassifierLogic(ScriptedLoadableModuleLogic):
    """Classifies T1 volumes of the scene.

    >>> nodes = ACNetClassifierLogic().classify(slicer.util.getNode("T1 map"))

    A classification has three parts, so that the long one can run in another thread: `prepare` reads the nodes, the
    function that it returns computes and touches neither MRML nor Qt, `show` makes the result's nodes.
    """

    def __init__(
        self,
        models: Callable[[], dict[str, Path]] | None = None,
        load_classifier: Callable[[Path, str], StudyClassifier] | None = None,
    ) -> None:
        super().__init__()
        self.models = models or shipped_models
        self._load_classifier = load_classifier or load_classifier_from_file
        self._loaded: tuple[tuple[Path, str], StudyClassifier] | None = None

    def getParameterNode(self) -> ACNetParameters:
        return ACNetParameters(super().getParameterNode())

    def classify(
        self,
        volume: vtkMRMLScalarVolumeNode,
        model_name: str = "",
        device: str = "auto",
        center: vtkMRMLMarkupsFiducialNode | None = None,
    ) -> ResultNodes:
        """Classify a volume and wait for the result. Raises ACNetError for what a user can put right."""
        work = self.prepare(volume, model_name or next(iter(self.models()), ""), device, center)
        return self.show(work(lambda _step: None), volume)

    def prepare(
        self,
        volume: vtkMRMLScalarVolumeNode,
        model_name: str,
        device: str = "auto",
        center: vtkMRMLMarkupsFiducialNode | None = None,
    ) -> Work:
        """Check the choices and read the nodes; returns the work that is left. Raises ACNetError."""
        models = self.models()
        if model_name not in models:
            raise ACNetError(
                _("The model {name} is not installed; found: {found}. Choose one of these or reinstall ACNet.").format(
                    name=model_name or "?", found=", ".join(models) or "-"
                )
            )
        _check_packages()
        t1_map = t1_map_from_volume_node(volume)
        center_mm = None if center is None else point_from_markups_node(center).tolist()
        return partial(self._classify, t1_map, center_mm, models[model_name], device)

    def show(
        self,
        result: StudyResult,
        volume: vtkMRMLScalarVolumeNode,
        attention_map: str = "combined",
        opacity: float = 0.5,
    ) -> ResultNodes:
        """Put the result into the scene, in place of an earlier one of the same volume."""
        return show_result(result, volume, slicer.mrmlScene, attention_map=attention_map, opacity=opacity)

    def _classify(
        self, t1_map: T1Map, center_mm: Sequence[float] | None, model: Path, device: str, report: Report
    ) -> StudyResult:
        if self._loaded is None or self._loaded[0] != (model, device):
            report("model")
            self._loaded = (model, device), self._load_classifier(model, device)
        report("sections")
        return self._loaded[1].classify(t1_map, center_mm)


def _check_packages() -> None:
    if importlib.util.find_spec("torch") is None:
        raise ACNetError(
            _(
                "PyTorch is not installed. Install the extension PyTorch in the Extensions Manager, restart Slicer, "
                "install PyTorch in the module PyTorch Util, then click Apply again."
            )
        )
    if importlib.util.find_spec("safetensors") is None:
        raise ACNetError(
            _(
                "The Python package safetensors is not installed. Enter slicer.util.pip_install('safetensors') in the "
                "Python Console, then click Apply again."
            )
        )


def shipped_models() -> dict[str, Path]:
    from ACNetLib.model_store import shipped_models as shipped

    return shipped()


def load_classifier_from_file(model: Path, device: str) -> StudyClassifier:
    from ACNetLib.classifier import Classifier
    from ACNetLib.device import choose_device
    from ACNetLib.model import load_model

    return Classifier(load_model(model), choose_device(device))

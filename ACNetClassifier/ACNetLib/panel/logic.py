"""The module's logic: from the chosen nodes to a result in the scene, with or without panel."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

import slicer
from slicer import vtkMRMLLabelMapVolumeNode, vtkMRMLMarkupsNode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from ACNetLib.errors import ACNetError
from ACNetLib.panel.parameters import ACNetParameters
from ACNetLib.scene import DEFAULT_OPACITY, DEFAULT_OVERLAY, ResultNodes, show_result
from ACNetLib.scene_input import center_from_node, segmentation_from_node, t1_map_from_volume_node

if TYPE_CHECKING:  # these import torch
    import SimpleITK as sitk

    from ACNetLib.classifier import StudyResult
    from ACNetLib.t1map import T1Map

    class StudyClassifier(Protocol):
        """ACNetLib.classifier.Classifier, or what takes its place in a test."""

        def classify(
            self,
            t1_map: T1Map,
            *,
            center_mm: Sequence[float] | None = None,
            segmentation: sitk.Image | None = None,
            prevalence_dcm: float | None = None,
        ) -> StudyResult: ...


# A classification tells its steps, "model" and "sections", to a function.
Report = Callable[[str], None]
Work = Callable[[Report], "StudyResult"]
Center: TypeAlias = vtkMRMLMarkupsNode | vtkMRMLSegmentationNode | vtkMRMLLabelMapVolumeNode


class ACNetClassifierLogic(ScriptedLoadableModuleLogic):
    """Classifies T1 volumes of the scene.

    >>> nodes = ACNetClassifierLogic().classify(slicer.util.getNode("T1 map"))

    A classification has three parts, so that the long one can run in another thread: `prepare` reads the nodes, the
    function that it returns computes and touches neither MRML nor Qt, `show` makes the result's nodes.
    """

    def __init__(
        self,
        models: Callable[[], dict[str, Path]] | None = None,
        model_for_field: Callable[[float], Path] | None = None,
        load_classifier: Callable[[Path, str], StudyClassifier] | None = None,
    ) -> None:
        super().__init__()
        self.models = models or available_models
        self._model_for_field = model_for_field or shipped_model_for_field
        self._load_classifier = load_classifier or load_classifier_from_file
        self._loaded: tuple[tuple[Path, str], StudyClassifier] | None = None

    def getParameterNode(self) -> ACNetParameters:
        return ACNetParameters(super().getParameterNode())

    def classify(
        self,
        volume: vtkMRMLScalarVolumeNode,
        model_name: str = "",
        device: str = "auto",
        center: Center | None = None,
        field_strength_tesla: float | None = None,
        prevalence_dcm: float | None = None,
    ) -> ResultNodes:
        """Classify a volume and wait for the result; the choices are those of `prepare`."""
        work = self.prepare(volume, model_name, device, center, field_strength_tesla, prevalence_dcm)
        return self.show(work(lambda _step: None), volume)

    def prepare(
        self,
        volume: vtkMRMLScalarVolumeNode,
        model_name: str = "",
        device: str = "auto",
        center: Center | None = None,
        field_strength_tesla: float | None = None,
        prevalence_dcm: float | None = None,
    ) -> Work:
        """Check the choices and read the nodes; returns the work that is left.

        By default the model is the one for the field strength, the left ventricle is searched, the field strength is
        the header's and the prevalence that of the model's training. Raises ACNetError for what a user can put right.
        """
        _check_packages()
        t1_map = t1_map_from_volume_node(volume, field_strength_tesla)
        model = self._model(model_name, t1_map)
        center_mm = segmentation = None
        if isinstance(center, vtkMRMLMarkupsNode):
            center_mm = center_from_node(center).tolist()
        elif center is not None:
            segmentation = segmentation_from_node(center, volume)

        def work(report: Report) -> StudyResult:
            classifier = self._classifier(model, device, report)
            report("sections")
            return classifier.classify(
                t1_map, center_mm=center_mm, segmentation=segmentation, prevalence_dcm=prevalence_dcm
            )

        return work

    def show(
        self,
        result: StudyResult,
        volume: vtkMRMLScalarVolumeNode,
        overlay: str = DEFAULT_OVERLAY,
        opacity: float = DEFAULT_OPACITY,
    ) -> ResultNodes:
        """Put the result into the scene, in place of an earlier one of the same volume."""
        return show_result(result, volume, slicer.mrmlScene, overlay=overlay, opacity=opacity)

    def _model(self, name: str, t1_map: T1Map) -> Path:
        """The file of the chosen model, or of the one for the map's field strength."""
        if t1_map.field_strength_tesla is None:
            raise ACNetError(
                _(
                    "{name}: it does not tell its field strength; expected 1.5 or 3 T, for normal T1 differs between "
                    'them. Choose it under "Field strength".'
                ).format(name=t1_map.name)
            )
        if not name:
            return self._model_for_field(t1_map.field_strength_tesla)
        models = self.models()
        if name not in models:
            raise ACNetError(
                _("The model {name} is not installed; found: {found}. Choose one of these or reinstall ACNet.").format(
                    name=name, found=", ".join(models) or "-"
                )
            )
        return models[name]

    def _classifier(self, model: Path, device: str, report: Report) -> StudyClassifier:
        """Loaded once and kept until another is wanted."""
        if self._loaded is None or self._loaded[0] != (model, device):
            report("model")
            self._loaded = (model, device), self._load_classifier(model, device)
        return self._loaded[1]


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


def available_models() -> dict[str, Path]:
    from ACNetLib.model_store import available_models as available

    return available()


def shipped_model_for_field(field_strength_tesla: float) -> Path:
    from ACNetLib.model_store import model_for_field

    return model_for_field(field_strength_tesla)


def load_classifier_from_file(model: Path, device: str) -> StudyClassifier:
    from ACNetLib.classifier import Classifier
    from ACNetLib.device import choose_device
    from ACNetLib.localizer import Localizer, load_localizer
    from ACNetLib.model import load_model
    from ACNetLib.model_store import default_localizer

    choice = choose_device(device)
    return Classifier(load_model(model), Localizer(load_localizer(default_localizer()), choice), choice)

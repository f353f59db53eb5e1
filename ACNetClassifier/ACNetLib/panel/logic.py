"""The module's logic: from the chosen nodes to a result in the scene, with or without panel."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import slicer
import slicer.util
from slicer import vtkMRMLLabelMapVolumeNode, vtkMRMLMarkupsNode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from ACNetLib.errors import ACNetError
from ACNetLib.panel.parameters import ACNetParameters
from ACNetLib.panel.torch_libraries import import_torch
from ACNetLib.panel.worker import Progress
from ACNetLib.reference_store import reference_for
from ACNetLib.reference_t1 import ReferenceT1
from ACNetLib.scene import ResultNodes, find_result, show_result
from ACNetLib.scene_crop_boxes import crop_box_center
from ACNetLib.scene_display import Display
from ACNetLib.scene_input import place_from_node, t1_map_from_volume_node
from ACNetLib.scene_table import leave_out
from ACNetLib.study import StudyResult
from ACNetLib.t1map import T1Map
from ACNetLib.ventricle import Point

if TYPE_CHECKING:
    import SimpleITK as sitk

    class StudyClassifier(Protocol):
        """ACNetLib.classifier.Classifier, or what takes its place in a test."""

        def classify(
            self,
            t1_map: T1Map,
            *,
            center_mm: Point | None = None,
            segmentation: sitk.Image | None = None,
            sections: Collection[int] | None = None,
            prevalence_dcm: float | None = None,
            reference: ReferenceT1 | None = None,
            progress: Progress = ...,
        ) -> StudyResult: ...

        def move_section(
            self, result: StudyResult, section: int, center_mm: Point, progress: Progress = ...
        ) -> StudyResult: ...


Center: TypeAlias = vtkMRMLMarkupsNode | vtkMRMLSegmentationNode | vtkMRMLLabelMapVolumeNode

SMALLEST_MOVE_MM = 0.1


@dataclass(frozen=True)
class Choices:
    """How a volume is to be classified.

    By default the model is the one for the field strength, the left ventricle is searched, the field strength is the
    header's, the prevalence that of the model's training, the reference T1 the one that is remembered for the scanner,
    and all sections are classified.
    """

    model_name: str = ""
    device: str = "auto"
    center: Center | None = None
    field_strength_tesla: float | None = None
    prevalence_dcm: float | None = None
    sections: Collection[int] | None = None
    reference: ReferenceT1 | None = None


@dataclass(frozen=True, eq=False)
class Run:
    """A result and what made it, so that one of its sections can be cut anew."""

    result: StudyResult
    model: Path
    device: str


# What is left to do when all nodes have been read; it may run in another thread.
Work = Callable[[Progress], Run]


class ACNetClassifierLogic(ScriptedLoadableModuleLogic):
    """Classifies T1 volumes of the scene.

    >>> nodes = ACNetClassifierLogic().classify(slicer.util.getNode("T1 map"))

    A classification has three parts, so that the long one can run in another thread: `prepare` reads the nodes, the
    function that it returns computes and touches neither MRML nor Qt, `show` makes the result's nodes. The runs of this
    session are remembered by their volume, for what a scene does not keep: moving a section, and the report.
    """

    def __init__(
        self,
        models: Callable[[], dict[str, Path]] | None = None,
        model_for_field: Callable[[float], Path] | None = None,
        load_classifier: Callable[[Path, str], StudyClassifier] | None = None,
    ) -> None:
        super().__init__()
        self.models = models or available_models
        self.model_for_field = model_for_field or shipped_model_for_field
        self.load_classifier = load_classifier or load_classifier_from_file
        self._loaded: tuple[tuple[Path, str], StudyClassifier] | None = None
        self._runs: dict[str, Run] = {}

    def getParameterNode(self) -> ACNetParameters:
        return ACNetParameters(super().getParameterNode())

    def classify(self, volume: vtkMRMLScalarVolumeNode, choices: Choices | None = None) -> ResultNodes:
        """Classify a volume and wait for the result. Raises ACNetError for what a user can put right."""
        work = self.prepare(volume, choices or Choices())
        return self.show(work(lambda _step, _fraction: None), volume)

    def prepare(self, volume: vtkMRMLScalarVolumeNode, choices: Choices, t1_map: T1Map | None = None) -> Work:
        """Check the choices and read the nodes; returns the work that is left.

        `t1_map` is the volume's where it has been read and checked already. Raises ACNetError for what a user can put
        right.
        """
        t1_map = t1_map or t1_map_from_volume_node(volume, choices.field_strength_tesla)
        reference = reference_for(t1_map, choices.reference)
        model = self.model_file(choices.model_name, t1_map, reference)
        center_mm, segmentation = place_from_node(choices.center, volume)

        def work(progress: Progress) -> Run:
            result = self._classifier(model, choices.device, progress).classify(
                t1_map,
                center_mm=center_mm,
                segmentation=segmentation,
                sections=choices.sections,
                prevalence_dcm=choices.prevalence_dcm,
                reference=reference,
                progress=progress,
            )
            return Run(result, model, choices.device)

        return work

    def show(self, run: Run, volume: vtkMRMLScalarVolumeNode, display: Display | None = None) -> ResultNodes:
        """Put the result into the scene, in place of an earlier one of the same volume, and remember it."""
        self._runs[volume.GetID()] = run
        with slicer.util.RenderBlocker():  # the views are drawn once, when all is there
            return show_result(run.result, volume, slicer.mrmlScene, display)

    def warm_up(self) -> None:
        """Load what the first run needs, if PyTorch is installed. Takes seconds: for another thread."""
        if importlib.util.find_spec("torch") is not None:
            import_torch()
            import ACNetLib.classifier
            import ACNetLib.fast_networks  # noqa: F401

    def run(self, volume: vtkMRMLScalarVolumeNode) -> Run | None:
        """The volume's last run of this session, if there was one."""
        return self._runs.get(volume.GetID())

    def forget_runs(self) -> None:
        """The scene closes: IDs of its nodes may soon be those of others."""
        self._runs.clear()

    def moved_sections(self, nodes: ResultNodes) -> dict[int, np.ndarray]:
        """The sections whose crop boxes the user has moved since, and where these are now, LPS mm."""
        run = self.run(nodes.t1_volume)
        if run is None:
            return {}
        centers = {number: crop_box_center(box) for number, box in nodes.crop_boxes.items()}
        return {
            each.section: centers[each.section]
            for each in run.result.sections
            if each.section in centers
            and np.linalg.norm(centers[each.section] - np.array(each.grid.center_mm)) > SMALLEST_MOVE_MM
        }

    def prepare_move(self, volume: vtkMRMLScalarVolumeNode, centers_mm: dict[int, np.ndarray]) -> Work:
        """The work that cuts sections of the volume's result anew around these centres (LPS mm)."""
        run = self._runs[volume.GetID()]

        def work(progress: Progress) -> Run:
            classifier, result = self._classifier(run.model, run.device, progress), run.result
            for section, center_mm in centers_mm.items():
                result = classifier.move_section(result, section, center_mm, progress)
            return replace(run, result=result)

        return work

    def leave_out(self, volume: vtkMRMLScalarVolumeNode, sections: Collection[int]) -> None:
        """Count the volume's study without these sections. Raises ACNetError when none would be left."""
        nodes = find_result(volume, slicer.mrmlScene)
        if nodes is None:
            raise ACNetError(f"{volume.GetName()}: it has no result yet; expected one. Classify it first.")
        leave_out(nodes.table, sections)
        run = self.run(volume)
        if run is not None:
            self._runs[volume.GetID()] = replace(run, result=run.result.leaving_out(sections))

    def model_file(self, name: str, t1_map: T1Map, reference: ReferenceT1 | None = None) -> Path:
        """The file of the chosen model, or of the one for the map's field strength; by the reference T1 where the map
        doesn't tell it. Raises ACNetError without one.
        """
        field = t1_map.field_strength_tesla
        if field is None and reference is None:
            raise ACNetError(
                _(
                    "{name}: it does not tell its field strength; expected 1.5 or 3 T, for normal T1 differs between "
                    'them. Choose it under "Field strength".'
                ).format(name=t1_map.name)
            )
        if not name and field is not None:
            return self.model_for_field(field)
        if not name and reference is not None:
            return shipped_model_for_reference(reference.mean_ms)
        models = self.models()
        if name not in models:
            raise ACNetError(
                _("The model {name} is not installed; found: {found}. Choose one of these or reinstall ACNet.").format(
                    name=name, found=", ".join(models) or "-"
                )
            )
        return models[name]

    def _classifier(self, model: Path, device: str, progress: Progress) -> StudyClassifier:
        """Loaded once and kept until another is wanted."""
        if self._loaded is None or self._loaded[0] != (model, device):
            progress("model", 0.0)
            self._loaded = (model, device), self.load_classifier(model, device)
        return self._loaded[1]


def report_work(result: StudyResult, folder: Path) -> Callable[[Progress], Path]:
    """The work that writes all files of a result but the scene into a new folder, and returns the page to read.

    It raises ACNetError when they can't be written.
    """

    def work(progress: Progress) -> Path:
        progress("report", 0.0)
        from ACNetLib.report import write_result

        try:
            write_result(result, folder)
        except OSError as error:
            raise ACNetError(
                _("{folder}: the report can't be written ({reason}). Choose another folder.").format(
                    folder=folder, reason=error.strerror or error
                )
            ) from error
        return folder / "report.html"

    return work


def available_models() -> dict[str, Path]:
    from ACNetLib.model_store import available_models as available

    return available()


def shipped_model_for_field(field_strength_tesla: float) -> Path:
    from ACNetLib.model_store import model_for_field

    return model_for_field(field_strength_tesla)


def shipped_model_for_reference(mean_ms: float) -> Path:
    from ACNetLib.model_store import model_for_reference

    return model_for_reference(mean_ms)


def load_classifier_from_file(model: Path, device: str) -> Any:
    import_torch()
    from ACNetLib.classifier import Classifier
    from ACNetLib.device import choose_device
    from ACNetLib.fast_networks import make_fast
    from ACNetLib.localizer import Localizer, load_localizer
    from ACNetLib.model import load_model
    from ACNetLib.model_store import default_localizer

    choice = choose_device(device)
    classifier, localizer = load_model(model), load_localizer(default_localizer())
    if choice.device == "cpu":
        for network in (classifier.network, localizer.network):
            make_fast(network)
    return Classifier(classifier, Localizer(localizer, choice), choice)

"""The module's logic: from the chosen nodes to a result in the scene, with or without panel."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import slicer
import slicer.util
from slicer import vtkMRMLLabelMapVolumeNode, vtkMRMLMarkupsNode, vtkMRMLScalarVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import ScriptedLoadableModuleLogic

from ACNetLib.errors import ACNetError
from ACNetLib.files import FileState, state_of_file
from ACNetLib.inference.exam import check_one_exam, classify_exam, exam_reference, one_that_tells_its_field
from ACNetLib.inference.pipeline import load_pipeline
from ACNetLib.inference.record import SectionRecord
from ACNetLib.inference.result import StudyResult
from ACNetLib.inference.settings import Progress, Settings, unwatched
from ACNetLib.inference.torch_libraries import import_torch
from ACNetLib.panel.parameters import ACNetParameters
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.scene.crop_boxes import crop_box_center
from ACNetLib.scene.display import Display
from ACNetLib.scene.exam import leave_out_of_exam, show_exam, update_exam
from ACNetLib.scene.input import place_from_node, t1_map_from_volume_node
from ACNetLib.scene.made_of import MadeOf, made_of
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.output import find_result
from ACNetLib.scene.sources import check_one_patient
from ACNetLib.t1map.t1_map import T1Map

if TYPE_CHECKING:
    from ACNetLib.inference.classifier import Classifier
    from ACNetLib.panel.list_images import Find

Center: TypeAlias = vtkMRMLMarkupsNode | vtkMRMLSegmentationNode | vtkMRMLLabelMapVolumeNode

SMALLEST_MOVE_MM = 0.1


@dataclass(frozen=True)
class Choices:
    """How a volume is to be classified.

    By default the model is the one for the field strength, the left ventricle is searched, the field strength is the
    header's, the prevalence that of the model's training, the reference T1 the one that is remembered for the scanner,
    and all sections are classified. `other_slices` are the volumes of the same exam whose slices were planned one by
    one: all are classified, and their slices pooled.
    """

    model_name: str = ""
    device: str = "auto"
    center: Center | None = None
    field_strength_tesla: float | None = None
    prevalence_dcm: float | None = None
    sections: Collection[int] | None = None
    reference: ReferenceT1 | None = None
    other_slices: Sequence[vtkMRMLScalarVolumeNode] = ()


@dataclass(frozen=True, eq=False)
class Run:
    """A result and what made it, so that one of its sections can be cut anew.

    volume_ids, made_of: one a map of the study, what the volumes were when they were read. model_state: of the model's
    file, see `state_of_file`.
    """

    study: StudyResult
    volume_ids: tuple[str, ...]
    made_of: tuple[MadeOf | None, ...]
    model: Path
    model_state: FileState
    device: str

    def slices_of(self, volume: vtkMRMLScalarVolumeNode) -> dict[int, SectionRecord]:
        """The volume's slices by their places in the study."""
        index = self.volume_ids.index(volume.GetID())
        return {place: each.section for place, each in enumerate(self.study.slices) if each.map_index == index}


# What is left to do when all nodes have been read; it may run in another thread.
Work = Callable[[Progress], Run]


class ACNetClassifierLogic(ScriptedLoadableModuleLogic):
    """Classifies T1 volumes of the scene.

    >>> nodes = ACNetClassifierLogic().classify(slicer.util.getNode("T1 map"))

    A classification has three parts, so that the long one can run in another thread: `prepare` reads the nodes, the
    function that it returns computes and touches neither MRML nor Qt, `show` makes the result's nodes. The runs of this
    session are remembered by their volume, for moving a section: a scene does not keep the network.
    """

    def __init__(self) -> None:
        super().__init__()
        self.models = available_models
        self.model_for_field = shipped_model_for_field
        self.load_classifier = load_classifier_from_file
        self._loaded: tuple[tuple[Path, FileState, str], Classifier] | None = None
        self._runs: dict[str, Run] = {}

    def getParameterNode(self) -> ACNetParameters:
        return ACNetParameters(super().getParameterNode())

    def classify(self, volume: vtkMRMLScalarVolumeNode, choices: Choices | None = None) -> ResultNodes:
        """Classify a volume and wait for the result. Raises ACNetError for what a user can put right."""
        work = self.prepare(volume, choices or Choices())
        return self.show(work(unwatched), volume)

    def prepare(self, volume: vtkMRMLScalarVolumeNode, choices: Choices, t1_maps: Sequence[T1Map] = ()) -> Work:
        """Check the choices and read the nodes; returns the work that is left.

        `t1_maps` are those of the volume and of the other slices where they have been read and checked already. Raises
        ACNetError for what a user can put right.
        """
        volumes = [volume, *(other for other in choices.other_slices if other is not volume)]
        check_one_patient(volumes)
        t1_maps = t1_maps or [t1_map_from_volume_node(each, choices.field_strength_tesla) for each in volumes]
        check_one_exam(t1_maps)
        if choices.sections is not None and len(t1_maps) > 1:
            raise ACNetError(
                _("Slices: found {count} T1 maps; expected one, whose slices are numbered.").format(count=len(t1_maps))
            )
        reference = exam_reference(t1_maps, choices.reference)
        settings = Settings(sections=choices.sections, prevalence_dcm=choices.prevalence_dcm, reference=reference)
        model = self.model_file(choices.model_name, one_that_tells_its_field(t1_maps), reference)
        model_state = state_of_file(model)
        places = {t1_map: place_from_node(choices.center, each) for t1_map, each in zip(t1_maps, volumes, strict=True)}
        read = {t1_map: (each.GetID(), made_of(each)) for t1_map, each in zip(t1_maps, volumes, strict=True)}

        def work(progress: Progress) -> Run:
            classifier = self._classifier(model, choices.device, progress)

            def classify(t1_map: T1Map, progress: Progress) -> StudyResult:
                center_mm, segmentation = places[t1_map]
                of_map = replace(settings, center_mm=center_mm, segmentation=segmentation)
                return classifier.classify(t1_map, of_map, progress)

            study = classify_exam(classify, t1_maps, progress)
            ids, states = zip(*(read[each.t1_map] for each in study.images), strict=True)
            return Run(study, ids, states, model, model_state, choices.device)

        return work

    def show(
        self, run: Run, volume: vtkMRMLScalarVolumeNode | None, display: Display | None = None, in_views: bool = True
    ) -> ResultNodes:
        """Put the result into the scene, in place of earlier ones of the same volumes, and remember it.

        The nodes of this volume are returned, or of the exam's first where it was left out or removed; `in_views` lets
        the views show it. Raises ACNetError where a volume's image or place has changed since it was read, or all are
        gone.
        """
        volumes = [slicer.mrmlScene.GetNodeByID(volume_id) for volume_id in run.volume_ids]
        for each, before in zip(volumes, run.made_of, strict=True):
            if not _is_unchanged(each, before):
                raise ACNetError(
                    _("{name}: its image or its place was changed while it was classified. Classify it again.").format(
                        name=each.GetName()
                    )
                )
        there = [each for each in volumes if each is not None]
        if not there:
            raise ACNetError(_("The T1 map was removed while it was classified."))
        shown = volume if volume in there else there[0]
        self._runs.update(dict.fromkeys(run.volume_ids, run))
        with slicer.util.RenderBlocker():  # the views are drawn once, when all is there
            if in_views:
                every = show_exam(run.study, volumes, slicer.mrmlScene, display, shown)
            else:
                every = update_exam(run.study, volumes, slicer.mrmlScene)
        return next(nodes for nodes in every if nodes.t1_volume is shown)

    def warm_up(self) -> None:
        """Load what the first run needs, if PyTorch is installed. Takes seconds: for another thread."""
        if importlib.util.find_spec("torch") is not None:
            import_torch()
            import ACNetLib.inference.classifier
            import ACNetLib.networks.fast  # noqa: F401  # loading it is what is wanted

    def run(self, volume: vtkMRMLScalarVolumeNode) -> Run | None:
        """The volume's last run of this session, if there was one and a slice of it can be cut anew.

        It can't where a map of its exam was classified again without the others, where one has another image or place
        by now, and where another model has taken the place of its own. A scene that is added to this one may bring a
        volume with the ID of one that was removed.
        """
        run = self._runs.get(volume.GetID())
        if run is None or any(self._runs.get(volume_id) is not run for volume_id in run.volume_ids):
            return None
        volumes = map(slicer.mrmlScene.GetNodeByID, run.volume_ids)
        if not all(map(_is_unchanged, volumes, run.made_of)):
            return None
        return run if state_of_file(run.model) == run.model_state else None

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
            for each in run.slices_of(nodes.t1_volume).values()
            if each.section in centers
            and np.linalg.norm(centers[each.section] - np.array(each.center_lps_mm)) > SMALLEST_MOVE_MM
        }

    def prepare_move(self, volume: vtkMRMLScalarVolumeNode, centers_mm: dict[int, np.ndarray]) -> Work:
        """The work that cuts sections of the volume's result anew around these centres (LPS mm)."""
        run = self._runs[volume.GetID()]
        places = {each.section: place for place, each in run.slices_of(volume).items()}

        def work(progress: Progress) -> Run:
            classifier, study = self._classifier(run.model, run.device, progress), run.study
            for section, center_mm in centers_mm.items():
                study = classifier.move_section(study, places[section], center_mm, progress)
            return replace(run, study=study)

        return work

    def leave_out(self, volume: vtkMRMLScalarVolumeNode, rows: Collection[int]) -> None:
        """Count the volume's study without these rows of its table. Raises ACNetError when none would be left."""
        nodes = find_result(volume, slicer.mrmlScene)
        if nodes is None:
            raise ACNetError(f"{volume.GetName()}: it has no result yet; expected one. Classify it first.")
        leave_out_of_exam(nodes, rows, slicer.mrmlScene)
        run = self.run(volume)
        if run is None:  # what is remembered, if anything, is of another result
            self._runs.pop(volume.GetID(), None)
        else:
            self._runs.update(dict.fromkeys(run.volume_ids, replace(run, study=run.study.leaving_out(rows))))

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

    def _classifier(self, model: Path, device: str, progress: Progress) -> Classifier:
        """Loaded once and kept until another is wanted, also one that was published in its place."""
        wanted = model, state_of_file(model), device
        if self._loaded is None or self._loaded[0] != wanted:
            progress("model", 0.0)
            self._loaded = wanted, self.load_classifier(model, device)
        return self._loaded[1]


def _is_unchanged(volume: vtkMRMLScalarVolumeNode | None, before: MadeOf | None) -> bool:
    """Whether it is what was read. One that was removed is nothing else."""
    if volume is None:
        return True
    now = made_of(volume)
    return now is not None and before is not None and now.is_same(before)


def report_work(study: StudyResult, folder: Path) -> Callable[[Progress], Path]:
    """The work that writes all files of a result but the scene into a new folder, and returns the page to read.

    It raises ACNetError when they can't be written.
    """

    def work(progress: Progress) -> Path:
        progress("report", 0.0)
        from ACNetLib.report.files import write_result

        try:
            write_result(study, folder)
        except OSError as error:
            raise _not_written(folder, error) from error
        return folder / "report.html"

    return work


WithImages = Callable[[StudyResult, Progress], StudyResult]
"""Lets the T1 maps of a study know their DICOM images; raises ACNetError where they have none."""


def dicom_work(study: StudyResult, with_images: WithImages, folder: Path) -> Callable[[Progress], list[Path]]:
    """The work that writes a result as DICOM objects into a new folder, and returns them; it needs highdicom.

    It raises ACNetError when the objects can't refer to the images, or can't be written.
    """

    def work(progress: Progress) -> list[Path]:
        progress("dicom", 0.0)
        from ACNetLib.dicom_results.files import write_dicom_results

        try:
            return write_dicom_results(with_images(study, progress), folder, progress=progress)
        except OSError as error:
            raise _not_written(folder, error) from error

    return work


def images_among(files: Sequence[Sequence[Path]]) -> WithImages:
    """By the DICOM files that each of the study's maps was made of."""

    def with_images(study: StudyResult, _progress: Progress) -> StudyResult:
        from ACNetLib.dicom_results.sources import with_sources

        images = zip(study.images, files, strict=True)
        return replace(
            study, images=tuple(replace(each, t1_map=with_sources(each.t1_map, of_map)) for each, of_map in images)
        )

    return with_images


def images_of_list(find: Find) -> WithImages:
    """By the files of the whole study, which are looked for first."""

    def with_images(study: StudyResult, progress: Progress) -> StudyResult:
        from ACNetLib.triage.images import with_images

        return with_images(study, find(lambda: progress("images", 0.0)))

    return with_images


def _not_written(folder: Path, error: OSError) -> ACNetError:
    return ACNetError(
        _("{folder}: the files can't be written ({reason}). Choose another folder.").format(
            folder=folder, reason=error.strerror or error
        )
    )


def available_models() -> dict[str, Path]:
    from ACNetLib.models.store import available_models as available

    return available()


def shipped_model_for_field(field_strength_tesla: float) -> Path:
    from ACNetLib.models.store import model_for_field

    return model_for_field(field_strength_tesla)


def shipped_model_for_reference(mean_ms: float) -> Path:
    from ACNetLib.models.store import model_for_reference

    return model_for_reference(mean_ms)


def load_classifier_from_file(model: Path, device: str) -> Classifier:
    import_torch()
    return load_pipeline(model, device=device)

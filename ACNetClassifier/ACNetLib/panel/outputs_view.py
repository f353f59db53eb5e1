"""The buttons that take a result out of the panel: report, segmentation, DICOM objects, training cases."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import qt
import slicer
import slicer.util
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import SHOWN_MAP
from ACNetLib.inference.evidence import EVIDENCE
from ACNetLib.panel.dependencies import ensure_dicom_package
from ACNetLib.panel.list_images import ListImages
from ACNetLib.panel.logic import dicom_work, images_among, images_of_list, report_work
from ACNetLib.panel.parameters import ACNetParameters
from ACNetLib.panel.texts import refusal_text
from ACNetLib.panel.worker import Work
from ACNetLib.scene.exam import results_of_exam, study_from_scene
from ACNetLib.scene.list_study import list_study_of
from ACNetLib.scene.nodes import ResultNodes
from ACNetLib.scene.segmentation import label_map_of, make_segmentation
from ACNetLib.scene.sources import dicom_files

REPORT_FOLDER, DICOM_FOLDER = "acnet-report", "acnet-dicom"
TRAINER = "ACNetTrainer"

Start = Callable[[Work, vtkMRMLScalarVolumeNode, Callable[[vtkMRMLScalarVolumeNode | None, Any], None], str], None]


class OutputsView:
    """`start` does long work on a volume and hands on its result, or says what failed; `say` shows a sentence in the
    panel. `list_images`: where those of a reading list's studies are.
    """

    def __init__(self, ui: Any, start: Start, say: Callable[[str], None], list_images: ListImages) -> None:
        self.ui = ui
        self._start, self._say, self._list_images = start, say, list_images
        self._parameters: ACNetParameters | None = None
        self._nodes: ResultNodes | None = None  # of the result that the panel shows
        self.ui.reportButton.connect("clicked(bool)", self._write_report)
        self.ui.segmentationButton.connect("clicked(bool)", self._make_segmentation)
        self.ui.dicomButton.connect("clicked(bool)", self._write_dicom)
        self.ui.trainingButton.connect("clicked(bool)", self._offer_to_trainer)

    def follow(self, parameters: ACNetParameters | None) -> None:
        self._parameters = parameters

    def show(self, nodes: ResultNodes | None, running: bool) -> None:
        """Let each button be clicked when it has something to work on, and say in its tool tip what it does."""
        self._nodes = nodes
        self.ui.reportButton.enabled = nodes is not None and not running
        self.ui.segmentationButton.enabled = nodes is not None
        self._show_dicom_button(nodes, running)
        has_trainer = hasattr(slicer.modules, TRAINER.lower())
        self.ui.trainingButton.enabled = has_trainer and self._volume() is not None
        self.ui.trainingButton.toolTip = (
            _("Open ACNet Trainer to label this T1 map and add it to the training cases")
            if has_trainer
            else _("The module ACNet Trainer is not installed")
        )

    def _show_dicom_button(self, nodes: ResultNodes | None, running: bool) -> None:
        obstacle = "" if nodes is None else self._dicom_obstacle(nodes.t1_volume)
        self.ui.dicomButton.enabled = nodes is not None and not obstacle and not running
        self.ui.dicomButton.toolTip = obstacle or _(
            "Save the result as DICOM objects, with the patient and the study of the T1 map, into a new folder"
        )

    def _dicom_obstacle(self, volume: vtkMRMLScalarVolumeNode) -> str:
        """Why the result can't be written as DICOM objects; "" when it can."""
        if study := list_study_of(volume):
            return self._list_images.obstacle(study)
        if dicom_files(volume):
            return ""
        return _("The T1 map was not made of DICOM files, or they are not known any more")

    def _volume(self) -> vtkMRMLScalarVolumeNode | None:
        return None if self._parameters is None else self._parameters.t1_volume

    def _write_report(self, _checked: bool = False) -> None:
        nodes = self._nodes
        if nodes is None:
            return
        try:
            study = study_from_scene(nodes, slicer.mrmlScene)
        except ACNetError as error:
            self._say(refusal_text(error))
            return
        folder = _chosen_folder(_("Where to write the report's folder"), REPORT_FOLDER)
        if folder is not None:
            self._start(
                report_work(study, folder), nodes.t1_volume, self._open_report, _("The report could not be written.")
            )

    def _open_report(self, _volume: vtkMRMLScalarVolumeNode | None, page: Path) -> None:
        self._say(_("Report written: {path}").format(path=page))
        qt.QDesktopServices.openUrl(qt.QUrl.fromLocalFile(str(page)))

    def _write_dicom(self, _checked: bool = False) -> None:
        nodes = self._nodes
        if nodes is None:
            return
        with slicer.util.tryWithErrorDisplay(_("The DICOM objects could not be written.")):
            try:
                study = study_from_scene(nodes, slicer.mrmlScene)
                ensure_dicom_package()
            except ACNetError as error:
                self._say(refusal_text(error))
                return
            if name := list_study_of(nodes.t1_volume):
                with_images = images_of_list(self._list_images.finder(name))
            else:
                every = results_of_exam(nodes, slicer.mrmlScene)
                with_images = images_among([dicom_files(each.t1_volume) for each in every])
            folder = _chosen_folder(_("Where to write the folder with the DICOM objects"), DICOM_FOLDER)
            if folder is not None:
                failure = _("The DICOM objects could not be written.")
                self._start(dicom_work(study, with_images, folder), nodes.t1_volume, self._offer_to_database, failure)

    def _offer_to_database(self, _volume: vtkMRMLScalarVolumeNode | None, objects: list[Path]) -> None:
        folder = objects[0].parent
        self._say(_("Written: {count} DICOM objects in {folder}").format(count=len(objects), folder=folder))
        database = getattr(slicer, "dicomDatabase", None)  # a build without DICOM has none
        if database is None or not database.isOpen:
            return
        question = _("The DICOM objects, research only, are written. Add them to Slicer's DICOM database, too?")
        if slicer.util.confirmYesNoDisplay(question, windowTitle=_("ACNet: DICOM objects")):
            from DICOMLib import DICOMUtils

            if not DICOMUtils.importDicom(str(folder)):
                self._say(_("{folder} can't be added to the DICOM database: see the error log.").format(folder=folder))

    def _make_segmentation(self, _checked: bool = False) -> None:
        nodes = self._nodes
        if self._parameters is not None and nodes is not None:
            scene, overlay = slicer.mrmlScene, self._parameters.overlay
            if overlay == EVIDENCE:  # it has no labels
                overlay = SHOWN_MAP
            with slicer.util.tryWithErrorDisplay(_("The segmentation could not be made.")):
                try:
                    every = results_of_exam(nodes, scene)
                    for each in every:  # before the first is made
                        label_map_of(each, overlay)
                    made = [make_segmentation(each, scene, overlay) for each in every]
                except ACNetError as error:
                    self._say(refusal_text(error))
                    return
                names = ", ".join(node.GetName() for node in made)
                self._say(
                    _("Made: {name}. The extension QuantitativeReporting exports it as DICOM SEG.").format(name=names)
                )

    def _offer_to_trainer(self, _checked: bool = False) -> None:
        if self._parameters is not None and self._parameters.t1_volume is not None:
            volume, center = self._parameters.t1_volume, self._parameters.center
            slicer.util.selectModule(TRAINER)  # leaves this module: its parameters are followed no longer
            slicer.util.getModuleWidget(TRAINER).offer_case(volume, center)


def _chosen_folder(title: str, name: str) -> Path | None:
    """A new folder where the user wants it, by the first name that is not taken: nothing is overwritten."""
    chosen = qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title)
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(Path(chosen, each) for each in names if not os.path.lexists(Path(chosen, each))) if chosen else None

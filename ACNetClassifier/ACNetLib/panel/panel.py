"""The panel: choices, Apply, the verdict and the table of the chosen volume's result, and its overlay."""

from __future__ import annotations

from concurrent.futures import Future

import qt
import slicer
import slicer.util
import vtk
from slicer.i18n import tr as _

from ACNetLib.device import DEVICE_REQUESTS
from ACNetLib.errors import ACNetError
from ACNetLib.panel.logic import ACNetClassifierLogic
from ACNetLib.panel.parameters import ACNetParameters
from ACNetLib.panel.texts import (
    device_text,
    field_strength_text,
    model_text,
    overlay_text,
    refusal_text,
    row_texts,
    step_text,
    study_text,
    verdict_text,
)
from ACNetLib.panel.worker import Worker
from ACNetLib.scene import OVERLAYS, ResultNodes, find_result, show_overlay
from ACNetLib.scene_table import read_summary

FIELD_STRENGTHS = ("", "1.5", "3")
AUTOMATIC_MODEL = ""


class ACNetPanel(slicer.util.VTKObservationMixin):
    """The widgets of the .ui file brought to life.

    What it shows of a result it reads from the scene: after a run, for another volume and in an opened scene alike.
    """

    def __init__(self, ui_path: str, logic: ACNetClassifierLogic) -> None:
        super().__init__()
        self.widget = slicer.util.loadUI(ui_path)
        self.widget.setMRMLScene(slicer.mrmlScene)
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.logic = logic
        self._worker = Worker(self._progressed, self._finished)
        self._parameters: ACNetParameters | None = None
        self._gui_tag: int | None = None
        self._models: tuple[str, ...] = ()  # as listed: looking for them reads files
        self._running_volume_id: str | None = None
        self._shown: tuple[str, str, float] | None = None  # so that the views change only when a choice does

        self._choices = {
            "field_strength": self.ui.fieldComboBox,
            "model_name": self.ui.modelComboBox,
            "device": self.ui.deviceComboBox,
            "overlay": self.ui.overlayComboBox,
        }
        for field_strength in FIELD_STRENGTHS:
            self.ui.fieldComboBox.addItem(field_strength_text(field_strength), field_strength)
        for request in DEVICE_REQUESTS:
            self.ui.deviceComboBox.addItem(device_text(request), request)
        for overlay in OVERLAYS:
            self.ui.overlayComboBox.addItem(overlay_text(overlay), overlay)
        for name in self._choices:
            self._choices[name].connect("currentIndexChanged(int)", lambda index, name=name: self._chosen(name, index))
        self.ui.prevalenceSpinBox.connect("valueChanged(double)", self._prevalence_chosen)
        self.ui.applyButton.connect("clicked(bool)", self._apply)
        self._say("")
        self._update()

    def set_parameters(self, parameters: ACNetParameters | None) -> None:
        """Show and follow these parameters from now on; None while there is no scene or the user is elsewhere."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._gui_tag)
            self.removeObserver(self._parameters, vtk.vtkCommand.ModifiedEvent, self._update)
        self._parameters = None
        self._list_models()
        self._parameters = parameters
        if parameters is not None:
            if parameters.model_name not in self._models:
                parameters.model_name = AUTOMATIC_MODEL
            self._gui_tag = parameters.connectGui(self.ui)
            self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self._update)
            self._shown = self._overlay()
        self._update()

    def forget_run(self) -> None:
        """The scene closes: what is being computed belongs to a scene that is gone."""
        self._running_volume_id = None

    def close(self) -> None:
        """The module is unloaded: its widgets may be gone already."""
        self.forget_run()
        self._worker.close()
        self.removeObservers()
        self._parameters = None

    def _list_models(self) -> None:
        self._models = tuple(self.logic.models())
        self.ui.modelComboBox.clear()
        for name in (AUTOMATIC_MODEL, *self._models):
            self.ui.modelComboBox.addItem(model_text(name), name)

    def _chosen(self, name: str, index: int) -> None:
        if self._parameters is not None and index >= 0:
            setattr(self._parameters, name, self._choices[name].itemData(index))

    def _prevalence_chosen(self, prevalence_percent: float) -> None:
        if self._parameters is not None:
            self._parameters.prevalence = prevalence_percent / 100

    def _show_prevalence(self, prevalence: float) -> None:
        prevalence_percent = round(100 * prevalence, self.ui.prevalenceSpinBox.decimals)
        if self.ui.prevalenceSpinBox.value != prevalence_percent:  # else what is being typed would be written anew
            self.ui.prevalenceSpinBox.value = prevalence_percent

    def _apply(self, _checked: bool = False) -> None:
        parameters = self._parameters
        if parameters is None:
            return
        self._say("")
        with slicer.util.tryWithErrorDisplay(_("The classification could not be started."), waitCursor=True):
            try:
                work = self.logic.prepare(
                    parameters.t1_volume,
                    model_name=parameters.model_name,
                    device=parameters.device,
                    center=parameters.center,
                    field_strength_tesla=float(parameters.field_strength) if parameters.field_strength else None,
                    prevalence_dcm=parameters.prevalence or None,
                )
            except ACNetError as error:
                self._say(refusal_text(error))
                return
            self._running_volume_id = parameters.t1_volume.GetID()
            self._worker.start(work)
        self._update()

    def _progressed(self, step: str) -> None:
        self._say(step_text(step))

    def _finished(self, future: Future) -> None:
        volume_id, self._running_volume_id = self._running_volume_id, None
        self._say("")
        volume = slicer.mrmlScene.GetNodeByID(volume_id) if volume_id else None
        with slicer.util.tryWithErrorDisplay(_("The classification failed.")):
            try:
                if volume is not None:
                    parameters = self.logic.getParameterNode()  # the user may be in another module by now
                    self.logic.show(future.result(), volume, parameters.overlay, parameters.opacity)
            except ACNetError as error:
                self._say(refusal_text(error))
            except Exception:
                self._say(_("The classification failed: see the error log."))
                raise
            finally:
                self._update()

    def _say(self, text: str) -> None:
        self.ui.statusLabel.text = text
        self.ui.statusLabel.visible = bool(text)

    def _overlay(self) -> tuple[str, str, float] | None:
        """Over which volume which overlay is to be shown, and how opaque."""
        parameters = self._parameters
        if parameters is None or parameters.t1_volume is None:
            return None
        return parameters.t1_volume.GetID(), parameters.overlay, parameters.opacity

    def _update(self, *_event: object) -> None:
        """Make the widgets say what the parameters, the scene and the worker are."""
        if self._parameters is not None:
            for name, combo_box in self._choices.items():
                combo_box.setCurrentIndex(combo_box.findData(getattr(self._parameters, name)))
            self._show_prevalence(self._parameters.prevalence)
        obstacle = self._obstacle()
        self.ui.applyButton.enabled = not obstacle
        self.ui.applyButton.toolTip = obstacle or _("Classify the T1 map")
        self.ui.applyButton.text = _("Running...") if self._worker.running else _("Apply")

        volume = self._parameters.t1_volume if self._parameters is not None else None
        nodes = find_result(volume, slicer.mrmlScene) if volume is not None else None
        self._show_result(nodes)
        overlay = self._overlay()
        if nodes is not None and overlay is not None and overlay != self._shown:
            show_overlay(nodes, slicer.mrmlScene, overlay=overlay[1], opacity=overlay[2])
        self._shown = overlay

    def _obstacle(self) -> str:
        """Why Apply can't be clicked now; empty when it can."""
        if self._worker.running:
            return _("The classification is running")
        if self._parameters is None or self._parameters.t1_volume is None:
            return _("Select a T1 map")
        return "" if self._models else _("No model is installed")

    def _show_result(self, nodes: ResultNodes | None) -> None:
        table = self.ui.sectionTable
        self.ui.studyLabel.visible = table.visible = nodes is not None
        if nodes is None:
            self.ui.verdictLabel.text = _("No result yet")
            return
        study, rows = read_summary(nodes.table)
        self.ui.verdictLabel.text = verdict_text(study)
        self.ui.studyLabel.text = study_text(study)
        table.setRowCount(len(rows))
        for index, row in enumerate(rows):
            for column, text in enumerate(row_texts(row)):
                table.setItem(index, column, qt.QTableWidgetItem(text))
        for column in range(table.columnCount - 1):  # the notes get what is left and may need several lines
            table.resizeColumnToContents(column)
        table.resizeRowsToContents()

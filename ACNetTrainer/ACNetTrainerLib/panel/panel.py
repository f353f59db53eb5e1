"""The panel: a case library, trainings on it, and what becomes of their models."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import qt
import slicer
import slicer.util
import vtk
from slicer import vtkMRMLScalarVolumeNode
from slicer.i18n import tr as _

from ACNetLib.errors import ACNetError
from ACNetLib.panel.combo_boxes import ComboBoxes
from ACNetLib.panel.dependencies import ensure_packages
from ACNetLib.panel.labels import say
from ACNetLib.panel.observers import Observers
from ACNetLib.panel.worker import CancelledByUser, Work, Worker
from ACNetLib.resources import resources_folder
from ACNetLib.scene.output import RESULT_OF
from ACNetTrainerLib.cases.library import LABELS
from ACNetTrainerLib.panel.cases_view import CasesView, reading
from ACNetTrainerLib.panel.judging_view import JudgingView
from ACNetTrainerLib.panel.logic import ACNetTrainerLogic, Center, check_warnings, give_other_label, remove_cases
from ACNetTrainerLib.panel.parameters import ACNetTrainerParameters
from ACNetTrainerLib.panel.texts import label_text, relabel_question, remove_question
from ACNetTrainerLib.panel.training_view import TrainingView
from ACNetTrainerLib.scene import show_case

RESOURCES = resources_folder("ACNetTrainerLib")
REQUIREMENTS_FILE = RESOURCES / "ACNetTrainer-requirements.txt"


class ACNetTrainerPanel:
    """The widgets of the .ui file brought to life."""

    def __init__(self, ui_path: str, logic: ACNetTrainerLogic) -> None:
        self.widget = slicer.util.loadUI(ui_path)
        self.widget.setMRMLScene(slicer.mrmlScene)
        self.ui: Any = slicer.util.childWidgetVariables(self.widget)
        self.logic = logic
        self._worker = Worker(lambda _step, _fraction: None)
        self._parameters: ACNetTrainerParameters | None = None
        self._has_parameters = False  # the present scene, also while the user is elsewhere
        self._chosen_before_import: Any = None
        self._gui_tag: int | None = None
        # After the wrapper's own observers, which bring the values up to date that it keeps.
        self._of_parameters = Observers(self._update, (vtk.vtkCommand.ModifiedEvent,), priority=-1.0)
        self._library: str | None = None  # as shown; None: to be read, once more
        self._failed = ""  # why the library was not changed
        self._volume_id = ""  # of the T1 map that was chosen last
        self._added_center: Center | None = None
        self._added_patient = ""

        self._cases_view = CasesView(self.ui, lambda library, case: show_case(library, case, slicer.mrmlScene))
        self._training_view = TrainingView(self.ui, self._ensure_packages, self._update)
        self._judging_view = JudgingView(self.ui, lambda: self._training_view.shown, self._model_published)
        self._combo_boxes = ComboBoxes()
        recipes = sorted(file.stem for file in (RESOURCES / "Recipes").glob("*.toml"))
        self._combo_boxes.add("label", self.ui.labelComboBox, LABELS, label_text)
        self._combo_boxes.add("recipe", self.ui.recipeComboBox, recipes, str)
        self._combo_boxes.add("parent", self.ui.parentComboBox, (), str)
        self._combo_boxes.add("training", self.ui.trainingComboBox, (), self._training_view.name_text)
        self.ui.openButton.connect("clicked(bool)", self._open_library)
        self.ui.newButton.connect("clicked(bool)", self._new_library)
        self.ui.addButton.connect("clicked(bool)", self._add_case)
        self.ui.checkButton.connect("clicked(bool)", self._check_library)
        self.ui.changeLabelButton.connect("clicked(bool)", self._change_label)
        self.ui.removeButton.connect("clicked(bool)", self._remove_cases)
        self.ui.judgingLibraryButton.connect("clicked(bool)", self._choose_judging_library)
        self._say("")
        self._update()

    @property
    def running(self) -> bool:
        """Whether work goes on in a thread."""
        return self._worker.running or self._cases_view.drawing

    def set_parameters(self, parameters: ACNetTrainerParameters | None) -> None:
        """Show and follow these parameters from now on; None while there is no scene or the user is elsewhere."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._gui_tag)
        self._parameters = parameters
        self._has_parameters |= parameters is not None
        if parameters is not None and parameters.t1_volume is None:
            parameters.center = None  # its map was removed while the user was elsewhere
        self._training_view.follow(parameters)
        self._judging_view.follow(parameters)
        self._combo_boxes.offer("parent", self._training_view.parents, str)
        self._combo_boxes.follow(parameters)
        if parameters is not None:
            self._gui_tag = parameters.connectGui(self.ui)
        self._of_parameters.follow(() if parameters is None else (parameters.parameterNode,))
        self._update()

    def offer_case(self, volume: vtkMRMLScalarVolumeNode, center: Center | None) -> None:
        """Another module hands over a T1 map to be labelled and added."""
        if self._parameters is not None:
            self._parameters.t1_volume = volume
            self._parameters.center = center
            self.ui.patientLineEdit.text = ""  # another patient's
            self._say(_("Choose the label, give the patient, then click Add."))

    def leave_scene(self) -> None:
        """The scene closes: what runs for it ends. A training goes on, it has nothing of the scene."""
        self._worker.cancel()
        self._cases_view.stop_drawing()
        self._training_view.forget_curves()
        self._has_parameters = False
        self._forget_map()

    def import_starts(self) -> None:
        """Slicer's selectors lose what is chosen in them when a scene has come in (Slicer issue 4570): they are not
        followed meanwhile."""
        self._chosen_before_import = self._chosen()
        if self._parameters is not None:
            self._parameters.disconnectGui(self._gui_tag)
            self._parameters = None

    def scene_imported(self) -> None:
        """What is chosen is what the scene brought along; the patient's name is not in it. Where it brought no
        parameters, what was chosen before still is."""
        chosen = self._chosen()
        if chosen is None or chosen is not self._chosen_before_import:
            self._forget_map()
        self._chosen_before_import = None

    def _chosen(self) -> Any:
        """The T1 map of the scene's parameters, which are not kept beyond a visit."""
        return self.logic.getParameterNode().t1_volume if self._has_parameters else None

    def close(self) -> None:
        """The module is unloaded."""
        self._of_parameters.follow(())
        if self._parameters is not None:
            self._parameters.disconnectGui(self._gui_tag)
        self._worker.close()
        self._training_view.close()
        self._judging_view.close()
        self._cases_view.close()
        self._parameters = None

    def _ensure_packages(self) -> None:
        ensure_packages(REQUIREMENTS_FILE)

    def _chosen_folder(self, title: str) -> str:
        return str(qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title) or "")

    def _open_library(self, _checked: bool = False) -> None:
        folder = self._chosen_folder(_("Folder of the case library"))
        if folder and self._parameters is not None:
            self._library = None
            self._parameters.library = folder
            self._update()

    def _new_library(self, _checked: bool = False) -> None:
        folder = self._chosen_folder(_("New or empty folder for the case library"))
        if not folder or self._parameters is None:
            return
        try:
            self._ensure_packages()
            from ACNetTrainerLib.cases.editing import create_case_library

            create_case_library(Path(folder))
        except ACNetError as error:
            self._cases_view.show_warnings([error.shown])
            return
        self._library = None
        self._parameters.library = folder
        self._update()

    def _choose_judging_library(self, _checked: bool = False) -> None:
        folder = self._chosen_folder(_("Case library with other patients"))
        if folder and self._parameters is not None:
            self._parameters.judging_library = folder

    def _add_case(self, _checked: bool = False) -> None:
        parameters = self._parameters
        if parameters is None:
            return
        self._say("")
        with slicer.util.tryWithErrorDisplay(_("The case could not be added.")):
            try:
                self._ensure_packages()
                work = self.logic.prepare_case(
                    Path(parameters.library),
                    parameters.t1_volume,
                    parameters.label,
                    self.ui.patientLineEdit.text,
                    parameters.center,
                )
            except ACNetError as error:
                self._say(error.shown)
                return
            self._say(_("Adding..."))
            self._added_center, self._added_patient = parameters.center, self.ui.patientLineEdit.text
            self._worker.start(work, self._case_added)
        self._update()

    def _case_added(self, future: Future) -> None:
        with slicer.util.tryWithErrorDisplay(_("The case could not be added.")):
            try:
                added = future.result()
                self._say("\n".join([_("Added: {count} slices.").format(count=len(added.cases)), *added.notes]))
                if self.ui.patientLineEdit.text == self._added_patient:  # else the next one is being typed
                    self.ui.patientLineEdit.text = ""
                if self._parameters is not None and self._parameters.center is self._added_center:
                    self._parameters.center = None
            except CancelledByUser:
                self._say("")
            except ACNetError as error:
                self._say(error.shown)
            finally:
                self._read_library()

    def _check_library(self, _checked: bool = False) -> None:
        library = self._cases_view.library
        if library is not None:
            self._start_on_library(
                lambda _progress: check_warnings(library), self._library_checked, _("Reading every image...")
            )

    def _library_checked(self, future: Future) -> None:
        with slicer.util.tryWithErrorDisplay(_("The library could not be checked.")):
            try:
                self._cases_view.show_warnings(future.result() or [_("No warnings.")])
            except CancelledByUser:
                self._cases_view.show_warnings([])
            except ACNetError as error:
                self._cases_view.show_warnings([error.shown])
            finally:
                self._update()

    def _change_label(self, _checked: bool = False) -> None:
        patients = {case.patient: case for case in self._cases_view.selected}
        if patients and slicer.util.confirmOkCancelDisplay(relabel_question(patients)):
            self._change_library(lambda folder: give_other_label(folder, list(patients.values())))

    def _remove_cases(self, _checked: bool = False) -> None:
        names = {case.case: case.patient for case in self._cases_view.selected}
        patients = dict.fromkeys(names.values())
        if names and slicer.util.confirmOkCancelDisplay(remove_question(patients, len(names))):
            self._change_library(lambda folder: remove_cases(folder, list(names)))

    def _change_library(self, change: Callable[[Path], None]) -> None:
        """In the thread: another process may hold the library's lock for a while."""
        if self._parameters is not None:
            folder = Path(self._parameters.library)
            self._start_on_library(lambda _progress: change(folder), self._library_changed, _("Changing..."))

    def _library_changed(self, future: Future) -> None:
        with slicer.util.tryWithErrorDisplay(_("The library could not be changed.")):
            try:
                future.result()
            except ACNetError as error:
                self._failed = error.shown
            finally:
                self._read_library()

    def _start_on_library(self, work: Work, on_finished: Callable[[Future], None], text: str) -> None:
        try:
            self._ensure_packages()
        except ACNetError as error:
            self._cases_view.show_warnings([error.shown])
            return
        self._cases_view.show_warnings([text])
        self._worker.start(work, on_finished)
        self._update()

    def _read_library(self) -> None:
        """Read the parameters' library and show it; without parameters, when there are some again."""
        self._library = None
        parameters = self._parameters
        if parameters is None:
            return
        self._library = parameters.library
        if parameters.library:
            self._worker.start(reading(Path(parameters.library)), self._library_read)
        else:
            self._cases_view.show(None, [_("Open a case library, or make a new one.")])
        self._update()

    def _library_read(self, future: Future) -> None:
        failure = _("The library could not be read.")
        with slicer.util.tryWithErrorDisplay(failure):
            library, sentences = None, [_("{failed} See the error log.").format(failed=failure)]
            try:
                library, sentences = future.result()
            finally:  # the cases of the one before must not stay beside this one's name
                failed, self._failed = self._failed, ""
                self._cases_view.show(library, [*filter(None, [failed]), *sentences])
        self._update()

    def _model_published(self) -> None:
        self._combo_boxes.offer("parent", self._training_view.parents, str)
        self._update()

    def _forget_map(self) -> None:
        self._volume_id = ""
        self.ui.patientLineEdit.text = ""

    def _end_case(self, parameters: ACNetTrainerParameters) -> None:
        """With another T1 map the patient goes, and a point or a segmentation, else it would be stored as a person's
        centre of it; not what was made of the map itself. Also where none was chosen in between, or the one before was
        removed.
        """
        volume = parameters.t1_volume
        if volume is None or volume.GetID() == self._volume_id or slicer.mrmlScene.IsImporting():
            return
        before, self._volume_id = self._volume_id, volume.GetID()
        if not before:
            return
        self.ui.patientLineEdit.text = ""
        center = parameters.center
        if center is not None and center.GetNodeReference(RESULT_OF) is not volume:
            parameters.center = None

    def _say(self, text: str) -> None:
        say(self.ui.statusLabel, text)

    def _update(self, *_event: object) -> None:
        """Make the widgets say what the parameters, the library and the trainings are."""
        parameters = self._parameters
        if parameters is None:
            return
        self._end_case(parameters)
        self._combo_boxes.offer("training", self._training_view.names(), self._training_view.name_text)
        self._combo_boxes.show()
        say(self.ui.judgingLibraryLabel, parameters.judging_library or _("No library chosen"))
        say(self.ui.libraryLabel, parameters.library or _("No library open"))
        if parameters.library != self._library and not self._worker.running:
            self._read_library()
            return
        self.ui.addButton.enabled = bool(
            self._cases_view.library is not None and parameters.t1_volume is not None and not self._worker.running
        )
        has_cases = self._cases_view.library is not None and bool(self._cases_view.library.cases)
        for button in (self.ui.checkButton, self.ui.changeLabelButton, self.ui.removeButton):
            button.enabled = has_cases and not self._worker.running
        try:
            self._training_view.show()
        finally:  # else the measures of the training before would stay beside this one's name
            self._judging_view.show()

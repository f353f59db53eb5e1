"""The middle part of the trainer's panel: starting a training, following it, stopping and resuming it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import qt
import slicer
import slicer.util
from slicer.i18n import tr as _

from ACNetLib.errors import ACNetError
from ACNetLib.files import FileState, state_of_file
from ACNetLib.models.store import available_models
from ACNetLib.panel.labels import say
from ACNetLib.processes import EventLog, last_error, python_for_processes
from ACNetTrainerLib.commands.training import FINE_TUNE
from ACNetTrainerLib.panel.parameters import ACNetTrainerParameters
from ACNetTrainerLib.panel.texts import failure_text, progress_text, training_text
from ACNetTrainerLib.scene import draw_curves, show_plot_view
from ACNetTrainerLib.training.background import (
    ERRORS_FILE,
    EVENTS_FILE,
    CrossValidation,
    Request,
    State,
    Training,
    current_events,
    event_log,
    find_trainings,
    is_running,
    new_training,
    read_events,
    request_stop,
    start,
    state_of,
    stop_requested,
)

POLL_MS = 500


class TrainingView:
    """Follows the trainings of this computer; those that an earlier Slicer started too."""

    def __init__(self, ui: Any, ensure_packages: Callable[[], None], on_changed: Callable[[], None]) -> None:
        self.ui = ui
        self._ensure_packages, self._on_changed = ensure_packages, on_changed
        self._parameters: ACNetTrainerParameters | None = None
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._states: dict[str, State] = {}
        self._said: dict[str, FileState] = {}  # of each training's events, when its state was looked for
        self._logs: dict[str, EventLog] = {}
        self._curves_of = ""  # the training whose curves the user wants to see
        self._drawn: tuple[object, ...] = ()
        self._at_work: tuple[int, int] | None = None  # which training of the shown cross-validation
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)
        self.ui.trainButton.connect("clicked(bool)", lambda _checked: self._start_new(_request))
        self.ui.crossValidateButton.connect("clicked(bool)", lambda _checked: self._start_new(_cross_validation))
        self.ui.goOnButton.connect("clicked(bool)", self._go_on)
        self.ui.stopButton.connect("clicked(bool)", self._stop)
        self.ui.curvesButton.connect("clicked(bool)", self._show_curves)
        self._refuse("")

    def follow(self, parameters: ACNetTrainerParameters | None) -> None:
        """Show these parameters from now on. The trainings on disk are looked for anew."""
        self._parameters = parameters
        if parameters is not None:
            self._states = {training.name: self._look_at(training) for training in find_trainings()}
            if not parameters.training and self._states:
                running = (name for name, state in self._states.items() if state == "running")
                parameters.training = next(running, next(iter(self._states)))
            if parameters.parent not in self.parents:
                parameters.parent = next(iter(self.parents), "")
            self._timer.start()

    @property
    def shown(self) -> Training | None:
        """The training that the user looks at."""
        name = self._parameters.training if self._parameters is not None else ""
        return next((training for training in find_trainings() if training.name == name), None)

    def state(self, training: Training) -> State:
        return self._states.get(training.name, "stopped")

    def names(self) -> tuple[str, ...]:
        return tuple(training.name for training in find_trainings())

    @property
    def parents(self) -> tuple[str, ...]:
        """The published models, one of which the recipe fine-tune trains on."""
        return tuple(available_models())

    def name_text(self, name: str) -> str:
        return training_text(name, self._states.get(name, "stopped"))

    def show(self) -> None:
        """Make the widgets say how the shown training does; its curves, once wanted, grow with each epoch."""
        training = self.shown
        state = self.state(training) if training is not None else None
        self.ui.stopButton.enabled = state == "running"
        self.ui.goOnButton.enabled = state in {"stopped", "failed"}
        may_start = self._parameters is not None and bool(self._parameters.library)
        if self._parameters is not None and training is not None and state == "running":
            may_start &= self._parameters.model_name.strip() != training.name  # the second of two clicks starts nothing
        self.ui.trainButton.enabled = self.ui.crossValidateButton.enabled = may_start
        fine_tunes = self._parameters is not None and self._parameters.recipe == FINE_TUNE
        self.ui.parentComboBox.enabled = fine_tunes
        self.ui.compareCheckBox.enabled = not fine_tunes
        self.ui.trainingProgressBar.visible = state == "running"
        self.ui.curvesButton.enabled = training is not None
        if training is None:
            say(self.ui.progressLabel, "")
            return
        events = self._logs.setdefault(training.name, event_log(training)).read()
        say(self.ui.progressLabel, self._progress_text(training, state, events))
        current = current_events(events)
        self._at_work = _numbers(current)
        self.ui.trainingProgressBar.value = _percent_done(current)
        epochs = [event for event in current if event["event"] == "epoch"]
        to_draw = (training.name, self._at_work, len(epochs))
        if epochs and training.name == self._curves_of and to_draw != self._drawn:
            self._drawn = to_draw
            last_of_epoch = {event["epoch"]: event for event in epochs}  # an epoch may have been begun twice
            draw_curves(list(last_of_epoch.values()), training.name, slicer.mrmlScene)

    def forget_curves(self) -> None:
        """They were of a scene that closes: the next one gets none unless the user wants them there."""
        self._curves_of, self._drawn = "", ()

    def close(self) -> None:
        """The application closes: what this panel started writes a checkpoint and ends."""
        for training in find_trainings():
            process = self._processes.get(training.name)
            if process is not None and process.poll() is None:
                request_stop(training)
        self._timer.stop()
        self._parameters = None

    def _progress_text(self, training: Training, state: State | None, events: list[dict[str, Any]]) -> str:
        if state == "failed" and not (events and events[-1]["event"] == "error"):
            return failure_text(last_error(training.folder / ERRORS_FILE), ERRORS_FILE)
        if state == "running" and stop_requested(training):
            return _("Stopping after this step...")
        if state == "stopped":
            return progress_text({"event": "stopped"})
        return progress_text(events[-1] if events else None, _numbers(events))

    def _start_new(self, request: Callable[[ACNetTrainerParameters], Request]) -> None:
        parameters = self._parameters
        if parameters is None:
            return
        with slicer.util.tryWithErrorDisplay(_("The training could not be started.")):
            try:
                self._ensure_packages()
                training = new_training(parameters.model_name.strip(), request(parameters))
                self._run(training)
            except ACNetError as error:
                self._refuse(error.shown)
                return
            parameters.training = training.name

    def _go_on(self, _checked: bool = False) -> None:
        training = self.shown
        if training is None:
            return
        with slicer.util.tryWithErrorDisplay(_("The training could not be resumed.")):
            try:
                self._ensure_packages()
                if is_running(training):
                    raise ACNetError(_("Another Slicer has resumed this training already."))
                self._run(training)
            except ACNetError as error:
                self._refuse(error.shown)

    def _run(self, training: Training) -> None:
        self._processes[training.name] = start(training, python_for_processes())
        self._states[training.name] = "running"
        self._refuse("")
        self._want_curves(training)
        self._on_changed()

    def _show_curves(self, _checked: bool = False) -> None:
        training = self.shown
        if training is not None:
            self._want_curves(training)
            self.show()

    def _want_curves(self, training: Training) -> None:
        self._curves_of, self._drawn = training.name, ()
        show_plot_view(slicer.mrmlScene)

    def _stop(self, _checked: bool = False) -> None:
        training = self.shown
        if training is not None:
            request_stop(training)
            self.show()

    def _refuse(self, text: str) -> None:
        """Say why a training can't be started, until the user tries again."""
        say(self.ui.refusalLabel, text)

    def _poll(self) -> None:
        if self._parameters is None and not self._processes:
            return  # nobody looks
        states = {training.name: self._look_at(training) for training in find_trainings()}
        changed, self._states = states != self._states, states
        before = self._at_work
        self.show()
        if changed or self._at_work != before:  # the folds' outcome is there before the last training
            self._on_changed()

    def _look_at(self, training: Training) -> State:
        """What it does. Those that another Slicer has started or resumed are asked for by their locks, unless they have
        said nothing since they ended.
        """
        process, before = self._processes.get(training.name), self._states.get(training.name)
        said = state_of_file(training.folder / EVENTS_FILE)
        if process is None and before not in {None, "running"} and said == self._said.get(training.name):
            return before
        self._said[training.name] = said
        if process is None:
            return state_of(training, is_running(training))
        exit_code = process.poll()
        state = state_of(training, exit_code is None)
        if exit_code is not None:
            del self._processes[training.name]
        if exit_code not in {None, 0} and state == "stopped" and not _was_stopped(training):
            return "failed"
        return state


def _request(parameters: ACNetTrainerParameters) -> Request:
    parent = parameters.parent if parameters.recipe == FINE_TUNE else ""
    return Request(parameters.library, parameters.recipe, parent)


def _cross_validation(parameters: ACNetTrainerParameters) -> Request:
    asked = CrossValidation(
        parameters.folds, parameters.repeats, parameters.compare_fine_tuning, parameters.learning_curve
    )
    return replace(_request(parameters), cross_validation=asked)


def _was_stopped(training: Training) -> bool:
    events = read_events(training)
    return bool(events) and events[-1]["event"] == "stopped"


def _percent_done(events: list[dict[str, Any]]) -> int:
    """Of the events of one training: from the last start, and the last step or epoch after it. Of a cross-validation by
    the trainings before, too.
    """
    number, of = _numbers(events) or (1, 1)
    return round(100 * (number - 1 + _part_done(events)) / of)


def _numbers(events: list[dict[str, Any]]) -> tuple[int, int] | None:
    """Of a cross-validation which training of how many is at work; None for one training."""
    begun = [event for event in events if event["event"] == "training"]
    return (begun[-1]["number"], begun[-1]["of"]) if begun else None


def _part_done(events: list[dict[str, Any]]) -> float:
    starts = [event for event in events if event["event"] == "start"]
    if not starts:
        return 0.0
    epochs, steps = starts[-1]["epochs"], starts[-1]["steps_per_epoch"]
    match events[-1]:
        case {"event": "step", "epoch": int(epoch), "step": int(step)}:
            done = (epoch - 1) * steps + step
        case {"event": "epoch", "epoch": int(epoch)}:
            done = epoch * steps
        case _:
            done = starts[-1]["epochs_done"] * steps
    return float(done / max(1, epochs * steps))

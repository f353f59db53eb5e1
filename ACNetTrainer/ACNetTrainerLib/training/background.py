"""Trainings in processes of their own: started, followed, stopped and found again after a restart.

A training has a folder: `training.json` says what was asked for, `events.jsonl` what the process has said, `errors.txt`
what went wrong; the model and its checkpoints lie beside them. A cross-validation is a training whose model lies in a
folder within it, with the outcome. The process goes on when the one that started it ends.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from ACNetLib.errors import ACNetError
from ACNetLib.files import damage_named, read_json, write_text_atomically
from ACNetLib.models.header import WEIGHTS_SUFFIX
from ACNetLib.models.store import MODEL_NAMES, is_model_name, not_writable, user_models_folder
from ACNetLib.processes import Event, EventLog, Fields, run_module

State = Literal["running", "stopped", "failed", "finished"]
REQUEST_FILE, EVENTS_FILE, ERRORS_FILE, STOP_FILE = "training.json", "events.jsonl", "errors.txt", "stop"
EVENT_FIELDS: Fields = {
    "training": {"number": int, "of": int},
    "start": dict.fromkeys(("epochs", "steps_per_epoch", "epochs_done", "steps_done"), int),
    "step": {"epoch": int, "step": int, "seconds_left": (int, float)},
    "epoch": {"epoch": int, "losses": dict, "metrics": dict, "seconds_left": (int, float)},
    "stopped": {},
    "error": {"message": str},
    "finished": {},
}
"""What those who follow a training read of its events."""
BEGIN_ANOTHER = "Remove the folder of this training, or begin another one."
LOCK_FILE = "training.lock"
"""In the folder of the checkpoints; held while a process trains there."""
COMMAND = "ACNetTrainerLib.commands.main"


@dataclass(frozen=True)
class CrossValidation:
    """How the patients are shared out, and what is trained beside: the shipped model on, and on fewer patients."""

    folds: int = 5
    repeats: int = 1
    compare_fine_tuning: bool = True
    learning_curve: bool = True


@dataclass(frozen=True)
class Request:
    """What was asked for. cases: the library's folder. recipe: its name or file. parent: name or file of the
    model that is trained on; "" for none. cross_validation: None for one training.
    """

    cases: str
    recipe: str
    parent: str = ""
    device: str = "auto"
    cross_validation: CrossValidation | None = None


@dataclass(frozen=True)
class Training:
    """A training by its folder, which is named after the model."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def cross_validation_folder(self) -> Path:
        """It is there for a cross-validation alone. The model is named after it."""
        return self.folder / "cross-validation" / self.name

    @property
    def is_cross_validation(self) -> bool:
        return self.cross_validation_folder.is_dir()

    @property
    def model_file(self) -> Path:
        folder = self.cross_validation_folder if self.is_cross_validation else self.folder
        return folder / f"{self.name}{WEIGHTS_SUFFIX}"

    @property
    def work_folder(self) -> Path:
        """Where its lock is."""
        return self.cross_validation_folder if self.is_cross_validation else self.folder / f"{self.name}.training"

    @property
    def request(self) -> Request:
        """Raises ACNetError when its file is damaged."""
        path = self.folder / REQUEST_FILE
        values = read_json(path, BEGIN_ANOTHER)
        with damage_named(path, BEGIN_ANOTHER):
            asked = values.pop("cross_validation", None)
            if not all(isinstance(value, str) for value in values.values()):
                raise TypeError("expected texts")
            return Request(**values, cross_validation=None if asked is None else CrossValidation(**asked))


def trainings_folder() -> Path:
    """Beside the user's own models."""
    return user_models_folder().parent / "trainings"


def find_trainings() -> tuple[Training, ...]:
    """All that were ever started here and not removed, in the order of their names."""
    return tuple(Training(file.parent) for file in sorted(trainings_folder().glob(f"*/{REQUEST_FILE}")))


def new_training(name: str, request: Request) -> Training:
    """A folder for a training, which is not started yet. Raises ACNetError for a name that is taken or no file name,
    and where it can't be written.
    """
    if not is_model_name(name):
        raise ACNetError(f"training: found the name {name!r}; expected {MODEL_NAMES}.")
    folder = trainings_folder() / name
    if folder.exists():
        raise ACNetError(f"training: there is one named '{name}' already. Resume it, or give another name.")
    try:
        folder.mkdir(parents=True)
        if request.cross_validation is not None:
            Training(folder).cross_validation_folder.mkdir(parents=True)
        write_text_atomically(folder / REQUEST_FILE, json.dumps(asdict(request), indent=1) + "\n")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise not_writable(trainings_folder(), error) from error
    return Training(folder)


def start(training: Training, python: str = sys.executable) -> subprocess.Popen[bytes]:
    """Start the process, or resume it from its last checkpoint. `python`: one with the trainer's packages."""
    request = training.request
    (training.folder / STOP_FILE).unlink(missing_ok=True)
    if request.cross_validation is None:
        arguments = ["train", request.cases, "--recipe", request.recipe, "--output", str(training.model_file)]
        arguments += ["--from", request.parent] if request.parent else []
    else:
        arguments = ["cross-validate", request.cases, *_cross_validation_options(request, request.cross_validation)]
        arguments += ["--output", str(training.cross_validation_folder)]
    arguments += ["--device", request.device, "--progress", "json", "--stop-file", str(training.folder / STOP_FILE)]
    with (training.folder / EVENTS_FILE).open("ab") as events, (training.folder / ERRORS_FILE).open("wb") as errors:
        return run_module(COMMAND, arguments, python, stdout=events, stderr=errors)


def _cross_validation_options(request: Request, asked: CrossValidation) -> list[str]:
    if request.parent:
        options = ["--start", "fine-tuned", "--fine-tuning-recipe", request.recipe, "--from", request.parent]
    else:
        options = ["--start", "both" if asked.compare_fine_tuning else "scratch", "--recipe", request.recipe]
    options += ["--folds", str(asked.folds), "--repeats", str(asked.repeats)]
    return [*options, "--learning-curve" if asked.learning_curve else "--no-learning-curve"]


def request_stop(training: Training) -> None:
    """Let the process finish its step, write a checkpoint and end."""
    (training.folder / STOP_FILE).touch()


def stop_requested(training: Training) -> bool:
    """Whether the process has been asked to stop and has not ended yet."""
    return (training.folder / STOP_FILE).exists()


def is_running(training: Training) -> bool:
    """Whether any process trains in the folder, by its lock. For trainings that another process started: it holds the
    lock for a moment, in which one that starts would be refused.
    """
    lock = training.work_folder / LOCK_FILE
    if not lock.is_file():
        return False
    try:
        from filelock import FileLock, Timeout
    except ModuleNotFoundError:  # a new Slicer, which has no packages yet: nothing trains in it
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def event_log(training: Training) -> EventLog:
    """What the process of a training has said since it was first started."""
    return EventLog(training.folder / EVENTS_FILE, EVENT_FIELDS)


def read_events(training: Training) -> list[Event]:
    return event_log(training).read()


def current_events(events: Sequence[Event]) -> list[Event]:
    """Of a cross-validation those of the training that is at work, of earlier sessions too; of one training all."""
    of_training: dict[object, list[Event]] = {}
    key: object = None
    for event in events:
        if event["event"] == "training":
            key = event.get("start"), event.get("name")
        of_training.setdefault(key, []).append(event)
    return of_training.get(key, [])


def state_of(training: Training, running: bool) -> State:
    """`running`: whether its process is."""
    if running:
        return "running"
    events = read_events(training)
    last = events[-1]["event"] if events else ""
    # Of a cross-validation the model is there before the learning curve is.
    if training.model_file.is_file() and (last == "finished" or not training.is_cross_validation):
        return "finished"
    return "failed" if last == "error" else "stopped"

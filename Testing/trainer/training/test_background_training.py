"""Trainings in processes of their own: what is read of them, also while it is being written."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.training import background
from ACNetTrainerLib.training.background import (
    EVENTS_FILE,
    LOCK_FILE,
    REQUEST_FILE,
    CrossValidation,
    Request,
    Training,
    current_events,
    event_log,
    find_trainings,
    is_running,
    new_training,
    read_events,
    state_of,
    trainings_folder,
)

A_REQUEST = Request(cases="cases", recipe="recommended")


@pytest.fixture
def a_training() -> Training:
    return new_training("mine", A_REQUEST)


def test_in_a_new_slicer_without_packages_no_training_runs(
    a_training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "filelock", None)
    assert not is_running(a_training)
    a_training.work_folder.mkdir(parents=True)
    (a_training.work_folder / LOCK_FILE).touch()
    assert not is_running(a_training)


def test_a_training_is_found_again_with_what_was_asked_for(a_training: Training, own_folder: Path) -> None:
    assert find_trainings() == (a_training,)
    assert a_training.request == A_REQUEST
    assert a_training.folder == own_folder.parent / "trainings" / "mine"


@pytest.mark.parametrize("name", ["", "..", "a/b", " mine", "con\u0007"])
def test_a_name_that_is_no_file_name_is_refused(name: str) -> None:
    with pytest.raises(ACNetError, match="found the name"):
        new_training(name, A_REQUEST)
    assert not trainings_folder().exists()


def test_a_name_is_not_taken_twice(a_training: Training) -> None:
    with pytest.raises(ACNetError, match="there is one named 'mine' already"):
        new_training("mine", A_REQUEST)


FINE_TUNING = replace(A_REQUEST, recipe="fine-tune", parent="theirs")
COMMANDS = {
    "train cases --recipe recommended --output MODEL": A_REQUEST,
    "train cases --recipe fine-tune --output MODEL --from theirs": FINE_TUNING,
    (
        "cross-validate cases --start both --recipe recommended --folds 5 --repeats 1 --learning-curve --output FOLDER"
    ): replace(A_REQUEST, cross_validation=CrossValidation()),
    (
        "cross-validate cases --start scratch --recipe recommended --folds 3 --repeats 2 --no-learning-curve "
        "--output FOLDER"
    ): replace(A_REQUEST, cross_validation=CrossValidation(3, 2, compare_fine_tuning=False, learning_curve=False)),
    (
        "cross-validate cases --start fine-tuned --fine-tuning-recipe fine-tune --from theirs --folds 5 --repeats 1 "
        "--learning-curve --output FOLDER"
    ): replace(FINE_TUNING, cross_validation=CrossValidation()),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_what_was_asked_for_is_kept_and_given_to_the_command(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(background, "run_module", lambda _module, arguments, *_, **__: commands.append(arguments))
    training = new_training("mine", COMMANDS[command])
    assert training.request == COMMANDS[command]
    background.start(training)
    places = {"MODEL": str(training.model_file), "FOLDER": str(training.cross_validation_folder)}
    expected = [places.get(word, word) for word in command.split()]
    assert commands[0][: len(expected)] == expected
    assert commands[0][len(expected) :][:2] == ["--device", "auto"]


START: dict[str, Any] = {"event": "start", "epochs": 3, "steps_per_epoch": 2, "epochs_done": 0, "steps_done": 0}
STEP = {"event": "step", "epoch": 1, "step": 1, "seconds_left": 9.5}


def line(event: object) -> bytes:
    return json.dumps(event).encode() + b"\n"


def test_an_event_is_read_when_its_line_is_complete_and_only_once(a_training: Training) -> None:
    log, file = event_log(a_training), a_training.folder / EVENTS_FILE
    assert log.read() == []
    file.write_bytes(line(START) + line(STEP)[:15])
    assert log.read() == [START]
    with file.open("ab") as writing:
        writing.write(line(STEP)[15:] + b"Traceback, not JSON \xc3\xa4\n" + line({"event": "stopped"}))
    assert log.read() == [START, STEP, {"event": "stopped"}]
    assert log.read() == read_events(a_training)


@pytest.mark.parametrize(
    "damaged",
    [
        b"5\n",
        b"null\n",
        b'["start"]\n',
        b"{}\n",
        b"[" * 100_000 + b"\n",
        b"9" * 5000 + b"\n",
        line({"event": ["start"]}),
        line({"event": "elsewhere"}),
        line({**START, "epochs": "three"}),
        line({"event": "epoch", "epoch": 1, "losses": None, "metrics": {}, "seconds_left": 1.0}),
        b"\xff\xfe\n",
    ],
)
def test_a_damaged_event_is_passed_over(a_training: Training, damaged: bytes) -> None:
    (a_training.folder / EVENTS_FILE).write_bytes(line(START) + damaged + line(STEP))
    assert read_events(a_training) == [START, STEP]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        '{"cases": "x", "recipe": "a", "cross_validation": {"x": 1}}',
        '{"cases": "x"}',
        '{"cases": 1, "recipe": "a"}',
        "\0",
    ],
)
def test_a_damaged_request_is_one_line(a_training: Training, text: str) -> None:
    (a_training.folder / REQUEST_FILE).write_text(text)
    with pytest.raises(ACNetError, match=r"training\.json: .* Remove the folder of this training") as error:
        _ = a_training.request
    assert "\n" not in str(error.value)


def test_of_a_cross_validation_the_events_of_the_training_at_work_are_put_together() -> None:
    first, second = ({"event": "training", "number": n, "of": 3, "start": "s", "name": f"fold{n}"} for n in (1, 2))
    epochs: list[dict[str, Any]] = [{"event": "epoch", "epoch": n} for n in (1, 2, 3)]
    events = [first, START, epochs[0], second, START, epochs[1], {"event": "stopped"}, second, START, epochs[2]]
    assert current_events(events) == [second, START, epochs[1], {"event": "stopped"}, second, START, epochs[2]]
    assert current_events([START, STEP]) == [START, STEP]
    assert current_events([]) == []


def test_a_cross_validation_is_finished_when_it_says_so_for_its_model_comes_before_the_learning_curve() -> None:
    training = new_training("mine", replace(A_REQUEST, cross_validation=CrossValidation()))
    training.model_file.touch()
    (training.folder / EVENTS_FILE).write_bytes(line(START) + line({"event": "stopped"}))
    assert state_of(training, running=False) == "stopped"
    with (training.folder / EVENTS_FILE).open("ab") as file:
        file.write(line({"event": "finished"}))
    assert state_of(training, running=False) == "finished"


def test_the_state_follows_from_the_process_the_model_and_the_last_event(a_training: Training) -> None:
    assert state_of(a_training, running=True) == "running"
    assert state_of(a_training, running=False) == "stopped"
    (a_training.folder / EVENTS_FILE).write_text('{"event": "error", "message": "disk full"}\n')
    assert state_of(a_training, running=False) == "failed"
    a_training.model_file.touch()
    assert state_of(a_training, running=False) == "finished"

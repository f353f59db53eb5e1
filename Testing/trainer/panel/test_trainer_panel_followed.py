"""Trainings that the trainer's panel follows: of other Slicers, begun anew under a name, damaged, on a full disk."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.training import background
from ACNetTrainerLib.training.background import (
    EVENTS_FILE,
    LOCK_FILE,
    Request,
    Training,
    new_training,
    trainings_folder,
)

START = {"event": "start", "epochs": 4, "steps_per_epoch": 10, "epochs_done": 0, "steps_done": 0}
EPOCH = {"event": "epoch", "epoch": 1, "losses": {}, "metrics": {}, "seconds_left": 90.0}
STOPPED, FINISHED = {"event": "stopped"}, {"event": "finished"}


def say(training: Training, events: Sequence[dict[str, Any]]) -> None:
    """As its process does."""
    with (training.folder / EVENTS_FILE).open("a", encoding="utf-8") as file:
        file.writelines(f"{json.dumps(event)}\n" for event in events)


def show_again(module: Any) -> None:
    module.exit()
    module.enter()


def shown(ui: Any) -> str:
    return str(ui.trainingComboBox.currentText)


def test_a_training_that_another_slicer_begins_resumes_and_stops_is_followed_in_this_one(
    a_trainer: Any, trainer_ui: Any
) -> None:
    from slicer_host import wait_until

    training = new_training("ward", Request("library", "recommended"))
    a_trainer.widget.panel.logic.getParameterNode().training = "ward"
    wait_until(lambda: shown(trainer_ui) == "ward (stopped, can be resumed)")
    training.work_folder.mkdir()
    for _ in range(2):
        with FileLock(training.work_folder / LOCK_FILE):  # another Slicer's process
            say(training, [START, EPOCH])
            wait_until(lambda: shown(trainer_ui) == "ward (running)")
            assert trainer_ui.stopButton.enabled
            assert not trainer_ui.goOnButton.enabled
            say(training, [STOPPED])
        wait_until(lambda: shown(trainer_ui) == "ward (stopped, can be resumed)")


def test_a_training_that_another_slicer_has_just_resumed_is_not_resumed_twice(a_trainer: Any, trainer_ui: Any) -> None:
    training = new_training("ward", Request("library", "recommended"))
    show_again(a_trainer)
    training.work_folder.mkdir()
    assert trainer_ui.goOnButton.enabled
    with FileLock(training.work_folder / LOCK_FILE):  # and has said nothing yet
        trainer_ui.goOnButton.click()
    assert trainer_ui.refusalLabel.text == "Another Slicer has resumed this training already."
    assert not (training.folder / EVENTS_FILE).exists()


def test_a_training_that_is_begun_anew_under_a_name_shows_nothing_of_the_one_before(
    a_trainer: Any, trainer_ui: Any
) -> None:
    from slicer_host import wait_until

    training = new_training("ward", Request("library", "recommended"))
    say(training, [START, EPOCH, EPOCH, EPOCH, FINISHED])
    training.model_file.touch()
    show_again(a_trainer)
    assert trainer_ui.progressLabel.text.startswith("Finished")
    shutil.rmtree(training.folder)
    again = new_training("ward", Request("library", "recommended"))
    again.work_folder.mkdir()
    with FileLock(again.work_folder / LOCK_FILE):
        say(again, [START])
        wait_until(lambda: shown(trainer_ui) == "ward (running)")
        assert trainer_ui.progressLabel.text == "The first step has begun..."


NOT_FITTED = (
    "25 normal and 7 DCM patients were held back, too few to sharpen its probabilities: more answers may be uncertain."
)


@pytest.mark.parametrize(
    ("fitted", "told"),
    [
        (True, "Its probabilities are fitted to 25 normal and 7 DCM patients who were held back."),
        (False, NOT_FITTED),
    ],
)
def test_a_finished_training_says_on_whom_its_probabilities_were_fitted(
    a_trainer: Any, trainer_ui: Any, fitted: bool, told: str
) -> None:
    training = new_training("ward", Request("library", "recommended"))
    chosen = {"fitted": fitted, "patients_normal": 25, "patients_dcm": 7}
    say(training, [START, EPOCH, {**FINISHED, "fitted_on": {"temperatures": [chosen, chosen]}}])
    training.model_file.touch()
    show_again(a_trainer)
    assert trainer_ui.progressLabel.text == f"Finished. Evaluate the model on other patients, then publish it. {told}"


def test_the_training_that_runs_is_shown_first(a_trainer: Any, trainer_ui: Any) -> None:
    new_training("a", Request("library", "recommended"))
    running = new_training("b", Request("library", "recommended"))
    running.work_folder.mkdir()
    with FileLock(running.work_folder / LOCK_FILE):
        show_again(a_trainer)
        assert shown(trainer_ui) == "b (running)"


def test_where_the_disk_is_full_no_training_is_begun_and_its_name_stays_free(
    a_trainer: Any, trainer_ui: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_path: Path, _text: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    a_trainer.widget.panel.logic.getParameterNode().library = str(tmp_path)
    monkeypatch.setattr(background, "write_text_atomically", full)
    trainer_ui.nameLineEdit.text = "ward"
    trainer_ui.trainButton.click()
    assert "it can't be changed (No space left on device)" in trainer_ui.refusalLabel.text
    assert not (trainings_folder() / "ward").exists()
    with pytest.raises(ACNetError, match="No space left"):
        new_training("ward", Request("library", "recommended"))


@pytest.mark.parametrize("text", ["[]", '{"simulated": true}', '{"cases": 3, "cross_validated": {}}'])
def test_damaged_measures_are_as_if_the_model_had_not_been_evaluated(
    a_trainer: Any, trainer_ui: Any, raised: list[BaseException], text: str
) -> None:
    training = new_training("ward", Request("library", "recommended"))
    training.model_file.touch()
    (training.folder / "metrics.json").write_text(text, encoding="utf-8")
    show_again(a_trainer)
    assert shown(trainer_ui) == "ward (finished)"
    assert trainer_ui.metricsTable.rowCount == 0
    assert not trainer_ui.publishButton.enabled
    assert raised == []


def test_what_is_known_of_another_model_goes_where_an_error_that_nobody_foresaw_ends_the_look_at_a_training(
    a_trainer: Any, trainer_ui: Any, raised: list[BaseException], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, new = (new_training(name, Request("library", "recommended")) for name in ("trained", "new"))
    trained.model_file.touch()
    parameters = a_trainer.widget.panel.logic.getParameterNode()
    parameters.judging_library, parameters.training = "library", trained.name
    show_again(a_trainer)
    assert trainer_ui.judgeButton.enabled
    monkeypatch.setattr("ACNetTrainerLib.panel.training_view.event_log", lambda _training: 1 / 0)
    parameters.training = new.name
    assert not trainer_ui.judgeButton.enabled

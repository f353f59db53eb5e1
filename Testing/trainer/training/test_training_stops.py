"""Trainings that are stopped, killed or run into trouble: they resume to the weights of one that nobody touched."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.cases.library import CaseLibrary, write_case_table
from ACNetTrainerLib.commands import main as cli
from ACNetTrainerLib.training.background import LOCK_FILE
from ACNetTrainerLib.training.loop import Place
from ACNetTrainerLib.training.progress import Event, TrainingStopped, Watch
from ACNetTrainerLib.training.recipe import Recipe, read_recipe
from ACNetTrainerLib.training.train import train
from conftest import start_acnet_train
from disks import files_of_at_most
from tiny_training import CPU, EPOCHS, Training, after_steps, changed, few_cases, file_bytes, rows_of

STEPS = 3
"""Of an epoch, with the ten training sections of the middle library."""
KILL_IN_CHECKPOINT = """
import os, signal, sys
from pathlib import Path
from ACNetTrainerLib.commands import main as cli

write_bytes, checkpoints = Path.write_bytes, 0

def write_half(path, content):
    global checkpoints
    if path.suffix != ".ckpt":
        return write_bytes(path, content)
    checkpoints += 1
    if checkpoints < int(sys.argv[1]):
        return write_bytes(path, content)
    write_bytes(path, content[: len(content) // 2])
    os.kill(os.getpid(), signal.SIGKILL)

Path.write_bytes = write_half
sys.exit(cli.main(sys.argv[2:]))
"""
posix_only = pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals or limits")


@pytest.fixture(scope="module")
def recipe(tiny_recipe_file: Path) -> Recipe:
    return read_recipe(str(tiny_recipe_file))


@pytest.fixture(scope="module")
def untouched(training: Training, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The model file of a training that nobody touched."""
    return file_bytes(training.model, tmp_path_factory.mktemp("untouched"))


def command(library: CaseLibrary, recipe_file: Path, folder: Path) -> list[str]:
    output = folder / "tiny.safetensors"
    return ["train", str(library.folder), "--recipe", str(recipe_file), "--output", str(output), "--device", "cpu"]


def events_of(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def killed_in_checkpoint(number: int, arguments: Sequence[str]) -> None:
    """The command in a process that kills itself when it has written half of its checkpoint of that number."""
    done = subprocess.run(
        [sys.executable, "-c", KILL_IN_CHECKPOINT, str(number), *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        capture_output=True,
        timeout=900,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_a_training_that_was_stopped_after_any_step_goes_on_to_the_same_bytes(
    middle_library: CaseLibrary, recipe: Recipe, untouched: bytes, tmp_path: Path, steps: int
) -> None:
    """Stopped again and again after so many steps: within epochs, at their ends, and both in one training."""
    work_folder = tmp_path / "tiny.training"
    for done in range(steps, STEPS * EPOCHS, steps):
        report, stop = after_steps(steps)
        with pytest.raises(TrainingStopped) as stopped:
            train(middle_library, recipe, "tiny", Place(work_folder, CPU, Watch(False, report, stop)))
        assert (stopped.value.epoch - 1) * STEPS + stopped.value.step == done
    model = train(middle_library, recipe, "tiny", Place(work_folder, CPU))
    assert file_bytes(model, tmp_path) == untouched
    assert [int(row["epoch"]) for row in rows_of(work_folder)] == list(range(1, EPOCHS + 1))


@posix_only
def test_a_training_that_was_killed_in_an_epoch_and_while_it_wrote_a_checkpoint_goes_on_to_the_same_bytes(
    middle_library: CaseLibrary, tiny_recipe_file: Path, untouched: bytes, tmp_path: Path
) -> None:
    arguments = command(middle_library, tiny_recipe_file, tmp_path)
    work_folder = tmp_path / "tiny.training"
    killed_in_checkpoint(2, arguments)  # the first is that of the best weights
    assert len(list(work_folder.glob(".writing-*"))) == 1, "half of a checkpoint is there"
    assert (work_folder / "best.ckpt").is_file()
    assert not (work_folder / "last.ckpt").exists()

    epochs = random.Random(3).randint(1, EPOCHS - 1)
    victim = start_acnet_train(arguments)
    while victim.poll() is None and not ((work_folder / "last.ckpt").is_file() and len(rows_of(work_folder)) >= epochs):
        time.sleep(0.02)
    victim.kill()
    assert victim.wait() != 0, victim.communicate()
    assert epochs <= len(rows_of(work_folder)) < EPOCHS, "it was killed in the midst of its work"

    killed_in_checkpoint(1, arguments)
    assert len(list(work_folder.glob(".writing-*"))) == 1
    torch.load(work_folder / "last.ckpt", weights_only=True)
    assert not (tmp_path / "tiny.safetensors").exists()

    assert cli.main(arguments) == 0
    assert (tmp_path / "tiny.safetensors").read_bytes() == untouched
    assert not list(work_folder.glob(".writing-*"))


def test_a_stop_file_ends_a_training_with_three_and_the_events_say_all_of_it(
    middle_library: CaseLibrary,
    tiny_recipe_file: Path,
    untouched: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    stop_file = tmp_path / "stop"
    arguments = [
        *command(middle_library, tiny_recipe_file, tmp_path),
        "--progress",
        "json",
        "--stop-file",
        str(stop_file),
    ]
    process = start_acnet_train(arguments)
    assert process.stdout is not None
    events = []
    for line in process.stdout:  # each comes when it happens
        events.append(json.loads(line))
        if events[-1]["event"] == "step" and not stop_file.exists():
            stop_file.touch()
    assert process.wait() == 3
    assert not stop_file.exists(), "the next training would stop at once"
    assert events[0] == {
        "event": "start",
        "epochs": EPOCHS,
        "steps_per_epoch": STEPS,
        "epochs_done": 0,
        "steps_done": 0,
        "precision": "32-true",
        "reason": "the recipe asks for it",
    }
    stopped = events[-1]
    assert stopped["event"] == "stopped"
    assert "Run the same command again to resume from there." in stopped["message"]
    assert not (tmp_path / "tiny.safetensors").exists()

    assert cli.main(arguments) == 0
    assert (tmp_path / "tiny.safetensors").read_bytes() == untouched
    start, *others = events_of(capsys.readouterr().out)
    assert (start["epochs_done"] * STEPS + start["steps_done"]) == (stopped["epoch"] - 1) * STEPS + stopped["step"]
    assert others[-1] == {
        "event": "finished",
        "model": str(tmp_path / "tiny.safetensors"),
        "metrics": str(tmp_path / "tiny.training" / "metrics.csv"),
        "best_epoch": others[-2]["best_epoch"],
        "fitted_on": {"temperatures": [{"fitted": False, "patients_normal": 1, "patients_dcm": 1}]},
    }
    epochs = [event for event in (*events, *others) if event["event"] == "epoch"]
    assert [event["epoch"] for event in epochs] == list(range(1, EPOCHS + 1))
    for event, row in zip(epochs, rows_of(tmp_path / "tiny.training"), strict=True):
        values = {**event["losses"], **event["metrics"]}
        assert {name: f"{value:.5f}" for name, value in values.items()} == {
            k: v for k, v in row.items() if k != "epoch"
        }
    steps = [event for event in (*events, *others) if event["event"] == "step"]
    assert [(event["epoch"], event["step"]) for event in steps] == [
        (epoch, step) for epoch in range(1, EPOCHS + 1) for step in range(1, STEPS + 1)
    ]
    assert all(event["losses"]["training_loss"] > 0 and event["learning_rate"] > 0 for event in steps)
    assert steps[0]["seconds_left"] > 0
    assert epochs[-1]["seconds_left"] == 0


@posix_only
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_finish_the_step_and_say_how_to_go_on(
    middle_library: CaseLibrary,
    tiny_recipe_file: Path,
    recipe: Recipe,
    untouched: bytes,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    process = start_acnet_train(command(middle_library, tiny_recipe_file, tmp_path))
    while process.poll() is None and not (tmp_path / "tiny.training" / "best.ckpt").is_file():
        time.sleep(0.02)
    process.send_signal(number)
    said, error = process.communicate(timeout=900)
    assert process.returncode == 3, error
    assert said.startswith("Stopped after step ")
    assert said.endswith("Run the same command again to resume from there.\n")
    assert "Stopping after this step" in error
    model = train(middle_library, recipe, "tiny", Place(tmp_path / "tiny.training", CPU))
    assert file_bytes(model, tmp_path) == untouched


def test_a_training_that_was_stopped_within_an_epoch_on_a_mac_goes_on_elsewhere(
    middle_library: CaseLibrary, recipe: Recipe, untouched: bytes, tmp_path: Path
) -> None:
    work_folder, (report, stop) = tmp_path / "tiny.training", after_steps(2)
    with pytest.raises(TrainingStopped):
        train(middle_library, recipe, "tiny", Place(work_folder, CPU, Watch(False, report, stop)))
    checkpoint = torch.load(work_folder / "last.ckpt", weights_only=True)
    for elsewhere in ("mps", "cuda"):
        checkpoint["random_states"][elsewhere] = torch.zeros(16, dtype=torch.uint8)
    torch.save(checkpoint, work_folder / "last.ckpt")
    model = train(middle_library, recipe, "tiny", Place(work_folder, CPU))
    assert file_bytes(model, tmp_path) == untouched


def test_a_damaged_checkpoint_is_named_and_what_to_do(
    middle_library: CaseLibrary, recipe: Recipe, tmp_path: Path
) -> None:
    few, work_folder = few_cases(middle_library), tmp_path / "work"
    with pytest.raises(TrainingStopped):
        train(few, recipe, "tiny", Place(work_folder, CPU, Watch(stop=lambda: True)))
    for file in ("last.ckpt", "settings.json"):
        (work_folder / file).write_bytes(b"no such thing")
        with pytest.raises(ACNetError, match=rf"{file}: .* Remove the folder of this training") as error:
            train(few, recipe, "tiny", Place(work_folder, CPU))
        assert "\n" not in str(error.value)
    torch.save({"state_dict": {}}, work_folder / "last.ckpt")
    (work_folder / "settings.json").unlink()
    with pytest.raises(ACNetError, match=r"last\.ckpt: found no checkpoint of this version\. Remove the folder"):
        train(few, recipe, "tiny", Place(work_folder, CPU))


def test_a_stop_that_was_asked_for_before_the_first_step_is_obeyed(
    middle_library: CaseLibrary, recipe: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(TrainingStopped, match="Stopped after step 0 of 1 in epoch 1"):
        train(few_cases(middle_library), recipe, "tiny", Place(tmp_path / "work", CPU, Watch(stop=lambda: True)))


@posix_only
def test_on_a_full_disk_the_last_checkpoint_stays_and_the_training_goes_on_when_there_is_room(
    middle_library: CaseLibrary,
    tiny_recipe_file: Path,
    recipe: Recipe,
    untouched: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    work_folder = tmp_path / "tiny.training"
    report, stop = after_steps(STEPS)
    with pytest.raises(TrainingStopped):
        train(middle_library, recipe, "tiny", Place(work_folder, CPU, Watch(False, report, stop)))
    before = (work_folder / "last.ckpt").read_bytes()
    arguments = command(middle_library, tiny_recipe_file, tmp_path)
    with files_of_at_most(len(before) // 2):
        assert cli.main([*arguments, "--progress", "json"]) == 2
    captured = capsys.readouterr()
    assert "last.ckpt: it can't be written (File too large)" in captured.err
    assert "make room, and run the same command again to resume" in captured.err
    assert events_of(captured.out)[-1] == {"event": "error", "message": captured.err.removeprefix("acnet-train: ")[:-1]}
    assert (work_folder / "last.ckpt").read_bytes() == before
    assert not list(work_folder.glob(".writing-*"))
    assert cli.main(arguments) == 0
    assert (tmp_path / "tiny.safetensors").read_bytes() == untouched


@pytest.mark.parametrize("closed_after", [2, None])
def test_a_table_that_is_open_in_a_spreadsheet_ends_no_training(
    middle_library: CaseLibrary,
    recipe: Recipe,
    untouched: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    closed_after: int | None,
) -> None:
    """Where it is still open at the end, its rows are written when the command is run again."""
    replace_file, epochs = Path.replace, list[int]()

    def replace_closed(path: Path, target: Path) -> Path:
        if target.name == "metrics.csv" and (closed_after is None or len(epochs) < closed_after):
            raise PermissionError(13, "Permission denied", str(path))
        return replace_file(path, target)

    def report(event: Event) -> None:
        if event["event"] == "epoch":
            epochs.append(event["epoch"])

    work_folder = tmp_path / "tiny.training"
    monkeypatch.setattr("ACNetLib.files.SECONDS_TO_REPLACE", 0.0)
    monkeypatch.setattr(Path, "replace", replace_closed)
    watched = Place(work_folder, CPU, Watch(report=report))
    if closed_after is None:
        with pytest.raises(ACNetError, match=r"metrics\.csv: it can't be written \(Permission .* close it where"):
            train(middle_library, recipe, "tiny", watched)
        monkeypatch.setattr(Path, "replace", replace_file)
    model = train(middle_library, recipe, "tiny", watched)
    assert epochs == list(range(1, EPOCHS + 1)), "none was done twice"
    assert file_bytes(model, tmp_path) == untouched
    assert [int(row["epoch"]) for row in rows_of(work_folder)] == epochs


def test_a_vanished_image_is_named_and_the_training_goes_on_when_it_is_back(
    middle_library: CaseLibrary,
    tiny_recipe_file: Path,
    recipe: Recipe,
    untouched: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    report, stop = after_steps(STEPS + 1)
    with pytest.raises(TrainingStopped):
        train(middle_library, recipe, "tiny", Place(tmp_path / "tiny.training", CPU, Watch(False, report, stop)))
    image = middle_library.path(middle_library.cases[4])
    hidden = image.rename(image.with_suffix(".hidden"))
    try:
        assert cli.main(command(middle_library, tiny_recipe_file, tmp_path)) == 2
        assert f"'{middle_library.cases[4].file}' does not exist" in capsys.readouterr().err
    finally:
        hidden.rename(image)
    model = train(middle_library, recipe, "tiny", Place(tmp_path / "tiny.training", CPU))
    assert file_bytes(model, tmp_path) == untouched


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize(
    ("batch_size", "place"),
    [
        (2, r"step 2 of epoch 1, at a learning rate of [0-9.]+e\+29; lower that"),
        (32, r"the validation after epoch 1, at a learning rate"),
    ],
    ids=["seen in training", "seen in validation"],
)
def test_a_training_that_bursts_says_where_and_what_to_do_and_keeps_no_such_weights(
    middle_library: CaseLibrary, recipe: Recipe, tmp_path: Path, batch_size: int, place: str
) -> None:
    burst = changed(recipe, learning_rate=1e30, warmup_epochs=0, batch_size=batch_size)
    with pytest.raises(ACNetError, match=f"the loss is no number in {place}"):
        train(few_cases(middle_library), burst, "burst", Place(tmp_path / "work", CPU))
    assert not list((tmp_path / "work").glob("*.ckpt"))


def test_cases_of_one_class_are_refused(
    middle_library: CaseLibrary, tiny_recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one_class = [replace(case, file=str(middle_library.path(case))) for case in middle_library.cases if case.is_dcm]
    library = CaseLibrary(tmp_path / "cases", tuple(one_class))
    library.folder.mkdir()
    for case in one_class:
        (library.folder / Path(case.file).name).write_bytes(Path(case.file).read_bytes())
    write_case_table(library.folder, (replace(case, file=Path(case.file).name) for case in one_class))
    assert cli.main(command(library, tiny_recipe_file, tmp_path)) == 2
    assert "0 patients labelled normal; expected at least two" in capsys.readouterr().err
    assert not (tmp_path / "tiny.training").exists()


def test_a_folder_in_which_another_process_trains_is_refused(
    middle_library: CaseLibrary, recipe: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "work").mkdir()
    with (
        FileLock(tmp_path / "work" / LOCK_FILE),
        pytest.raises(ACNetError, match="another process trains in this folder"),
    ):
        train(few_cases(middle_library), recipe, "tiny", Place(tmp_path / "work", CPU))

"""Trainings and comparisons in TensorBoard: what it reads are the numbers of our own tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.commands import main as cli
from ACNetTrainerLib.study.tensorboard import write_events
from ACNetTrainerLib.training.loop import Place
from ACNetTrainerLib.training.progress import TrainingStopped, Watch
from ACNetTrainerLib.training.tensorboard import in_tensorboard
from ACNetTrainerLib.training.train import train
from keep_comparison import resume
from repository import REPOSITORY
from tiny_training import CPU, EPOCHS, changed, few_cases, rows_of, tiny_recipe

RESULTS = REPOSITORY / "Documentation" / "results"
TAGS = {
    "loss/training": "training_loss",
    "loss/validation": "validation_loss",
    "validation/auroc": "validation_auroc",
    "validation/recall_dcm": "validation_recall_dcm",
    "validation/recall_normal": "validation_recall_normal",
}


def read(folder: Path) -> EventAccumulator:
    """As TensorBoard shows the event files of a folder."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_the_curves_of_a_training_that_was_stopped_and_resumed_are_those_of_its_table(
    simulated_library: CaseLibrary, tmp_path: Path
) -> None:
    recipe = changed(tiny_recipe(tmp_path), batch_size=4)
    work_folder = tmp_path / "ward.training"
    seen: list[str] = []

    def stop_once() -> bool:
        return seen.count("epoch") == 1

    watch = Watch(report=lambda event: seen.append(event["event"]), stop=stop_once)
    cases = few_cases(simulated_library)
    with pytest.raises(TrainingStopped), in_tensorboard(watch, work_folder) as stopped:
        train(cases, recipe, "ward", Place(work_folder, CPU, stopped))
    with in_tensorboard(Watch(), work_folder) as resumed:
        train(cases, recipe, "ward", Place(work_folder, CPU, resumed))
    events, rows = read(work_folder), rows_of(work_folder)
    assert len(rows) == EPOCHS
    assert set(events.Tags()["scalars"]) == set(TAGS)
    for tag, column in TAGS.items():
        assert [(each.step, round(each.value, 5)) for each in events.Scalars(tag)] == [
            (int(row["epoch"]), pytest.approx(float(row[column]), abs=2e-5)) for row in rows
        ]


def test_trainings_of_a_cross_validation_have_a_folder_each(tmp_path: Path) -> None:
    with in_tensorboard(Watch(), tmp_path) as watch:
        for number in (1, 2):
            watch.report({"event": "training", "start": "from-scratch", "name": f"repeat1-fold{number}of2"})
            watch.report({"event": "start", "epochs_done": 0})
            losses = {"training_loss": 0.5, "validation_loss": 0.25 * number}
            watch.report({"event": "epoch", "epoch": 1, "losses": losses, "metrics": {}})
    for number in (1, 2):
        (event,) = read(tmp_path / "from-scratch" / f"repeat1-fold{number}of2").Scalars("loss/validation")
        assert event.value == 0.25 * number


def test_the_networks_of_the_comparison_stand_side_by_side_with_their_measures(tmp_path: Path) -> None:
    resume(RESULTS / "comparison" / "honest", tmp_path)
    summary = json.loads((RESULTS / "comparison-honest.json").read_text(encoding="utf-8"))
    folder = write_events(summary, tmp_path / "honest")
    runs = json.loads((tmp_path / "honest" / "runs.json").read_text(encoding="utf-8"))["runs"]
    trained = {run["network"] for run in runs if not run["network"].startswith("baseline")}
    assert {"acnet", "vgg16", "resnet50"} <= trained
    for network in trained:
        events = read(folder / network)
        for cohort, tested in summary["cohorts"].items():
            (auroc,) = events.Scalars(f"{cohort}/auroc")
            assert auroc.value == pytest.approx(tested["networks"][network]["auroc"]["value"], abs=1e-6)
        content = events.summary_metadata["_hparams_/session_start_info"].plugin_data.content
        start = HParamsPluginData.FromString(content).session_start_info
        assert start.hparams["network"].string_value == network
        trainings = sorted(each.name for each in (folder / network).iterdir() if each.is_dir())
        assert trainings == [f"seed{number}" for number in summary["request"]["numbers"]]
        for seed in trainings:
            (run,) = (tmp_path / "honest" / "runs").glob(f"{network}-{seed}-*")
            epochs = json.loads((run / "outcome.json").read_text(encoding="utf-8"))["epochs"]
            curve = [(each.step, each.value) for each in read(folder / network / seed).Scalars("loss/validation")]
            assert curve == [(row["epoch"], pytest.approx(row["validation_loss"], abs=1e-5)) for row in epochs]


def test_without_the_package_the_option_is_one_line_before_anything_is_trained(
    simulated_library: CaseLibrary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    output = tmp_path / "ward.safetensors"
    command = ["train", str(simulated_library.folder), "--output", str(output), "--device", "cpu", "--tensorboard"]
    assert cli.main(command) == 2
    assert "pip install 'SlicerACNet[tensorboard]', or leave the option out.\n" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())

"""A cross-validation from the cases to a published model; stopped, resumed, extended and refused."""

from __future__ import annotations

import csv
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import recall_score, roc_auc_score

from ACNetLib.errors import ACNetError
from ACNetLib.models.card import read_card
from ACNetLib.models.model import Model, load_model
from ACNetLib.models.store import available_models, model_for_field
from ACNetTrainerLib.cases.library import CaseLibrary, write_case_table
from ACNetTrainerLib.commands import main as cli
from ACNetTrainerLib.cross_validation.cross_validate import cross_validate
from ACNetTrainerLib.cross_validation.starts import FINE_TUNED, FROM_SCRATCH, Request, Start
from ACNetTrainerLib.cross_validation.trainings import Work
from ACNetTrainerLib.evaluation.scores import score_patients
from ACNetTrainerLib.training.fine_tuning import FineTuning
from ACNetTrainerLib.training.patients import known_patients, patients_record
from ACNetTrainerLib.training.progress import TrainingStopped, Watch
from ACNetTrainerLib.training.recipe import Recipe, read_recipe
from conftest import simulate_library, start_acnet_train
from tiny_training import CPU, after_steps, write_recipe

FILES = ("patients.csv", "slices.csv", "ward.safetensors", "mistakes.png")
STARTS = FROM_SCRATCH, FINE_TUNED
FOLDS = "repeat1-fold1of2", "repeat1-fold2of2"
FROM_SCRATCH_ONLY = ("--start", "scratch")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """As a worker of a cluster has: the same sums in the same order."""
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> CaseLibrary:
    """Six simulated patients a class, one slice each but two of one, which no shipped model has seen."""
    whole = simulate_library(tmp_path_factory.mktemp("library") / "cases", 12, seed=20231, levels=("base", "mid"))
    cases = tuple(case for case in whole.cases if case.case.endswith("mid") or case.patient == whole.cases[0].patient)
    write_case_table(whole.folder, cases)
    return replace(whole, cases=cases)


@pytest.fixture(scope="module")
def recipe_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    changes = {"\nepochs = 3": "\nepochs = 2", "batch_size = 3": "batch_size = 2"}
    return write_recipe(tmp_path_factory.mktemp("recipe") / "tiny.toml", changes)


@pytest.fixture(scope="module")
def recipe(recipe_file: Path) -> Recipe:
    return read_recipe(str(recipe_file))


@pytest.fixture(scope="module")
def output(library: CaseLibrary, recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the command writes of two folds: from scratch and fine-tuned."""
    folder = tmp_path_factory.mktemp("output") / "ward"
    assert cli.main(command(library, recipe_file, folder)) == 0
    return folder


def command(library: CaseLibrary, recipe_file: Path, folder: Path, *more: str) -> list[str]:
    options = ["--folds", "2", "--output", str(folder), "--device", "cpu", "--recipe", str(recipe_file)]
    if "--start" not in more:
        options += ["--fine-tuning-recipe", str(recipe_file), "--no-learning-curve"]
    return ["cross-validate", str(library.folder), *options, *more]


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def of_start(file: Path, start: str) -> list[dict[str, str]]:
    return [row for row in rows_of(file) if row["start"] == start]


def models_of(folder: Path, names: tuple[str, ...]) -> list[bytes]:
    return [(folder / "trainings" / FROM_SCRATCH / f"{name}.safetensors").read_bytes() for name in names]


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in FILES}


def test_every_patient_and_slice_is_predicted_once_by_the_model_that_has_not_seen_it(
    library: CaseLibrary, output: Path
) -> None:
    for start in STARTS:
        patients, slices = (of_start(output / name, start) for name in ("patients.csv", "slices.csv"))
        assert sorted(row["patient"] for row in patients) == sorted(library.patients)
        assert sorted(row["case"] for row in slices) == sorted(case.case for case in library.cases)
        _check_rows(library, output / "trainings" / start, patients, slices)


def _check_rows(
    library: CaseLibrary, trainings: Path, patients: list[dict[str, str]], slices: list[dict[str, str]]
) -> None:
    for fold in ("1", "2"):
        model = load_model(trainings / f"repeat1-fold{fold}of2.safetensors")
        rows = {row["patient"]: row for row in patients if row["fold"] == fold}
        known, is_complete = known_patients(model.card, library)
        assert is_complete
        assert known == set(library.patients) - set(rows), "trained on all others and on them alone"
        left_out = replace(library, cases=tuple(case for case in library.cases if case.patient in rows))
        scores = score_patients(model, left_out, CPU)
        for patient, log_odds in zip(scores.patients, scores.log_odds.tolist(), strict=True):
            assert float(rows[patient]["log_odds"]) == pytest.approx(log_odds, abs=1e-5)
            assert float(rows[patient]["decision_threshold"]) == model.card.decision_threshold
        by_case = {row["case"]: float(row["log_odds"]) for row in slices}
        found = [by_case[case.case] for case in left_out.cases]
        np.testing.assert_allclose(found, scores.section_log_odds, atol=1e-5)


def test_the_metrics_are_those_of_the_table(output: Path) -> None:
    metrics = json.loads((output / "metrics.json").read_text())
    chosen = metrics["cross_validated"]["start"]
    areas = {start: metrics["starts"][start]["auroc"]["value"] for start in STARTS}
    assert areas[chosen] == max(areas.values())
    for start in STARTS:
        _check_measures(of_start(output / "patients.csv", start), metrics, start)
    assert metrics["present_model"]["name"] == "acnet-simulated-1.5T"
    assert metrics["command"].startswith("acnet-train cross-validate")


def _check_measures(rows: list[dict[str, str]], metrics: dict[str, Any], start: str) -> None:
    truth = [row["label"] == "dcm" for row in rows]
    for measures, prefix in ((metrics["starts"][start], ""), (metrics["present_model"], "present_")):
        calls = [row[f"{prefix}called"] == "dcm" for row in rows]
        auroc = roc_auc_score(truth, [float(row[f"{prefix}log_odds"]) for row in rows])
        assert measures["auroc"]["value"] == pytest.approx(auroc, abs=1e-4)
        assert measures["recall_dcm"]["value"] == pytest.approx(recall_score(truth, calls), abs=1e-4)
        normal = recall_score(truth, calls, pos_label=False)
        assert measures["recall_normal"]["value"] == pytest.approx(normal, abs=1e-4)


def test_the_final_model_has_learned_from_all_says_that_it_is_cross_validated_and_can_be_published(
    library: CaseLibrary, output: Path
) -> None:
    card = read_card(output / "ward.safetensors")
    assert card.name == "ward"
    assert known_patients(card, library)[0] == set(library.patients)
    assert card.metrics["cross_validated"]["folds"] == 2
    assert "learning_curve" not in card.metrics
    written = json.loads((output / "metrics.json").read_text())
    assert card.metrics == {name: value for name, value in written.items() if name in card.metrics}
    assert cli.main(["publish", str(output / "ward.safetensors")]) == 0
    assert "ward" in available_models()


def test_the_picture_shows_grey_slices(output: Path) -> None:
    picture = np.asarray(Image.open(output / "mistakes.png"))
    assert picture.ndim == 2
    assert picture.shape[1] == 960


def test_what_is_finished_is_not_trained_again_and_the_same_command_writes_the_same(
    library: CaseLibrary, recipe_file: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = content(output)
    assert sorted(file.name for file in (output / "trainings" / "from-scratch").glob("repeat*")) == [
        "repeat1-fold1of2.safetensors",
        "repeat1-fold2of2.safetensors",
    ]
    assert cli.main(command(library, recipe_file, output)) == 0
    said = capsys.readouterr()
    assert "Training" not in said.err
    assert "6 simulated patients with DCM, 6 normal; 2 folds, 1 repeat; 95 % intervals over patients" in said.out
    assert "The model is " in said.out
    assert "Warning: Patients who are dcm: 6; expected 20 or more" in said.out
    assert content(output) == before


def test_a_learning_curve_goes_on_in_the_same_folder_and_says_whether_more_cases_would_help(
    library: CaseLibrary, recipe_file: Path, output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And each event says how long all trainings will take."""
    shutil.copytree(output, tmp_path / "ward")
    once = json.loads((output / "metrics.json").read_text())["starts"][FROM_SCRATCH]
    assert cli.main([*command(library, recipe_file, tmp_path / "ward", *FROM_SCRATCH_ONLY), "--progress", "json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    trained = [(event["number"], event["of"], event["name"]) for event in events if event["event"] == "training"]
    assert trained[-2:] == [(4, 5, "repeat1-fold1of2-half"), (5, 5, "repeat1-fold2of2-half")]
    steps = [event for event in events if event["event"] == "step"]
    assert steps[0]["all_seconds_left"] > steps[0]["seconds_left"], "others wait"
    assert steps[-1]["all_seconds_left"] == steps[-1]["seconds_left"]
    assert events[-1]["event"] == "finished"
    assert events[-1]["fitted_on"]["temperatures"][0]["fitted"] is False, "of so few patients"
    metrics = json.loads((tmp_path / "ward" / "metrics.json").read_text())
    assert {name: metrics[name] for name in ("auroc", "recall_dcm")} == {n: once[n] for n in ("auroc", "recall_dcm")}
    curve = metrics["learning_curve"][FROM_SCRATCH]
    assert [(point["share"], point["patients"]) for point in curve["points"]] == [(0.5, 4), (1.0, 6)]
    half, whole = (point["auroc"] for point in curve["points"])
    assert whole == once["auroc"]
    assert curve["rise_from_half"]["value"] == pytest.approx(whole["value"] - half["value"], abs=2e-4)
    assert curve["more_cases"] in {"would help", "would hardly help", "can't be told"}
    assert (tmp_path / "ward" / "learning-curve.png").is_file()
    assert "learning_curve" not in read_card(tmp_path / "ward" / "ward.safetensors").metrics


def test_one_that_is_stopped_again_and_again_comes_to_the_same_bytes(
    library: CaseLibrary, recipe: Recipe, output: Path, tmp_path: Path
) -> None:
    request = Request([Start(recipe)], folds=2, repeats=1, present=load_model(model_for_field(1.5)))
    done = []
    while True:
        report, stop = after_steps(3)
        try:
            cross_validate(library, request, tmp_path / "ward", Work(CPU, Watch(False, report, stop)), {})
            break
        except TrainingStopped:
            done.append(len(list((tmp_path / "ward").rglob("*.safetensors"))))
    assert set(done) == {0, 1, 2}, "finished trainings at each stop: within both folds and within the last training"
    assert models_of(tmp_path / "ward", FOLDS) == models_of(output, FOLDS)
    assert of_start(tmp_path / "ward" / "patients.csv", FROM_SCRATCH) == of_start(output / "patients.csv", FROM_SCRATCH)


def test_the_workers_of_a_cluster_train_to_the_same_bytes_and_a_stop_file_stops_them(
    library: CaseLibrary, recipe_file: Path, output: Path, tmp_path: Path
) -> None:
    arguments = [*command(library, recipe_file, tmp_path / "ward", *FROM_SCRATCH_ONLY), "--no-learning-curve"]
    stop_file = tmp_path / "stop"
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        arguments += ["--scheduler", cluster.scheduler_address, "--stop-file", str(stop_file)]
        stop_file.touch()
        assert cli.main(arguments) == 3
        assert not (tmp_path / "ward" / "metrics.json").exists()
        assert not stop_file.exists()
        assert cli.main(arguments) == 0
    assert models_of(tmp_path / "ward", FOLDS) == models_of(output, FOLDS)
    assert of_start(tmp_path / "ward" / "patients.csv", FROM_SCRATCH) == of_start(output / "patients.csv", FROM_SCRATCH)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")
def test_sigterm_ends_the_command_with_three_and_one_line_how_to_resume(
    library: CaseLibrary, recipe_file: Path, tmp_path: Path
) -> None:
    process = start_acnet_train(command(library, recipe_file, tmp_path / "ward"))
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("Training in "):
            process.terminate()
            break
    said, error = process.communicate(timeout=600)
    assert process.returncode == 3, error
    (line,) = said.splitlines()
    assert line.startswith("Stopped after step ")
    assert line.endswith("Run the same command again to resume from there.")


def test_fine_tuning_starts_from_the_present_model_and_scratch_from_none(output: Path) -> None:
    for name in FOLDS:
        fine_tuned, scratch = (
            read_card(output / "trainings" / start / f"{name}.safetensors").training
            for start in (FINE_TUNED, FROM_SCRATCH)
        )
        assert fine_tuned["parent"]["name"] == "acnet-simulated-1.5T"
        assert "parent" not in scratch


def test_a_parent_that_has_seen_the_patients_is_refused(library: CaseLibrary, recipe: Recipe, tmp_path: Path) -> None:
    shipped = load_model(model_for_field(1.5))
    training = {**shipped.card.training, "patients": patients_record(library, None)}
    parent = Model(shipped.network, replace(shipped.card, training=training))
    recipe = read_recipe("fine-tune")
    request = Request([Start(recipe, FineTuning(parent))], 2, 1, parent)
    with pytest.raises(
        ACNetError, match=r"12 of its 12 patients are among those that model 'acnet-simulated-1.5T' was"
    ):
        cross_validate(library, request, tmp_path / "ward", Work(CPU), {})
    assert not (tmp_path / "ward").exists()


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (
            ["--recipe", "recommended"],
            "from-scratch: holds an unfinished training of other cases, other masks or another recipe",
        ),
        (["--folds", "1"], "--folds: found 1; expected at least 2"),
        (["--folds", "7"], "6 patients labelled normal; expected at least 7"),
        (["--repeats", "0"], "--repeats: found 0; expected at least 1"),
        (["--recipe", "fine-tune"], "--recipe fine-tune: found for a training from scratch"),
        (["--start", "fine-tuned"], "--recipe: found with --start fine-tuned; expected --start scratch or both"),
        (["--start", "scratch", "--from", "mine"], "--from: found with --start scratch; expected --start fine-tuned"),
        (["--scheduler", "nowhere", "--repeats", "2"], "no Dask scheduler answers at 'nowhere'"),
        (["--output", "TAKEN"], "exists already and is not an empty folder"),
        (["--output", "TAKEN/a:b"], "after which the model is named"),
    ],
)
def test_what_can_not_be_done_is_one_line(
    library: CaseLibrary,
    recipe_file: Path,
    output: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    more: list[str],
    reason: str,
) -> None:
    (tmp_path / "others.txt").write_text("not ours")
    before = content(output)
    more = [text.replace("TAKEN", str(tmp_path)) for text in more]
    assert cli.main(command(library, recipe_file, output, *more)) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1
    assert reason in error
    assert content(output) == before
    assert [file.name for file in tmp_path.iterdir()] == ["others.txt"]


def test_a_folder_of_other_cases_is_refused(library: CaseLibrary, recipe: Recipe, output: Path, tmp_path: Path) -> None:
    first = library.cases[0].patient
    moved = replace(
        library,
        cases=tuple(replace(c, center_l_mm=c.center_l_mm + 1) if c.patient == first else c for c in library.cases),
    )
    request = Request([Start(recipe)], folds=2, repeats=1, present=load_model(model_for_field(1.5)))
    with pytest.raises(ACNetError, match="holds an unfinished training of other cases, other masks or another recipe"):
        cross_validate(moved, request, output, Work(CPU), {})


def test_a_model_of_another_fold_evaluates_none_of_its_own_patients(
    library: CaseLibrary, recipe: Recipe, output: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(output, tmp_path / "copy"))
    first, second = sorted((copy / "trainings" / FROM_SCRATCH).glob("repeat1-fold*.safetensors"))
    shutil.copyfile(second, first)
    request = Request([Start(recipe)], folds=2, repeats=1, present=load_model(model_for_field(1.5)))
    with pytest.raises(ACNetError, match="from-scratch, repeat1-fold1of2: its model was trained on"):
        cross_validate(library, request, copy, Work(CPU), {})


def test_cases_of_two_field_strengths_are_refused(
    library: CaseLibrary, recipe_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "two"
    shutil.copytree(library.folder, folder)
    write_case_table(folder, (*library.cases[:-1], replace(library.cases[-1], field_strength_tesla=3.0)))
    assert cli.main(command(replace(library, folder=folder), recipe_file, tmp_path / "ward")) == 2
    assert "found cases of 1.5 T, 3 T; expected one field strength a model" in capsys.readouterr().err
    assert not (tmp_path / "ward").exists()

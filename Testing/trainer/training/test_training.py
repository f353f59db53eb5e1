"""Training on a tiny simulated library: what it leaves behind, what it refuses, and that it can be evaluated."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import ATTENTION_MAPS
from ACNetLib.inference.probability import log_odds_of
from ACNetLib.models.card import INTENDED_USE
from ACNetLib.models.model import load_model, save_model
from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.commands import main as cli
from ACNetTrainerLib.training.loop import Place, learning_rate_factor
from ACNetTrainerLib.training.progress import TrainingStopped, Watch
from ACNetTrainerLib.training.recipe import ACNetSettings, Recipe, read_recipe
from ACNetTrainerLib.training.task import TrainingTask, balanced_log_loss
from ACNetTrainerLib.training.train import train
from conftest import acnet_train
from tiny_training import CPU, EPOCHS, Training, after_steps, changed, few_cases, rows_of, write_recipe


@pytest.fixture(scope="module")
def recipe(tiny_recipe_file: Path) -> Recipe:
    return read_recipe(str(tiny_recipe_file))


def test_a_training_gives_a_model_with_a_complete_card(training: Training, recipe: Recipe) -> None:
    card = training.model.card
    assert card.name == "tiny"
    assert card.simulated is True
    assert card.field_strength_tesla == 1.5
    assert {"name": "acnet", **card.network} == asdict(recipe.network)
    assert card.intensity == recipe.intensity
    assert card.decision_threshold == 0.5
    for temperature in card.temperatures:
        assert 1 <= temperature < 12.3
    assert card.training["fitted_on"] == {"temperatures": [{"fitted": False, "patients_normal": 1, "patients_dcm": 1}]}
    assert card.training_prior_dcm == 0.5
    assert set(card.attention_thresholds) == set(ATTENTION_MAPS)
    assert all(list(limits) == sorted(limits) and 0 < limits[0] < 1 for limits in card.attention_thresholds.values())
    assert card.intended_use == INTENDED_USE
    assert card.training["recipe"] == asdict(recipe)
    assert card.normal_t1_ms is not None  # the library has its truth, and five of its normal patients are trained on
    assert card.normal_t1_ms[0] == pytest.approx(995, abs=60)
    assert card.uncertain_range_without_reference == (0.11, 0.89), "that of the shipped model"
    assert card.training["uncertain_range_of"] == "acnet-simulated-1.5T"
    cost = card.training["unknown_reference"]
    assert 0.02 <= cost["lower_limit"] <= 0.2
    assert cost["t1_factor_sd"] == 0.04
    assert 0 <= cost["auroc_with_bias"] <= 1
    assert 1 <= card.training["best_epoch"] <= EPOCHS
    assert card.training["precision"] == "32-true"
    parts = card.training["training"], card.training["validation"]
    assert {key: sum(part[key] for part in parts) for key in parts[0]} == {
        "sections_normal": 6,
        "sections_dcm": 6,
        "patients_normal": 6,
        "patients_dcm": 6,
    }
    assert all(part["patients_normal"] > 0 and part["patients_dcm"] > 0 for part in parts)


def test_the_trained_model_can_be_saved_and_loaded(training: Training, tmp_path: Path) -> None:
    save_model(training.model, tmp_path / "tiny.safetensors")
    loaded = load_model(tmp_path / "tiny.safetensors")
    assert not loaded.network.training
    assert replace(loaded.card, weights_sha256="") == training.model.card


def test_the_weights_are_those_of_the_epoch_with_the_lowest_validation_loss_in_8_bits(training: Training) -> None:
    losses = [float(row["validation_loss"]) for row in rows_of(training.work_folder)]
    assert training.model.card.training["best_epoch"] == 1 + int(np.argmin(losses))
    best = torch.load(training.work_folder / "best.ckpt", weights_only=True)["network"]
    for name, value in training.model.network.state_dict().items():
        if value.dim() > 1:
            step = best[name].abs().amax(tuple(range(1, value.dim())), keepdim=True) / 127
            assert bool(((value - best[name]).abs() <= 0.505 * step).all()), name
            assert value[0].unique().numel() <= 255
        else:
            assert torch.equal(value, best[name]), name


def test_the_table_of_metrics_has_a_row_an_epoch(training: Training) -> None:
    rows = rows_of(training.work_folder)
    assert [row["epoch"] for row in rows] == [str(epoch) for epoch in range(1, EPOCHS + 1)]
    for row in rows:
        assert 0 < float(row["training_loss"]) < 20
        assert 0 < float(row["validation_loss"]) < 50
        assert 0 <= float(row["validation_auroc"]) <= 1
        assert 0 <= float(row["validation_recall_dcm"]) <= 1
        assert 0 <= float(row["validation_recall_normal"]) <= 1


def test_the_command_trains_and_judges_and_the_judged_model_differs_in_its_metrics_only(
    middle_library: CaseLibrary, other_library: CaseLibrary, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, judged, metrics = (tmp_path / name for name in ("tiny.safetensors", "judged.safetensors", "metrics.json"))
    recipe_file = write_recipe(tmp_path / "tiny.toml", {f"epochs = {EPOCHS}": "epochs = 1"})
    code, said, error = acnet_train(
        ["train", middle_library.folder, "--recipe", recipe_file, "--output", output, "--device", "cpu"]
    )
    assert code == 0, error
    model_line, held_back_line = said.splitlines()
    assert model_line == f"model {output}; metrics of each epoch in {tmp_path / 'tiny.training' / 'metrics.csv'}"
    assert held_back_line == (
        "Held back from it: 1 normal and 1 DCM patients, too few to sharpen its probabilities: no temperature "
        "is below 1."
    )
    figures = tmp_path / "figures"
    arguments = ["evaluate", output, other_library.folder, "--output", metrics, "--figures", figures, "--device", "cpu"]
    assert cli.main([*map(str, arguments), "--save-model", str(judged)]) == 0
    said = capsys.readouterr().out
    assert "(simulated patients)" in said
    assert [line.split(":")[0] for line in said.splitlines()[1:]] == ["Warning"] * 2, "of new patients, but of few"
    assert "Patients who are dcm: 6; expected 20 or more" in said
    assert {file.name for file in figures.iterdir()} == {"roc.png", "reliability.png", "attention.png"}
    record = json.loads(metrics.read_text(encoding="utf-8"))
    model, plain = load_model(judged), load_model(output)
    assert record["model"] == "tiny"
    assert record["weights_sha256"] == plain.card.weights_sha256 == model.card.weights_sha256
    assert record["command"].startswith("acnet-train evaluate ")
    assert set(record["versions"]) >= {"torch", "numpy"}
    assert record["patients_unseen"] == "checked"
    assert model.card.metrics["auroc"] == record["auroc"]
    assert set(record["true_measures"]) >= {"auroc_logistic_regression", "size_matched", "t1_matched"}
    assert replace(model.card, metrics={}) == plain.card

    assert cli.main(["evaluate", str(output), str(middle_library.folder), "--output", str(metrics)]) == 2
    assert "12 of its 12 patients are among those that model 'tiny' was trained on" in capsys.readouterr().err


def test_a_training_that_was_stopped_early_is_not_trained_on_when_it_is_taken_up_again(
    middle_library: CaseLibrary, recipe: Recipe, tmp_path: Path
) -> None:
    """Nothing is learned, so that the first epoch stays the best and early stopping ends it after the second."""
    still = changed(recipe, learning_rate=0.0, weight_decay=0.0, early_stopping_epochs=1, epochs=6)
    still = replace(still, network=ACNetSettings(normalization="group", attention_modules=0))
    cases = few_cases(middle_library)
    first = train(cases, still, "still", Place(tmp_path / "work", CPU))
    assert [row["epoch"] for row in rows_of(tmp_path / "work")] == ["1", "2"]
    again = train(cases, still, "still", Place(tmp_path / "work", CPU))
    assert [row["epoch"] for row in rows_of(tmp_path / "work")] == ["1", "2"]
    assert again.card == first.card
    assert first.card.attention_thresholds == {}, "a network without attention has no scale for it"


@pytest.mark.parametrize("what", ["recipe", "cases", "centre", "masks"])
def test_a_folder_with_another_training_is_refused(
    training: Training, middle_library: CaseLibrary, recipe: Recipe, tmp_path: Path, what: str
) -> None:
    before = rows_of(training.work_folder)
    if what == "recipe":
        recipe = changed(recipe, learning_rate=0.5)
    elif what == "cases":
        middle_library = replace(middle_library, cases=middle_library.cases[:-1])
    elif what == "masks":
        copy = Path(shutil.copytree(middle_library.folder, tmp_path / "copy"))
        middle_library = replace(middle_library, folder=copy)
        masks = middle_library.masks_path(middle_library.cases[0])
        sitk.WriteImage(sitk.ReadImage(str(masks)) * 0, str(masks))
    else:
        first, *others = middle_library.cases
        middle_library = replace(middle_library, cases=(replace(first, center_l_mm=1.0), *others))
    with pytest.raises(
        ACNetError, match=r"tiny\.training: holds an unfinished training of other cases, other masks or another recipe"
    ):
        train(middle_library, recipe, "tiny", Place(training.work_folder, CPU))
    assert rows_of(training.work_folder) == before


def test_a_training_goes_on_in_the_precision_of_another_device(
    middle_library: CaseLibrary, recipe: Recipe, tmp_path: Path
) -> None:
    cases = few_cases(middle_library)
    report, stop = after_steps(1)
    elsewhere = changed(recipe, precision="bf16-mixed")
    with pytest.raises(TrainingStopped):
        train(cases, elsewhere, "moved", Place(tmp_path / "work", CPU, Watch(False, report, stop)))
    model = train(cases, recipe, "moved", Place(tmp_path / "work", CPU))
    assert [row["epoch"] for row in rows_of(tmp_path / "work")] == [str(epoch) for epoch in range(1, EPOCHS + 1)]
    assert model.card.training["precision"] == "32-true"


def test_mixed_field_strengths_are_refused(middle_library: CaseLibrary, recipe: Recipe, tmp_path: Path) -> None:
    first, *others = middle_library.cases
    mixed = replace(middle_library, cases=(replace(first, field_strength_tesla=3.0), *others))
    with pytest.raises(ACNetError, match=r"found cases of 1\.5 T, 3 T; expected one field strength"):
        train(mixed, recipe, "mixed", Place(tmp_path / "work", CPU))
    assert not (tmp_path / "work").exists()


def test_both_classes_weigh_the_same_in_the_validation_loss() -> None:
    log_odds, is_dcm = np.array([0.0, 0.0, 0.0, np.log(3)]), np.array([False, False, False, True])
    assert balanced_log_loss(log_odds, is_dcm) == pytest.approx((math.log(2) - math.log(0.75)) / 2)
    assert math.isfinite(balanced_log_loss(np.array([-2000.0, 2000.0]), np.array([True, False])))


@dataclass(frozen=True)
class Said:
    """What a network says of a batch."""

    logits: torch.Tensor


@pytest.mark.parametrize("prior", [0.5, 0.07, 449 / 485])
def test_an_epoch_is_judged_by_its_evidence_whatever_the_share_of_dcm_it_is_trained_on(
    recipe: Recipe, prior: float
) -> None:
    evidence = torch.tensor([-2.0, -0.5, 0.4, 1.0, 3.0])
    labels = torch.tensor([0, 0, 0, 1, 1])
    at_prior = torch.stack([torch.zeros(5), evidence + log_odds_of(prior)], dim=1)
    task = TrainingTask(torch.nn.Identity(), recipe.optimization, training_prior_dcm=prior)
    task.network = lambda logits: Said(logits)  # type: ignore[assignment]
    judged = task.validate([(at_prior, labels)])
    assert judged["validation_loss"] == pytest.approx(balanced_log_loss(evidence.numpy(), labels.numpy() == 1))
    assert (judged["validation_recall_dcm"], judged["validation_recall_normal"]) == (1.0, pytest.approx(2 / 3))


def test_the_learning_rate_rises_over_the_warm_up_and_falls_by_half_a_cosine(recipe: Recipe) -> None:
    settings = changed(recipe, warmup_epochs=2, epochs=12, schedule="cosine").optimization
    factors = [learning_rate_factor(settings, 10, step) for step in range(121)]
    np.testing.assert_allclose(factors[:20], np.arange(1, 21) / 20)
    assert factors[20] == 1
    assert factors[70] == pytest.approx(0.505)
    assert factors[120] == pytest.approx(0.01)
    assert factors[20:] == sorted(factors[20:], reverse=True)
    constant = changed(recipe, warmup_epochs=1, schedule="constant").optimization
    assert {learning_rate_factor(constant, 10, step) for step in range(10, 500)} == {1.0}

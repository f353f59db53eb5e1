"""The statistics of batch normalization that a network is evaluated with are those of its weights, however short the
training was."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ACNetLib.models.model import Model
from ACNetTrainerLib.cases.library import Case, CaseLibrary
from ACNetTrainerLib.evaluation.metrics import auroc
from ACNetTrainerLib.training.dataset import CaseDataset
from ACNetTrainerLib.training.loop import Place
from ACNetTrainerLib.training.network import NETWORKS, build_network
from ACNetTrainerLib.training.normalization import recompute_statistics, statistics_layers
from ACNetTrainerLib.training.recipe import Recipe
from ACNetTrainerLib.training.split import split_patients
from ACNetTrainerLib.training.task import balanced_log_loss
from ACNetTrainerLib.training.train import train
from conftest import simulate_library
from tiny_training import CPU, changed, rows_of, tiny_recipe


def slices_of(library: CaseLibrary, cases: Sequence[Case], recipe: Recipe) -> tuple[Tensor, NDArray[np.bool_]]:
    dataset = CaseDataset(library, cases, recipe.intensity)
    samples = [dataset[0, index, 0] for index in range(len(dataset))]
    return torch.stack([sample[0] for sample in samples]), np.array([bool(sample[1]) for sample in samples])


def loss_and_auroc(model: Model, sections: Tensor, is_dcm: NDArray[np.bool_]) -> tuple[float, float]:
    with torch.inference_mode():
        logits = model.network(sections).logits.double().numpy()
    log_odds = logits[:, 1] - logits[:, 0]
    return balanced_log_loss(log_odds, is_dcm), auroc(log_odds, is_dcm)


def test_after_a_short_training_validation_says_the_same_as_in_training_mode(tmp_path: Path) -> None:
    """Twenty patients, 60 cases, 5 epochs, 15 steps: a running mean of Keras' momentum has only begun to move."""
    library = simulate_library(tmp_path / "cases", patients=20, seed=11)
    recipe = changed(tiny_recipe(tmp_path), epochs=5, batch_size=16, validation_fraction=0.3)
    model = train(library, recipe, "short", Place(tmp_path / "work", CPU))
    _, held_back = split_patients(library, 0.3, recipe.optimization.seed)
    fresh = simulate_library(tmp_path / "fresh", patients=20, seed=12)  # an AUROC over 18 slices is chance
    validation, others = slices_of(library, held_back, recipe), slices_of(fresh, fresh.cases, recipe)

    loss, (loss_of_others, area) = loss_and_auroc(model, *validation)[0], loss_and_auroc(model, *others)
    for layer in model.network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.train()
            layer.momentum = 0.0  # the next batch is normalized by itself alone
    assert loss == pytest.approx(loss_and_auroc(model, *validation)[0], abs=0.05)
    assert (loss_of_others, area) == pytest.approx(loss_and_auroc(model, *others), abs=0.05)
    row = rows_of(tmp_path / "work")[model.card.training["best_epoch"] - 1]
    assert float(row["validation_loss"]) == pytest.approx(loss, abs=0.01)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_statistics_of_every_network_are_the_mean_over_the_batches(name: str) -> None:
    torch.manual_seed(3)
    network = build_network(name).eval()
    layers = statistics_layers(network)
    assert bool(layers) == (name != "vgg16")
    if not layers:
        return
    momentum, seen = layers[0].momentum, []
    handle = layers[0].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].mean(dim=(0, 2, 3))))
    recompute_statistics(network, [255 * torch.rand(4, 1, 64, 64), 100 * torch.rand(4, 1, 64, 64)])
    handle.remove()
    torch.testing.assert_close(layers[0].running_mean, torch.stack(seen).mean(dim=0))
    assert layers[0].momentum == momentum
    assert not any(module.training for module in network.modules()), "it is left in evaluation mode"


def test_a_frozen_module_keeps_its_statistics() -> None:
    network = build_network("acnet").eval()
    frozen = network.get_submodule("down_residual").requires_grad_(False)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    recompute_statistics(network, [255 * torch.rand(4, 1, 64, 64)])
    means = [name for name in before if name.endswith("running_mean")]
    same = {name for name in means if torch.equal(before[name], network.state_dict()[name])}
    assert same == {f"down_residual.{name}" for name in frozen.state_dict() if name.endswith("running_mean")}

"""The networks that ACNet is compared with: trained, saved, loaded and evaluated like it, refused by the classifier."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from ACNetLib.errors import ACNetError
from ACNetLib.models.card import read_card
from ACNetLib.models.check import check_model
from ACNetLib.models.header import COMPARISON, LARGEST_FILE_BYTES
from ACNetLib.models.model import Model, load_model, save_model
from ACNetLib.models.store import available_models, import_model, stored_models
from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.evaluation.scores import score_patients
from ACNetTrainerLib.training.loop import Place
from ACNetTrainerLib.training.network import build_network
from ACNetTrainerLib.training.recipe import read_recipe, with_network
from ACNetTrainerLib.training.train import train
from conftest import a_card
from tiny_training import CPU, changed, few_cases


@pytest.fixture(scope="module")
def vgg16_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The largest of them, untrained."""
    path = tmp_path_factory.mktemp("vgg16") / "vgg16.safetensors"
    save_model(Model(build_network("vgg16").eval(), compared_card("vgg16")), path)
    return path


def compared_card(network: str) -> Any:
    return replace(a_card(network), kind=COMPARISON, network={"name": network}, attention_thresholds={})


def test_another_network_is_trained_saved_loaded_and_judged(simulated_library: CaseLibrary, tmp_path: Path) -> None:
    """The one that has masks, too, of several sizes."""
    name = "residual-attention-56"
    recipe = with_network(
        changed(read_recipe("recommended"), epochs=1, batch_size=2, least_steps=0, precision="32-true"), name
    )
    library = few_cases(simulated_library)
    model = train(library, recipe, name, Place(tmp_path / "work", CPU))
    shutil.rmtree(tmp_path / "work")  # hundreds of MB
    assert (model.card.kind, model.card.network) == (COMPARISON, {"name": name})
    assert model.card.attention_thresholds == {}
    assert model.card.training["recipe"]["network"] == {"name": name}
    save_model(model, tmp_path / "other.safetensors")
    loaded = load_model(tmp_path / "other.safetensors", build_network)
    assert replace(loaded.card, weights_sha256="") == model.card
    for weight, value in model.network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[weight], value), weight
    assert len(score_patients(loaded, library, CPU).patients) == 6


def test_a_file_too_large_for_the_classifier_is_one_that_the_trainer_reads(vgg16_file: Path) -> None:
    assert vgg16_file.stat().st_size > 2 * LARGEST_FILE_BYTES
    assert load_model(vgg16_file, build_network).card.kind == COMPARISON


def test_the_classifier_refuses_such_a_network_in_plain_words(vgg16_file: Path, own_folder: Path) -> None:
    own_folder.mkdir()
    (own_folder / vgg16_file.name).hardlink_to(vgg16_file)
    reason = r"vgg16\.safetensors: it holds a network that was trained to be compared with ACNet"
    for read in (load_model, read_card, check_model, import_model):
        with pytest.raises(ACNetError, match=reason):
            read(vgg16_file)
    assert "vgg16" not in available_models()
    assert "trained to be compared with ACNet" in stored_models()[-1].problem


@pytest.mark.parametrize(
    ("network", "reason"),
    [
        ({"name": "vgg19"}, "network: found 'vgg19'"),
        ({"name": ["vgg16"]}, "can't be built"),
        ({"name": "acnet", "attention_modules": 10**9}, "expected a name alone"),
        ({}, "expected a name alone"),
    ],
)
def test_a_card_with_an_unknown_network_is_refused(tmp_path: Path, network: dict[str, Any], reason: str) -> None:
    model = Model(torch.nn.Linear(1, 1), replace(compared_card("odd"), network=network))
    save_model(model, tmp_path / "odd.safetensors")
    with pytest.raises(ACNetError, match=reason):
        load_model(tmp_path / "odd.safetensors", build_network)


def test_the_recipe_for_vgg16_learns_more_slowly() -> None:
    recipe = read_recipe("vgg16")
    assert recipe.network.name == "vgg16"
    recommended = read_recipe("recommended")
    assert recipe.optimization == replace(recommended.optimization, learning_rate=5e-5)

"""The model file: what is written comes back. What is refused: test_refused_models.py."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ACNetLib.errors import ACNetError
from ACNetLib.inference.outside import LimitsByCall, OutsideLimits
from ACNetLib.models.card import read_card
from ACNetLib.models.header import FORMAT_VERSION, METADATA_KEY
from ACNetLib.models.model import Model, load_model, save_model
from ACNetLib.models.weights import round_weights
from ACNetLib.networks.acnet import ACNet
from ACNetLib.t1map.section import IntensityScaling
from model_files import change_card


@pytest.fixture
def model_file(a_model: Model, tmp_path: Path) -> Path:
    path = tmp_path / "untrained.safetensors"
    save_model(a_model, path)
    return path


def stored_card(path: Path) -> dict[str, Any]:
    with safe_open(path, framework="pt") as file:
        return json.loads(file.metadata()[METADATA_KEY])


def sections() -> Tensor:
    return 255 * torch.rand(2, 1, 128, 128, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_a_model_comes_back_from_its_file_with_the_same_logits_and_card(a_model: Model, tmp_path: Path) -> None:
    card = replace(
        a_model.card,
        temperatures=(1.7, 1.5, 1.3),
        decision_threshold=0.41,
        intensity=IntensityScaling("minmax_paper"),
        training={"recipe": {"name": "paper"}, "best_epoch": 3},
        metrics={"auroc": {"value": 0.9, "low": 0.8, "high": 0.95}},
        normal_t1_ms=(996.0, 31.5),
        uncertain_range_without_reference=(0.06, 0.94),
    )
    save_model(Model(a_model.network, card), tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors")
    assert not loaded.network.training
    assert torch.equal(loaded.network(sections()).logits, a_model.network(sections()).logits)
    assert replace(loaded.card, weights_sha256="") == card
    assert len(loaded.card.weights_sha256) == 64
    assert read_card(tmp_path / "model.safetensors") == loaded.card


@pytest.mark.parametrize("settings", [{"attention_modules": 1}, {"attention": "none"}, {"normalization": "group"}])
def test_an_ablation_comes_back_as_the_network_that_it_was(settings: dict[str, Any], tmp_path: Path) -> None:
    from conftest import a_card

    network = ACNet(**settings).eval()
    save_model(Model(network, replace(a_card("ablation"), network=settings)), tmp_path / "model.safetensors")
    loaded = load_model(tmp_path / "model.safetensors").network
    with torch.inference_mode():
        torch.testing.assert_close(loaded(sections()), network(sections()), rtol=0, atol=0)


def test_rounded_weights_take_a_quarter_of_the_space_and_come_back_exactly(model_file: Path) -> None:
    model = load_model(model_file)
    before = model_file.stat().st_size
    original = {name: weight.clone() for name, weight in model.network.named_parameters()}
    round_weights(model.network)
    for name, weight in model.network.named_parameters():
        largest = original[name].flatten(1).abs().amax(1) if weight.dim() > 1 else torch.zeros(len(weight))
        half_a_step = (largest / 127 / 2).view(-1, *[1] * (weight.dim() - 1))
        assert bool(((weight - original[name]).abs() <= 1.01 * half_a_step).all()), name
    save_model(model, model_file)
    assert model_file.stat().st_size < 0.3 * before
    loaded = load_model(model_file).network.state_dict()
    for name, weight in model.network.state_dict().items():
        assert loaded[name].dtype == weight.dtype
        assert torch.equal(loaded[name], weight)


def test_rounding_again_changes_nothing(a_model: Model) -> None:
    network = copy.deepcopy(a_model.network)
    round_weights(network)
    once = copy.deepcopy(network.state_dict())
    round_weights(network)
    assert all(torch.equal(weight, once[name]) for name, weight in network.state_dict().items())


@pytest.mark.parametrize("value", [0.0, -0.0, 1e-30, 1e30], ids=str)
def test_an_output_of_weights_that_are_zero_or_far_from_one_comes_back(
    value: float, a_model: Model, tmp_path: Path
) -> None:
    network = copy.deepcopy(a_model.network)
    weight = next(weight for weight in network.parameters() if weight.dim() > 1)
    with torch.no_grad():
        weight[0] = value
    round_weights(network)
    torch.testing.assert_close(weight[0], torch.full_like(weight[0], value), rtol=0.005, atol=0)
    save_model(Model(network, a_model.card), tmp_path / "far.safetensors")
    loaded = load_model(tmp_path / "far.safetensors").network
    assert torch.equal(next(weight for weight in loaded.parameters() if weight.dim() > 1), weight)


def test_weights_that_16_bits_can_not_hold_are_kept(a_model: Model) -> None:
    network = copy.deepcopy(a_model.network)
    weight = next(weight for weight in network.parameters() if weight.dim() > 1)
    with torch.no_grad():
        weight.view(-1)[0] = 1e6
    round_weights(network, 16)
    assert weight.view(-1)[0] == 1e6


def test_weights_of_16_bits_are_stored_and_read_as_such(a_model: Model, tmp_path: Path) -> None:
    """As earlier versions wrote them, and as fine-tuning does: its changes are often below a step of 8 bits."""
    network = copy.deepcopy(a_model.network)
    round_weights(network, 16)
    save_model(Model(network, a_model.card), tmp_path / "halved.safetensors")
    stored = {tensor.dtype for tensor in load_file(tmp_path / "halved.safetensors").values() if tensor.dim() > 1}
    assert stored == {torch.float16}
    loaded = load_model(tmp_path / "halved.safetensors").network.state_dict()
    assert all(torch.equal(loaded[name], weight) for name, weight in network.state_dict().items())


def test_the_same_model_always_gives_the_same_bytes(a_model: Model, tmp_path: Path) -> None:
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    save_model(a_model, first)
    save_model(load_model(first), second)
    assert first.read_bytes() == second.read_bytes()


def test_the_memory_layout_that_training_likes_does_not_reach_the_file(a_model: Model, model_file: Path) -> None:
    other = model_file.with_stem("channels-last")
    network: Any = a_model.network  # torch's stubs of Module.to know no memory format
    save_model(Model(network.to(memory_format=torch.channels_last), a_model.card), other)
    assert other.read_bytes() == model_file.read_bytes()


def test_the_file_has_one_metadata_key_and_no_date(model_file: Path) -> None:
    with safe_open(model_file, framework="pt") as file:
        assert list(file.metadata()) == ["acnet"]
    assert [name for name in stored_card(model_file) if "date" in name or "time" in name] == []


def test_a_failed_save_leaves_the_old_file_and_nothing_beside_it(a_model: Model, model_file: Path) -> None:
    before = model_file.read_bytes()
    unwritable = replace(a_model.card, metrics={"auroc": object()})
    with pytest.raises(TypeError):
        save_model(Model(a_model.network, unwritable), model_file)
    assert model_file.read_bytes() == before
    assert list(model_file.parent.iterdir()) == [model_file]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ACNetError, match=r"nowhere\.safetensors: there is no such file"):
        load_model(tmp_path / "nowhere.safetensors")
    with pytest.raises(ACNetError, match=r"nowhere\.safetensors"):
        read_card(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("kept", [0, 7, 500, 100_000])
def test_a_truncated_file_is_refused(model_file: Path, kept: int) -> None:
    model_file.write_bytes(model_file.read_bytes()[:kept])
    for read in (load_model, read_card):
        with pytest.raises(ACNetError, match=r"untrained\.safetensors: not a readable"):
            read(model_file)


def test_a_safetensors_file_without_a_card_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(3)}, path, metadata={"format": "pt"})
    for read in (load_model, read_card):
        with pytest.raises(ACNetError, match=r"foreign\.safetensors: no model card"):
            read(path)


@pytest.mark.parametrize("card", ["{", "", "[]", "null", '"card"', "{}"])
def test_a_damaged_card_is_refused(model_file: Path, card: str) -> None:
    save_file(load_file(model_file), model_file, metadata={METADATA_KEY: card})
    with pytest.raises(ACNetError, match=r"untrained\.safetensors: its model card is damaged"):
        load_model(model_file)


def test_a_model_trained_on_slices_as_they_are_stored_is_refused(model_file: Path) -> None:
    change_card(model_file, format_version=1)
    for read in (load_model, read_card):
        with pytest.raises(ACNetError, match=r"as they are stored, not along the anatomical axes\. Train it again"):
            read(model_file)


@pytest.mark.parametrize("version", [2, 3])
def test_a_card_from_before_the_hearts_shape_is_read_and_written_in_the_present_format(
    model_file: Path, version: int
) -> None:
    change_card(model_file, outside_limits=None, format_version=version)
    model = load_model(model_file)
    assert model.card.outside_limits == LimitsByCall()
    save_model(model, model_file)
    assert stored_card(model_file)["format_version"] == FORMAT_VERSION
    assert load_model(model_file).card == replace(model.card, weights_sha256=read_card(model_file).weights_sha256)


def test_a_card_of_one_limit_for_both_answers_is_read_and_written_in_the_present_format(model_file: Path) -> None:
    limits = {"score": [], "relative_wall": [0.6, 0.5], "rv_to_lv": [1.5]}
    change_card(model_file, outside_limits=limits, format_version=4)
    model = load_model(model_file)
    both = OutsideLimits((), (0.6, 0.5), (1.5,))
    assert model.card.outside_limits == LimitsByCall(both, both)
    save_model(model, model_file)
    assert stored_card(model_file)["outside_limits"] == {"normal": limits, "dcm": limits}
    assert load_model(model_file).card.outside_limits == LimitsByCall(both, both)


def test_a_copied_file_loads_under_any_name(a_model: Model, model_file: Path) -> None:
    copy = Path(shutil.copy(model_file, model_file.with_name("mein Modell 2.safetensors")))
    assert asdict(replace(load_model(copy).card, weights_sha256="")) == asdict(a_model.card)

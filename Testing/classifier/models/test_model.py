"""The model file: what is written comes back, and what is no model of ours is refused with a reason."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from ACNetLib.errors import ACNetError
from ACNetLib.models.card import read_card
from ACNetLib.models.header import METADATA_KEY
from ACNetLib.models.model import Model, load_model, save_model
from ACNetLib.networks.acnet import ACNet
from ACNetLib.t1map.section import IntensityScaling

Tensors = dict[str, Tensor]
Card = dict[str, Any]


@pytest.fixture
def model_file(a_model: Model, tmp_path: Path) -> Path:
    path = tmp_path / "untrained.safetensors"
    save_model(a_model, path)
    return path


def changed(path: Path, change: Callable[[Tensors, Card], object]) -> Path:
    """The model file with its weights or its card changed; its checksum stays."""
    tensors = load_file(path)
    card = stored_card(path)
    change(tensors, card)
    save_file(tensors, path, metadata={METADATA_KEY: json.dumps(card)})
    return path


def stored_card(path: Path) -> Card:
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


CARD_CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "other format": ({"format_version": 4}, "model format 4; this version reads format 3"),
    "field added": ({"colour": "blue"}, "colour"),
    "unknown network setting": ({"network": {"depth": 50}}, "settings depth"),
    "unknown attention": ({"network": {"attention": "spatial"}}, "attention 'spatial'"),
    "unknown normalization": ({"network": {"normalization": "layer"}}, "normalization 'layer'"),
    "network setting of another type": ({"network": {"attention_modules": "two"}}, "two"),
    "impossible network setting": ({"network": {"dropout": 2.0}}, "dropout"),
    "no network settings": ({"network": 7}, "network"),
    "other classes": ({"class_names": ["dcm", "normal"]}, "class_names"),
    "other slice size": ({"section_size": 64}, "section_size"),
    "other spacing": ({"section_spacing_mm": 2.0}, "section_spacing_mm"),
    "no temperature": ({"temperatures": []}, "temperatures"),
    "a temperature of zero": ({"temperatures": [1.0, 0]}, "temperatures"),
    "metrics of another type": ({"metrics": [1]}, "field metrics"),
    "no range": ({"uncertain_range": [0.8, 0.2]}, "field uncertain_range"),
    "temperature of another type": ({"temperatures": ["hot"]}, "wrong type"),
    "threshold out of range": ({"decision_threshold": 1.0}, "decision_threshold"),
    "prior out of range": ({"training_prior_dcm": 0.0}, "training_prior_dcm"),
    "too few bands": ({"attention_thresholds": {"module_1": [0.5]}}, "attention_thresholds"),
    "no scale for a map": ({"attention_thresholds": {"module_1": [0.1, 0.2, 0.3, 0.4]}}, "lacks combined, module_2"),
    "a normal T1 without SD": ({"normal_t1_ms": [996.0]}, "field normal_t1_ms"),
    "a normal T1 of zero": ({"normal_t1_ms": [0.0, 31.5]}, "field normal_t1_ms"),
    "a normal T1 of another type": ({"normal_t1_ms": 996.0}, "wrong type"),
    "a wider range that is none": (
        {"uncertain_range_without_reference": [0.9, 0.1]},
        "field uncertain_range_without_reference",
    ),
    "an empty wider range": ({"uncertain_range_without_reference": []}, "field uncertain_range_without_reference"),
    "unknown intensity": ({"intensity": {"kind": "histogram", "low_ms": 0, "high_ms": 1}}, "histogram"),
    "intensity of another shape": ({"intensity": {"window": 2}}, "wrong type"),
}


@pytest.mark.parametrize(("values", "reason"), CARD_CHANGES.values(), ids=CARD_CHANGES)
def test_a_card_that_this_version_can_not_follow_is_refused(
    model_file: Path, values: dict[str, Any], reason: str
) -> None:
    changed(model_file, lambda _, card: card.update(values))
    with pytest.raises(ACNetError, match=reason) as error:
        load_model(model_file)
    assert str(error.value).startswith(("untrained.safetensors:", "intensity scaling:"))


def test_a_card_that_lacks_a_field_is_refused(model_file: Path) -> None:
    changed(model_file, lambda _, card: card.pop("temperatures"))
    with pytest.raises(ACNetError, match=r"lacks or adds these fields: temperatures"):
        load_model(model_file)


def test_a_model_trained_on_slices_as_they_are_stored_is_refused(model_file: Path) -> None:
    changed(model_file, lambda _, card: card.update(format_version=1))
    for read in (load_model, read_card):
        with pytest.raises(ACNetError, match=r"as they are stored, not along the anatomical axes\. Train it again"):
            read(model_file)


def test_weights_of_another_network_are_refused_by_name(model_file: Path) -> None:
    changed(model_file, lambda tensors, _: tensors.update({"head.5.weight": torch.zeros(3, 128)}))
    with pytest.raises(ACNetError, match=r"head\.5\.weight is float32 \(3, 128\); its network has float32 \(2, 128\)"):
        load_model(model_file)


def test_weights_of_another_number_format_are_refused(model_file: Path) -> None:
    changed(model_file, lambda tensors, _: tensors.update({"head.5.bias": torch.zeros(2, dtype=torch.bfloat16)}))
    with pytest.raises(ACNetError, match=r"head\.5\.bias is bfloat16"):
        load_model(model_file)


def test_a_missing_weight_is_named(model_file: Path) -> None:
    changed(model_file, lambda tensors, _: tensors.pop("head.5.bias"))
    with pytest.raises(ACNetError, match=r"head\.5\.bias is missing"):
        load_model(model_file)


def test_a_changed_weight_is_noticed_by_the_checksum(model_file: Path) -> None:
    changed(model_file, lambda tensors, _: tensors["head.5.bias"].add_(1e-3))
    with pytest.raises(ACNetError, match="checksum"):
        load_model(model_file)


def test_a_flipped_byte_is_noticed(model_file: Path) -> None:
    data = bytearray(model_file.read_bytes())
    data[-1000] ^= 1
    model_file.write_bytes(data)
    with pytest.raises(ACNetError, match="checksum"):
        load_model(model_file)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(a_model: Model, tmp_path: Path, value: float) -> None:
    with torch.no_grad():
        a_model.network.get_parameter("head.5.bias")[0] = value
    save_model(a_model, tmp_path / "model.safetensors")
    with pytest.raises(ACNetError, match="no numbers"):
        load_model(tmp_path / "model.safetensors")


class Mine:
    """What a malicious pickle does: unpickling it makes a file."""

    def __init__(self, trap: Path) -> None:
        self.trap = trap

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return Path.touch, (self.trap,)  # type: ignore[return-value]


@pytest.mark.parametrize("write", [pickle.dump, torch.save], ids=["pickle", "torch.save"])
def test_a_renamed_pickle_is_refused_and_never_unpickled(tmp_path: Path, write: Callable[[Any, Any], None]) -> None:
    path, trap = tmp_path / "model.safetensors", tmp_path / "trap"
    with path.open("wb") as file:
        write({"weights": Mine(trap)}, file)
    with path.open("rb") as file:  # the trap works
        torch.load(file, weights_only=False) if write is torch.save else pickle.load(file)
    assert trap.exists()
    trap.unlink()
    for read in (load_model, read_card):
        with pytest.raises(ACNetError, match="not a readable"):
            read(path)
    assert not trap.exists()


def test_a_copied_file_loads_under_any_name(a_model: Model, model_file: Path) -> None:
    copy = Path(shutil.copy(model_file, model_file.with_name("mein Modell 2.safetensors")))
    assert asdict(replace(load_model(copy).card, weights_sha256="")) == asdict(a_model.card)

"""The model file: weights and model card in one `.safetensors` file, which is never unpickled."""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, get_args

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ACNetLib.attention import BAND_QUANTILES, Thresholds, map_names
from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_path
from ACNetLib.network import ACNet, AttentionKind, NormalizationKind
from ACNetLib.section import SECTION_SIZE, SECTION_SPACING_MM, IntensityScaling

MODEL_SUFFIX = ".safetensors"
METADATA_KEY = "acnet"
FORMAT_VERSION = 1
INTENDED_USE = "Research only. Not a medical device; not for diagnosis or treatment."
CLASS_NAMES = ("normal", "dcm")


@dataclass(frozen=True)
class ModelCard:
    """Everything that must travel with the weights, so that inference can't differ from training.

    network: constructor arguments of ACNet. decision_threshold: on the study's calibrated probability of DCM.
    temperature: divides the logits. training_prior_dcm: share of DCM patients among those trained on.
    attention_thresholds: fixed band limits of each attention map. training, metrics: what the model was made from and
    how it did, for people to read.
    """

    name: str
    network: dict[str, Any]
    field_strength_tesla: float
    simulated: bool
    decision_threshold: float
    temperature: float
    training_prior_dcm: float
    attention_thresholds: dict[str, Thresholds]
    intensity: IntensityScaling = field(default_factory=IntensityScaling)
    section_size: int = SECTION_SIZE
    section_spacing_mm: float = SECTION_SPACING_MM
    class_names: tuple[str, str] = CLASS_NAMES
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    licence: str = "Apache-2.0"
    intended_use: str = INTENDED_USE
    weights_sha256: str = ""
    format_version: int = FORMAT_VERSION


@dataclass(frozen=True)
class Model:
    """A network in evaluation mode and its card."""

    network: ACNet
    card: ModelCard


def save_model(model: Model, path: Path) -> None:
    """Write the model file in one piece. The same weights and card always give the same bytes."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.network.state_dict().items()}
    card = replace(model.card, weights_sha256=_checksum(tensors))
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={METADATA_KEY: json.dumps(asdict(card), sort_keys=True)}))


def load_model(path: Path) -> Model:
    """Read and check a model file. Raises ACNetError when it is none of ours, damaged or of another network."""
    path = Path(path)
    if not path.is_file():
        raise ACNetError(f"{path}: there is no such file; expected a model ({MODEL_SUFFIX}).")
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping, has only keys()
    except (SafetensorError, OSError) as error:
        raise ACNetError(f"{path.name}: not a readable {MODEL_SUFFIX} file ({error}). Copy it again.") from error
    card = _card(metadata, path.name)
    network = _network(card, path.name)
    _check_tensors(tensors, network, card, path.name)
    network.load_state_dict(tensors)
    return Model(network.eval(), card)


def read_card(path: Path) -> ModelCard:
    """The card alone, without reading the weights. Raises ACNetError like `load_model`."""
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            return _card(file.metadata() or {}, path.name)
    except (SafetensorError, OSError) as error:
        raise ACNetError(f"{path.name}: not a readable {MODEL_SUFFIX} file ({error}). Copy it again.") from error


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


def _card(metadata: Mapping[str, str], name: str) -> ModelCard:
    if METADATA_KEY not in metadata:
        raise ACNetError(f"{name}: no model card found; expected a model file written by acnet-train.")
    try:
        values = json.loads(metadata[METADATA_KEY])
        version = values["format_version"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ACNetError(f"{name}: its model card is damaged ({error}). Copy the file again.") from error
    if version != FORMAT_VERSION:
        raise ACNetError(f"{name}: model format {version}; this version reads format {FORMAT_VERSION}. Update ACNet.")
    names = {item.name for item in fields(ModelCard)}
    if set(values) != names:
        odd = ", ".join(sorted(set(values) ^ names))
        raise ACNetError(f"{name}: its model card lacks or adds these fields: {odd}.")
    try:
        values["intensity"] = IntensityScaling(**values["intensity"])
        values["class_names"] = tuple(values["class_names"])
        values["attention_thresholds"] = {key: tuple(limits) for key, limits in values["attention_thresholds"].items()}
        card = ModelCard(**values)
        _check_card(card, name)
    except (AttributeError, TypeError) as error:
        raise ACNetError(
            f"{name}: a field of its model card has the wrong type ({error}). Copy the file again."
        ) from error
    return card


def _check_card(card: ModelCard, name: str) -> None:
    problems = {
        "network": not isinstance(card.network, dict),
        "class_names": card.class_names != CLASS_NAMES,
        "section_size": card.section_size != SECTION_SIZE,
        "section_spacing_mm": card.section_spacing_mm != SECTION_SPACING_MM,
        "temperature": not card.temperature > 0,
        "decision_threshold": not 0 < card.decision_threshold < 1,
        "training_prior_dcm": not 0 < card.training_prior_dcm < 1,
        "attention_thresholds": any(len(t) != len(BAND_QUANTILES) for t in card.attention_thresholds.values()),
    }
    for field_name, wrong in problems.items():
        if wrong:
            raise ACNetError(f"{name}: field {field_name} of its model card is {getattr(card, field_name)!r}.")


def _network(card: ModelCard, name: str) -> ACNet:
    known = inspect.signature(ACNet).parameters
    unknown = set(card.network) - set(known)
    if unknown:
        raise ACNetError(f"{name}: its network has settings {', '.join(sorted(unknown))}; expected {', '.join(known)}.")
    for setting, kind in (("attention", AttentionKind), ("normalization", NormalizationKind)):
        if card.network.get(setting, known[setting].default) not in get_args(kind):
            found, expected = card.network[setting], ", ".join(get_args(kind))
            raise ACNetError(f"{name}: its network has {setting} {found!r}; expected one of {expected}.")
    try:
        network = ACNet(**card.network)
    except (TypeError, ValueError) as error:
        raise ACNetError(f"{name}: a network can't have the settings {card.network} ({error}).") from error
    modules = sum(module.mask is not None for module in network.attention_modules)
    missing = set(map_names(modules)) - set(card.attention_thresholds)
    if missing:
        raise ACNetError(f"{name}: field attention_thresholds of its model card lacks {', '.join(sorted(missing))}.")
    return network


def _check_tensors(tensors: Mapping[str, Tensor], network: ACNet, card: ModelCard, name: str) -> None:
    expected = {key: _layout(value) for key, value in network.state_dict().items()}
    found = {key: _layout(value) for key, value in tensors.items()}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            raise ACNetError(
                f"{name}: weight {key} is {found.get(key, 'missing')}; its network has {expected.get(key, 'none')}."
            )
    if _checksum(tensors) != card.weights_sha256:
        raise ACNetError(f"{name}: its weights don't match their checksum; the file was changed. Copy it again.")
    if not all(torch.isfinite(value).all() for value in tensors.values()):
        raise ACNetError(f"{name}: its weights hold values that are no numbers; train the model again.")


def _layout(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"

"""The model file: weights and model card in one `.safetensors` file, which is never unpickled."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from torch import nn

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import ATTENTION_MAPS, map_names
from ACNetLib.models.card import ModelCard, card_from_values
from ACNetLib.models.header import CLASSIFIER
from ACNetLib.models.weights import load_weights, read_weights, write_weights
from ACNetLib.networks.acnet import ACNet, AttentionKind, NormalizationKind
from ACNetLib.networks.outside import REGIONS

BuildNetwork = Callable[..., nn.Module]
"""A network by its name: `ACNetTrainerLib.networks.build_network`."""


@dataclass(frozen=True)
class Model:
    """A network in evaluation mode, which returns `ACNetOutput`, and its card."""

    network: nn.Module
    card: ModelCard


def save_model(model: Model, path: Path) -> None:
    """Write the model file in one piece. The same weights and card always give the same bytes."""
    write_weights(model.network, asdict(model.card), path)


def load_model(path: Path, build: BuildNetwork | None = None) -> Model:
    """Read and check a model file. Raises ACNetError when it is none of ours, damaged or of another network.

    Without `build` only ACNet is read: what is trained to be compared with it has no place in the classifier.
    """
    name = Path(path).name
    values, tensors = read_weights(path, comparisons=build is not None)
    card = card_from_values(values, name)
    network = _acnet(card, name) if build is None or card.kind == CLASSIFIER else _comparison(card, build, name)
    load_weights(network, tensors, card.weights_sha256, name)
    return Model(network.eval(), card)


def _comparison(card: ModelCard, build: BuildNetwork, name: str) -> nn.Module:
    if set(card.network) != {"name"}:
        raise ACNetError(f"{name}: field network of its model card is {card.network!r}; expected a name alone.")
    try:
        return build(**card.network)
    except (ACNetError, TypeError) as error:
        raise ACNetError(f"{name}: its network can't be built ({error}). Update ACNet.") from error


def _acnet(card: ModelCard, name: str) -> ACNet:
    known = inspect.signature(ACNet).parameters
    unknown = set(card.network) - set(known)
    if unknown:
        raise ACNetError(f"{name}: its network has settings {', '.join(sorted(unknown))}; expected {', '.join(known)}.")
    choices: dict[str, tuple[object, ...]] = {
        "attention": get_args(AttentionKind),
        "normalization": get_args(NormalizationKind),
        "attention_modules": tuple(range(len(ATTENTION_MAPS))),  # without a limit, a file could fill the memory
        "outside": tuple(range(REGIONS + 1)),  # older cards have false and true, which count as 0 and 1
    }
    for setting, allowed in choices.items():
        if card.network.get(setting, known[setting].default) not in allowed:
            found, expected = card.network[setting], ", ".join(map(str, allowed))
            raise ACNetError(f"{name}: its network has {setting} {found!r}; expected one of {expected}.")
    try:
        if math.isnan(card.network.get("dropout", 0.0)):  # PyTorch notices it when the network runs
            raise ValueError("dropout is no number")
        network = ACNet(**card.network)
    except (TypeError, ValueError) as error:
        raise ACNetError(f"{name}: a network can't have the settings {card.network} ({error}).") from error
    modules = sum(module.mask is not None for module in network.attention_modules)
    missing = set(map_names(modules)) - set(card.attention_thresholds)
    if missing:
        raise ACNetError(f"{name}: field attention_thresholds of its model card lacks {', '.join(sorted(missing))}.")
    return network

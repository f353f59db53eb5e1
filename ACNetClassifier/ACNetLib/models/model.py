"""The model file: weights and model card in one `.safetensors` file, which is never unpickled."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, get_args

from torch import nn

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import ATTENTION_MAPS, BAND_QUANTILES, Thresholds, map_names
from ACNetLib.models.header import CLASSIFIER, COMPARISON, FORMAT_VERSION, CardValues, read_card_values
from ACNetLib.models.weights import check_card_fields, load_weights, read_weights, write_weights
from ACNetLib.networks.acnet import ACNet, AttentionKind, NormalizationKind
from ACNetLib.t1map.section import SECTION_SIZE, SECTION_SPACING_MM, IntensityScaling

BuildNetwork = Callable[..., nn.Module]
"""A network by its name: `ACNetTrainerLib.networks.build_network`."""

INTENDED_USE = "Research only. Not a medical device; not for diagnosis or treatment."
CLASS_NAMES = ("normal", "dcm")
UNCERTAIN_RANGE = (0.2, 0.8)
"""A verdict is given where at least four of five such patients are of its class."""


@dataclass(frozen=True)
class ModelCard:
    """Everything that must travel with the weights, so that inference can't differ from training.

    network: constructor arguments of ACNet, or the name of a network of kind COMPARISON. temperatures: of one section,
    of the mean over two, ... and more, see `probability.calibrated`. training_prior_dcm: the share of DCM that is in
    the network's log odds. uncertain_range: the verdict's rule on the study's probability,
    see `probability.verdict`. decision_threshold: where two classes must be told apart, on the same probability at the
    training prior. attention_thresholds: fixed band limits of each attention map. training, metrics: what the model was
    made from and how it did, for people to read. normal_t1_ms: mean and standard deviation of the normal training
    patients' septal T1. uncertain_range_without_reference: the verdict's rule where a site's own normal T1 is not
    known. Both are None where training could not tell them.
    """

    name: str
    network: dict[str, Any]
    field_strength_tesla: float
    simulated: bool
    decision_threshold: float
    temperatures: tuple[float, ...]
    training_prior_dcm: float
    attention_thresholds: dict[str, Thresholds]
    intensity: IntensityScaling = field(default_factory=IntensityScaling)
    section_size: int = SECTION_SIZE
    section_spacing_mm: float = SECTION_SPACING_MM
    class_names: tuple[str, str] = CLASS_NAMES
    uncertain_range: tuple[float, float] = UNCERTAIN_RANGE
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    licence: str = "Apache-2.0"
    intended_use: str = INTENDED_USE
    weights_sha256: str = ""
    kind: str = CLASSIFIER
    format_version: int = FORMAT_VERSION
    normal_t1_ms: tuple[float, float] | None = None
    uncertain_range_without_reference: tuple[float, float] | None = None


PAIRS_OR_NONE = ("normal_t1_ms", "uncertain_range_without_reference")


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
    card = _card(values, name)
    network = _acnet(card, name) if build is None or card.kind == CLASSIFIER else _comparison(card, build, name)
    load_weights(network, tensors, card.weights_sha256, name)
    return Model(network.eval(), card)


def read_card(path: Path) -> ModelCard:
    """The card alone, without reading the weights. Raises ACNetError like `load_model`."""
    return _card(read_card_values(path), Path(path).name)


def _card(values: CardValues, name: str) -> ModelCard:
    kind = COMPARISON if values.get("kind") == COMPARISON else CLASSIFIER
    check_card_fields(values, kind, (item.name for item in fields(ModelCard)), name)
    try:
        values["intensity"] = IntensityScaling(**values["intensity"])
        values["class_names"] = tuple(values["class_names"])
        values["uncertain_range"] = tuple(values["uncertain_range"])
        values["temperatures"] = tuple(values["temperatures"])
        for pair in PAIRS_OR_NONE:
            values[pair] = None if values[pair] is None else tuple(values[pair])
        values["attention_thresholds"] = {key: tuple(limits) for key, limits in values["attention_thresholds"].items()}
        card = ModelCard(**values)
        _check_card(card, name)
    except (AttributeError, TypeError, ValueError) as error:
        raise ACNetError(
            f"{name}: a field of its model card has the wrong type ({error}). Copy the file again."
        ) from error
    return card


def _check_card(card: ModelCard, name: str) -> None:
    problems = {
        "network": not isinstance(card.network, dict),
        "field_strength_tesla": not 0 < card.field_strength_tesla < math.inf,
        "class_names": card.class_names != CLASS_NAMES,
        "section_size": card.section_size != SECTION_SIZE,
        "section_spacing_mm": card.section_spacing_mm != SECTION_SPACING_MM,
        "temperatures": not card.temperatures or not all(0 < each < math.inf for each in card.temperatures),
        "uncertain_range": not _is_range(card.uncertain_range),
        "normal_t1_ms": card.normal_t1_ms is not None and not _is_normal_t1(card.normal_t1_ms),
        "uncertain_range_without_reference": card.uncertain_range_without_reference is not None
        and not _is_range(card.uncertain_range_without_reference),
        "decision_threshold": not 0 < card.decision_threshold < 1,
        "training_prior_dcm": not 0 < card.training_prior_dcm < 1,
        "attention_thresholds": not all(_is_scale(limits) for limits in card.attention_thresholds.values()),
    }
    for field_name, wrong in problems.items():
        if wrong:
            raise ACNetError(f"{name}: field {field_name} of its model card is {getattr(card, field_name)!r}.")


def _is_range(limits: tuple[float, ...]) -> bool:
    return len(limits) == 2 and 0 < limits[0] <= limits[1] < 1


def _is_normal_t1(mean_and_sd: tuple[float, ...]) -> bool:
    return len(mean_and_sd) == 2 and 0 < mean_and_sd[1] < mean_and_sd[0] < math.inf


def _is_scale(limits: Thresholds) -> bool:
    return len(limits) == len(BAND_QUANTILES) and all(low <= high for low, high in pairwise((0.0, *limits, 1.0)))


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

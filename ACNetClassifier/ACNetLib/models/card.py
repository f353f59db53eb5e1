"""The model card: all that travels with a classifier's weights. It is read and checked without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import BAND_QUANTILES, Thresholds
from ACNetLib.inference.outside import LimitsByCall, OutsideLimits
from ACNetLib.models.header import (
    CLASSIFIER,
    COMPARISON,
    FORMAT_VERSION,
    CardValues,
    check_card_fields,
    check_field_values,
    read_card_values,
)
from ACNetLib.t1map.section import SECTION_SIZE, SECTION_SPACING_MM, IntensityScaling

INTENDED_USE = "Research only. Not a medical device; not for diagnosis or treatment."
CLASS_NAMES = ("normal", "dcm")
MOST_LIMITS = 3
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
    known. Both are None where training could not tell them. outside_limits: above which a study is unlike the
    training's hearts; where its score has none, those that are in the weights hold.
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
    outside_limits: LimitsByCall = field(default_factory=LimitsByCall)

    def without_patients(self) -> ModelCard:
        """The card as results keep it: the hashes of the patients it was trained on, long ones, stay in its file."""
        return replace(self, training={key: value for key, value in self.training.items() if key != "patients"})


FORMATS_WITHOUT_SHAPE, FORMAT_OF_ONE_LIMIT = (2, 3), 4
PAIRS_OR_NONE = ("normal_t1_ms", "uncertain_range_without_reference")


def read_card(path: Path) -> ModelCard:
    """The card alone, without reading the weights. Raises ACNetError like `load_model`."""
    return card_from_values(read_card_values(path), Path(path).name)


def card_from_values(values: CardValues, name: str) -> ModelCard:
    """The card of plain values, as a file holds it. Raises ACNetError, with the name, for values that no card has."""
    values = dict(values)
    kind = COMPARISON if values.get("kind") == COMPARISON else CLASSIFIER
    # What is read is written in the present format.
    version = values.get("format_version")
    values["format_version"] = FORMAT_VERSION
    if version in FORMATS_WITHOUT_SHAPE:
        values.setdefault("outside_limits", {})
    if version == FORMAT_OF_ONE_LIMIT and "outside_limits" in values:
        values["outside_limits"] = dict.fromkeys(("normal", "dcm"), values["outside_limits"])
    check_card_fields(values, kind, (item.name for item in fields(ModelCard)), name)
    try:
        values["intensity"] = IntensityScaling(**values["intensity"])
        values["class_names"] = tuple(values["class_names"])
        values["uncertain_range"] = tuple(values["uncertain_range"])
        values["temperatures"] = tuple(values["temperatures"])
        values["outside_limits"] = LimitsByCall(**{call: _limits(v) for call, v in values["outside_limits"].items()})
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
        "outside_limits": not all(
            _are_limits(each) for of_call in vars(card.outside_limits).values() for each in vars(of_call).values()
        ),
        "decision_threshold": not 0 < card.decision_threshold < 1,
        "training_prior_dcm": not 0 < card.training_prior_dcm < 1,
        "attention_thresholds": not all(_is_scale(limits) for limits in card.attention_thresholds.values()),
    }
    check_field_values(card, problems, name)


def _is_range(limits: tuple[float, ...]) -> bool:
    return len(limits) == 2 and 0 < limits[0] <= limits[1] < 1


def _is_normal_t1(mean_and_sd: tuple[float, ...]) -> bool:
    return len(mean_and_sd) == 2 and 0 < mean_and_sd[1] < mean_and_sd[0] < math.inf


def _limits(values: CardValues) -> OutsideLimits:
    return OutsideLimits(**{key: tuple(limits) for key, limits in values.items()})


def _are_limits(limits: tuple[float, ...]) -> bool:
    return len(limits) <= MOST_LIMITS and all(isinstance(each, float | int) and math.isfinite(each) for each in limits)


def _is_scale(limits: Thresholds) -> bool:
    return len(limits) == len(BAND_QUANTILES) and all(low <= high for low, high in pairwise((0.0, *limits, 1.0)))

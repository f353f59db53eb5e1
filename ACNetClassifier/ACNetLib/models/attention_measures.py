"""Whether a model's attention explains its decision, judged by what `acnet-train attention` has measured of it.

The measurements travel in the model's card. What results say of the overlay follows from them by this rule alone: a
model whose measures all reach what is wanted is validated, any other one is not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ACNetLib.inference.attention import SHOWN_MAP
from ACNetLib.models.card import ModelCard

MEASURED = "measured"
"""Where the measurements stand within the card's `metrics["attention"]`."""
LEAST_WALL_OVER_SLICE, LEAST_WALL_OVER_CAVITY, LEAST_POINTING = 4.0, 3.0, 0.9
LEAST_AUROC_LOST, LEAST_DELETION, LARGEST_RANDOMISED = 0.02, 3.0, 0.3
LEAST_FOLLOWING, LEAST_OTHER_SEEDS, OTHER_SEEDS, LARGEST_AUROC_PRICE = 0.9, 0.8, 2, 0.003

Found = Mapping[str, Any]


@dataclass(frozen=True)
class AttentionMeasure:
    """One measure of the shown map. met: None where it has not been measured."""

    name: str
    met: bool | None


def measured_values(found: Found) -> dict[str, Any]:
    """What the card keeps of the result of `acnet-train attention`: the shown map's measures and the network's."""
    kept = {"auroc_lost", "auroc_against_untaught"}
    return {
        **found["maps"][SHOWN_MAP],
        **{name: value for name, value in found.items() if name in kept},
        "randomised": found["rank_correlation_after_randomising"]["down_residual"][SHOWN_MAP],
    }


def attention_measures(card: ModelCard) -> tuple[AttentionMeasure, ...]:
    """Every measure, in the order of Documentation/attention.md."""
    attention = card.metrics.get("attention")
    found: Any = attention.get(MEASURED) if isinstance(attention, Mapping) else None
    return tuple(AttentionMeasure(name, _met(rule, found)) for name, rule in _RULES.items())


def is_validated(card: ModelCard) -> bool:
    """Whether every measure has been taken and reaches what is wanted."""
    return all(measure.met for measure in attention_measures(card))


def _met(rule: Callable[[Any], bool], found: Any) -> bool | None:
    try:
        return rule(found)
    except (LookupError, TypeError):
        return None


def _of_classes(found: Found) -> Sequence[Found]:
    return [found["where"][label] for label in ("normal", "dcm")]


def _on_the_wall(found: Found) -> bool:
    return all(
        each["wall_over_slice"]["value"] >= LEAST_WALL_OVER_SLICE
        and each["wall_over_slice"]["low"] > each["mean_map_wall_over_slice"]["value"]
        for each in _of_classes(found)
    )


def _other_seeds(found: Found) -> bool:
    alike = [each["value"] for each in found["other_seeds"]]
    if len(alike) < OTHER_SEEDS:
        raise LookupError
    return min(alike) >= LEAST_OTHER_SEEDS


def _at_least(least: float, *keys: str) -> Callable[[Found], bool]:
    def rule(found: Any) -> bool:
        for key in keys:
            found = found[key]
        return bool(found["value"] >= least)

    return rule


_RULES: dict[str, Callable[[Any], bool]] = {
    "it lies on the wall": _on_the_wall,
    "it is low in the cavity": lambda found: all(
        each["wall_over_cavity"]["value"] >= LEAST_WALL_OVER_CAVITY for each in _of_classes(found)
    ),
    "it points at the wall": _at_least(LEAST_POINTING, "pointing_game"),
    "the decision needs it to be this patient's": _at_least(LEAST_AUROC_LOST, "auroc_lost", "mean_masks"),
    "the decision needs it": _at_least(LEAST_AUROC_LOST, "auroc_lost", "no_masks"),
    "what it marks moves the answer": _at_least(LEAST_DELETION, "deletion"),
    "random weights make another": lambda found: bool(abs(found["randomised"]) < LARGEST_RANDOMISED),
    "it follows a shift": _at_least(LEAST_FOLLOWING, "follows_a_shift"),
    "it follows a turn": _at_least(LEAST_FOLLOWING, "follows_a_turn"),
    "other trainings make the same": _other_seeds,
    "it costs no accuracy": _at_least(-LARGEST_AUROC_PRICE, "auroc_against_untaught"),
}

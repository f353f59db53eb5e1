"""What is said of a model's attention follows from what was measured of it, and from nothing else."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any

import pytest

from ACNetLib.models.attention_measures import attention_measures, is_validated
from ACNetLib.models.card import ModelCard
from ACNetLib.report.wording import attention_text
from conftest import a_card


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


WHERE = {
    "wall_over_slice": estimate(6.0),
    "wall_over_cavity": estimate(12.0),
    "mean_map_wall_over_slice": estimate(3.2),
}
GOOD: dict[str, Any] = {
    "where": {"normal": WHERE, "dcm": WHERE},
    "pointing_game": estimate(0.97),
    "deletion": estimate(6.0),
    "follows_a_shift": estimate(0.98),
    "follows_a_turn": estimate(0.95),
    "other_seeds": [estimate(0.9), estimate(0.85)],
    "auroc_lost": {"mean_masks": estimate(0.03), "no_masks": estimate(0.15)},
    "auroc_against_untaught": estimate(-0.001),
    "randomised": -0.05,
}


def measured(values: dict[str, Any]) -> ModelCard:
    return replace(a_card("measured"), metrics={"attention": {"measured": values}})


def test_a_model_that_reaches_every_measure_is_validated() -> None:
    assert is_validated(measured(GOOD))
    assert "is validated as an explanation" in attention_text(measured(GOOD))


@pytest.mark.parametrize(
    ("path", "value", "name"),
    [
        (("where", "dcm", "wall_over_slice", "value"), 3.9, "it lies on the wall"),
        (("where", "normal", "wall_over_slice", "low"), 3.1, "it lies on the wall"),
        (("where", "dcm", "wall_over_cavity", "value"), 2.0, "it is low in the cavity"),
        (("pointing_game", "value"), 0.89, "it points at the wall"),
        (("deletion", "value"), 2.9, "what it marks moves the answer"),
        (("follows_a_shift", "value"), 0.8, "it follows a shift"),
        (("follows_a_turn", "value"), 0.8, "it follows a turn"),
        (("other_seeds", 1, "value"), 0.7, "other trainings make the same"),
        (("auroc_lost", "mean_masks", "value"), 0.01, "the decision needs it to be this patient's"),
        (("auroc_lost", "no_masks", "value"), 0.01, "the decision needs it"),
        (("auroc_against_untaught", "value"), -0.01, "it costs no accuracy"),
        (("randomised",), -0.5, "random weights make another"),
    ],
)
def test_one_measure_that_is_missed_is_enough_and_is_named(path: tuple[Any, ...], value: float, name: str) -> None:
    values = copy.deepcopy(GOOD)
    inner: Any = values
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    card = measured(values)
    assert [measure.name for measure in attention_measures(card) if not measure.met] == [name]
    text = attention_text(card)
    assert "Attention is not validated as an explanation" in text
    assert f"meets 10; misses: {name}." in text


@pytest.mark.parametrize("missing", ["other_seeds", "auroc_against_untaught", "where", "randomised"])
def test_what_has_not_been_measured_is_not_passed(missing: str) -> None:
    card = measured({name: value for name, value in GOOD.items() if name != missing})
    assert not is_validated(card)
    assert "not measured: " in attention_text(card)


def test_a_model_that_nobody_measured_says_so() -> None:
    text = attention_text(a_card("unmeasured"))
    assert text.startswith("Attention is not validated as an explanation")
    assert text.endswith("It has not been measured for this model.")

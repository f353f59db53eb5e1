"""Probabilities at another prevalence, and the rule of the verdict."""

from __future__ import annotations

import math

import pytest

from ACNetLib.errors import ACNetError
from ACNetLib.inference.probability import at_prevalence, check_prevalence, log_odds_of, sigmoid
from ACNetLib.inference.verdict import verdict


@pytest.mark.parametrize("probability", [1e-6, 0.2, 0.5, 0.93])
def test_log_odds_and_probability_are_each_others_inverse(probability: float) -> None:
    assert sigmoid(log_odds_of(probability)) == pytest.approx(probability)


@pytest.mark.parametrize(("log_odds", "expected"), [(-800.0, 0.0), (800.0, 1.0)])
def test_log_odds_of_any_size_give_a_probability(log_odds: float, expected: float) -> None:
    assert sigmoid(log_odds) == expected


def test_another_prevalence_follows_bayes_rule() -> None:
    """A finding ten times as frequent in DCM, in a population with one DCM in five: 0.2 * 10 / (0.2 * 10 + 0.8)."""
    log_odds = math.log(10) + log_odds_of(0.3)
    assert sigmoid(at_prevalence(log_odds, 0.3, 0.2)) == pytest.approx(2.0 / 2.8)
    assert at_prevalence(log_odds, 0.3, 0.3) == pytest.approx(log_odds)


@pytest.mark.parametrize("prevalence", [0.0, 1.0, -1.0, 15.0, math.nan])
def test_what_is_no_share_of_the_examined_is_refused(prevalence: float) -> None:
    with pytest.raises(ACNetError, match=r"^prevalence: found .*; expected the share of DCM"):
        check_prevalence(prevalence)


@pytest.mark.parametrize(
    ("probability", "expected"),
    [(0.0, "normal"), (0.199, "normal"), (0.2, "uncertain"), (0.799, "uncertain"), (0.8, "dcm")],
)
def test_the_verdict_is_uncertain_within_the_range(probability: float, expected: str) -> None:
    assert verdict(probability, (0.2, 0.8)) == expected


def test_an_empty_range_leaves_no_verdict_uncertain() -> None:
    assert [verdict(probability, (0.5, 0.5)) for probability in (0.49, 0.5)] == ["normal", "dcm"]

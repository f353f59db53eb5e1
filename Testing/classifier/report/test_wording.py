"""How verdicts and numbers are said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ACNetLib.report.wording import coverage_text, probability_text, quantity_text, share_text, verdict_rule
from conftest import a_card


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.0, "<0.001"), (0.0004, "<0.001"), (0.5, "0.500"), (0.9994, "0.999"), (0.9996, ">0.999"), (1.0, ">0.999")],
)
def test_no_probability_is_said_to_be_0_or_1(probability: float, text: str) -> None:
    assert probability_text(probability) == text


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.7994, "0.799"),
        (0.7996, "0.7996"),
        (0.79996, "0.79996"),
        (0.8, "0.800"),
        (0.8004, "0.800"),
        (0.1997, "0.1997"),
        (0.2003, "0.200"),
    ],
)
def test_a_rounded_probability_lies_on_its_side_of_the_verdicts_limits(probability: float, text: str) -> None:
    assert probability_text(probability, (0.2, 0.8)) == text


@pytest.mark.parametrize("limits", [(0.07, 0.83), (0.17, 0.5), (0.2, 0.8)])
def test_a_probability_just_beside_a_limit_is_said_with_as_many_decimals_as_it_takes(
    limits: tuple[float, float],
) -> None:
    for limit in limits:
        for probability in (np.nextafter(limit, 0), limit, np.nextafter(limit, 1)):
            assert (float(probability_text(float(probability), limits)) < limit) == (probability < limit)


def test_a_measure_that_is_not_known_is_a_dash_without_unit() -> None:
    assert quantity_text(float("nan"), "ms") == "-"
    assert quantity_text(6.94, "mm", 1) == "6.9 mm"
    assert quantity_text(1043.2) == "1043"


def test_a_small_share_is_not_rounded_to_nothing() -> None:
    assert [share_text(share) for share in (0.004, 0.07, 0.5)] == ["0.4 %", "7 %", "50 %"]


def test_a_rule_without_an_uncertain_range_does_not_speak_of_one() -> None:
    assert verdict_rule((0.5, 0.5)) == "normal below a probability of 0.5, DCM from 0.5 on"


def test_coverage_is_told_where_it_was_measured() -> None:
    share = {"value": 0.912, "low": 0.87, "high": 0.94}
    measured = {"level": 0.9, "home": {"coverage": share, "one_class": share}, "abroad": {"coverage": share}}
    card = replace(a_card("covered"), metrics={"coverage": measured})
    assert coverage_text(card).startswith(
        "91.2 % of patients like those of the training, 91.2 % of others (target 90 %)"
    )
    assert coverage_text(a_card("unmeasured")) == ""

"""How verdicts and numbers are said."""

from __future__ import annotations

import pytest

from ACNetLib.report.wording import probability_text, quantity_text, share_text, verdict_rule


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0.0, "<0.001"), (0.0004, "<0.001"), (0.5, "0.500"), (0.9994, "0.999"), (0.9996, ">0.999"), (1.0, ">0.999")],
)
def test_no_probability_is_said_to_be_0_or_1(probability: float, text: str) -> None:
    assert probability_text(probability) == text


def test_a_measure_that_is_not_known_is_a_dash_without_unit() -> None:
    assert quantity_text(float("nan"), "ms") == "-"
    assert quantity_text(6.94, "mm", 1) == "6.9 mm"
    assert quantity_text(1043.2) == "1043"


def test_a_small_share_is_not_rounded_to_nothing() -> None:
    assert [share_text(share) for share in (0.004, 0.07, 0.5)] == ["0.4 %", "7 %", "50 %"]


def test_a_rule_without_an_uncertain_range_does_not_speak_of_one() -> None:
    assert verdict_rule((0.5, 0.5)) == "normal below a probability of 0.5, DCM from 0.5 on"

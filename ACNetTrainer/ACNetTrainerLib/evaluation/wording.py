"""How a measure is written beside its 95 % interval, and whether the patients were new to the model."""

from __future__ import annotations

from collections.abc import Mapping

CHECKED = "checked"
OTHER_LIBRARY = (
    "can't be checked: its card does not name this case library as that of its training patients, and of those of "
    "another one only the same images are recognized"
)
NOT_TOLD = "can't be checked: its card does not say who all its training patients were"
"""`patients_unseen` in a result."""

HALF_UP = 1e-6
"""Without it 2.5 % would be written as 2, and 3.5 % as 4."""


def half_up(value: float) -> str:
    """A number that is not below zero, without decimals."""
    return f"{value + HALF_UP:.0f}"


def estimate_text(estimate: Mapping[str, float]) -> str:
    """A value, low and high, in three decimals."""
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def percent_text(share: Mapping[str, float]) -> str:
    """A share, low and high, in whole percent without the sign."""
    value, low, high = (half_up(100 * share[name]) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"

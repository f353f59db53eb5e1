"""How a measure is written beside its 95 % interval."""

from __future__ import annotations

from collections.abc import Mapping


def estimate_text(estimate: Mapping[str, float]) -> str:
    """A value, low and high, in three decimals."""
    return f"{estimate['value']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f})"


def percent_text(share: Mapping[str, float]) -> str:
    """A share, low and high, in whole percent without the sign."""
    return f"{100 * share['value']:.0f} ({100 * share['low']:.0f} to {100 * share['high']:.0f})"

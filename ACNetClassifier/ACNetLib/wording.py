"""How verdicts and numbers are said in the files of a result: in its pictures, its page and result.json."""

from __future__ import annotations

import math

from ACNetLib.probability import Verdict

VERDICT_WORDS: dict[Verdict, str] = {"normal": "normal", "uncertain": "uncertain", "dcm": "DCM"}
UNKNOWN = "-"


def probability_text(probability: float) -> str:
    """Three decimals; never 0 or 1, which no network can know."""
    if probability < 0.0005:
        return "<0.001"
    return ">0.999" if probability >= 0.9995 else f"{probability:.3f}"


def quantity_text(value: float, unit: str = "", decimals: int = 0) -> str:
    """A measure with its unit, "-" where it is NaN."""
    return UNKNOWN if math.isnan(value) else f"{value:.{decimals}f} {unit}".rstrip()


def share_text(share: float) -> str:
    return f"{100 * share:g} %"


def verdict_rule(uncertain_range: tuple[float, float]) -> str:
    """The rule of `probability.verdict` in words."""
    low, high = uncertain_range
    between = f"uncertain from {low:g} to below {high:g}, " if low < high else ""
    return f"normal below a probability of {low:g}, {between}DCM from {high:g} on"

"""A site's own normal T1: what healthy volunteers have on its scanner, with its sequence.

T1 differs between scanners and sequences, so it is read against the site's own normals and not against a table (SCMR's
consensus, Messroghli 2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ACNetLib.errors import ACNetError

MEAN_RANGE_MS, SD_RANGE_MS = (700.0, 1700.0), (10.0, 150.0)
"""Where native septal T1 of healthy volunteers can lie: from ShMOLLI at 1.5 T to SASHA at 3 T, with room. Their SD is
20 to 40 ms."""


@dataclass(frozen=True)
class ReferenceT1:
    """Native septal T1 of healthy volunteers: its mean and, if known, its standard deviation.

    source: whether it was given with the map, or remembered for its scanner, and there for its sequence: else that may
    be another one. Raises ACNetError for values that no such T1 has.
    """

    mean_ms: float
    sd_ms: float | None = None
    source: Literal["given", "remembered", "remembered for its sequence"] = "given"

    def __post_init__(self) -> None:
        for name, value, (low, high) in (("a mean", self.mean_ms, MEAN_RANGE_MS), ("an SD", self.sd_ms, SD_RANGE_MS)):
            if value is not None and not low <= value <= high:
                raise ACNetError(
                    f"reference T1: found {name} of {value:g} ms; expected {low:g} to {high:g} ms, as native septal "
                    "T1 of healthy volunteers has."
                )

    def z_score(self, septal_t1_ms: float) -> float:
        """How many standard deviations a septal T1 lies above the mean; NaN where one of the two is not known."""
        return math.nan if self.sd_ms is None else (septal_t1_ms - self.mean_ms) / self.sd_ms


def parse_reference(text: str) -> ReferenceT1:
    """What a person writes as MEAN or MEAN,SD in ms. Raises ACNetError for anything else."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    try:
        match numbers:
            case [mean]:
                return ReferenceT1(mean)
            case [mean, sd]:
                return ReferenceT1(mean, sd)
    except ACNetError as error:
        point = "A comma stands between mean and SD; decimals have a point: 1012.5,28."
        raise ACNetError(*error.args, cli=point) from error
    raise ACNetError(f"reference T1: found '{text}'; expected MEAN or MEAN,SD in ms, such as 1012,28.")

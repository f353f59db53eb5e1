"""One measured number of the simulation and the band that it must lie in."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """One measured number, the band that it must lie in, and the figure from life or the demand behind the band."""

    group: str
    name: str
    value: float
    low: float
    high: float
    reference: str

    @property
    def within(self) -> bool:
        return self.low <= self.value <= self.high

    def to_json(self) -> dict[str, Any]:
        rounded = {name: round(getattr(self, name), 4) for name in ("value", "low", "high")}
        return {**asdict(self), **rounded, "within": self.within}

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
        """As the numbers are written, to four digits."""
        value, low, high = self._rounded()
        return low <= value <= high

    def to_json(self) -> dict[str, Any]:
        value, low, high = self._rounded()
        return {**asdict(self), "value": value, "low": low, "high": high, "within": self.within}

    def _rounded(self) -> tuple[float, float, float]:
        return round(self.value, 4), round(self.low, 4), round(self.high, 4)

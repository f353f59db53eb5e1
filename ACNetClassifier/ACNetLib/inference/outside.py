"""Whether a study is unlike the hearts that a model was trained on: by the network's features, or by its shape.

Three values of each slice are held against limits: the network's own score, the wall and the right ventricle beside the
left ventricle's cavity. A study is unlike where the mean of one of them over its slices is above its limit. The limits
are set together, so that of the normal patients whom the training held back, and of those with DCM, one in twenty is
called unlike by any of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ACNetLib.ventricle.shape import HeartShape

SENTENCES = {
    "score": "The score of the network's features is {value:.2f}, above the limit of {limit:.2f}.",
    "relative_wall": "The thickest sixth of its wall is {value:.2f} of the cavity's radius, above {limit:.2f}.",
    "rv_to_lv": "Its right ventricle has {value:.2f} of the left one's area, above {limit:.2f}.",
}
"""What is said of each value above its limit."""


@dataclass(frozen=True)
class OutsideLimits:
    """Of the mean over one slice, over two, ...; the last one also of more. Empty where the model can't tell.

    score: of the network, see ACNetLib.networks.outside. relative_wall, rv_to_lv: see ACNetLib.ventricle.shape.
    """

    score: tuple[float, ...] = ()
    relative_wall: tuple[float, ...] = ()
    rv_to_lv: tuple[float, ...] = ()


@dataclass(frozen=True)
class LimitsByCall:
    """Of the studies that the model calls normal, and of those that it calls DCM, where it has to be one of the two.

    A normal wall and a normal right ventricle are larger beside a normal cavity than they are beside a dilated one: one
    limit for both lets thick walls pass as DCM.
    """

    normal: OutsideLimits = field(default_factory=OutsideLimits)
    dcm: OutsideLimits = field(default_factory=OutsideLimits)

    def of(self, called_dcm: bool) -> OutsideLimits:
        return self.dcm if called_dcm else self.normal


def values_of_slices(scores: Sequence[float], shapes: Sequence[HeartShape]) -> dict[str, list[float]]:
    """Of each slice, by the names of OutsideLimits; NaN where a value is not known."""
    return {
        "score": list(scores),
        "relative_wall": [shape.relative_wall for shape in shapes],
        "rv_to_lv": [shape.rv_to_lv for shape in shapes],
    }


def above(values: Sequence[float], limits: Sequence[float]) -> tuple[float, float] | None:
    """The mean of the values that are known, and the limit for so many, where the mean is above it; else None."""
    known = [value for value in values if not math.isnan(value)]
    if not known or not limits:
        return None
    mean, limit = fmean(known), limits[min(len(known), len(limits)) - 1]
    return (mean, limit) if mean > limit else None


def unlike(values: Mapping[str, Sequence[float]], limits: OutsideLimits) -> tuple[str, ...]:
    """A sentence for each value that is above its limit, by the names of OutsideLimits; none where all are like."""
    found = {name: above(values[name], of_name) for name, of_name in vars(limits).items()}
    return tuple(
        SENTENCES[name].format(value=mean_and_limit[0], limit=mean_and_limit[1])
        for name, mean_and_limit in found.items()
        if mean_and_limit is not None
    )

"""A study's result as plain data, and how its sections' log odds become one probability.

It needs no torch: a result that was opened with a scene can be pooled again where the network can't run.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError
from ACNetLib.measures import SectionMeasures
from ACNetLib.probability import Verdict, at_prevalence, calibrated, sigmoid, verdict
from ACNetLib.section import SectionGrid
from ACNetLib.t1map import T1Map
from ACNetLib.ventricle import LabelArray

if TYPE_CHECKING:  # model.py imports torch
    from ACNetLib.device import DeviceChoice
    from ACNetLib.model import ModelCard

RANGE_SHIFT_MM, RANGE_TURN_DEGREES = 3.0, 5.0
"""How far the sections are moved and turned to see how much the probability depends on it."""


@dataclass(frozen=True)
class SectionResult:
    """What the network says of one section.

    log_odds: calibrated, at the study's prevalence. network_log_odds: the network's own, of the section as it is, then
    moved or turned a little. confidence: of the localizer, 1 where a person gave the centre. measures: None where the
    wall is not known. wall_attention: mean combined attention in the myocardium relative to that in the whole section;
    NaN where the wall is not known.
    """

    section: int
    grid: SectionGrid
    probability_dcm: float
    verdict: Verdict
    log_odds: float
    network_log_odds: tuple[float, ...]
    outside_fraction: float
    confidence: float
    measures: SectionMeasures | None
    wall_attention: float
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Pooling:
    """What turns the log odds of sections into the probability of their study."""

    temperatures: tuple[float, ...]
    training_prior_dcm: float
    prevalence_dcm: float
    uncertain_range: tuple[float, float]


@dataclass(frozen=True)
class Pooled:
    """A study's probability, its lowest and highest value when the sections are moved or turned, and the verdict."""

    probability_dcm: float
    stability: tuple[float, float]
    verdict: Verdict


def pool(network_log_odds: Sequence[Sequence[float]], pooling: Pooling) -> Pooled:
    """One probability from the mean log odds of the sections, one sequence each as in SectionResult.

    Of a single section it is that section's own.

    Raises ACNetError when no section is left.
    """
    if not network_log_odds:
        raise ACNetError("sections: all are left out; expected at least one that counts.")
    log_odds, *around = (
        at_prevalence(
            calibrated(fmean(each), len(each), pooling.temperatures, pooling.training_prior_dcm),
            pooling.training_prior_dcm,
            pooling.prevalence_dcm,
        )
        for each in zip(*network_log_odds, strict=True)
    )
    probability = sigmoid(log_odds)
    return Pooled(
        probability,
        (sigmoid(min(log_odds, *around)), sigmoid(max(log_odds, *around))),
        verdict(probability, pooling.uncertain_range),
    )


@dataclass(frozen=True, eq=False)
class StudyResult:
    """The result for one T1 map.

    sections: those on which the left ventricle is known; the others are named in `warnings` and count for nothing.
    left_out: the sections among them that a reader left out of the study's probability.
    probability_dcm: of the study at `prevalence_dcm`, from the mean log odds of the sections that count.
    stability: its lowest and highest value when the sections are moved by 3 mm or turned by 5 degrees.
    attention, bands: by map name, (sections, rows, columns) on the T1 map's grid; attention is in (0, 1), bands are 1
    to 5, and both are 0 outside the section grids. ventricle: labels of ACNetLib.ventricle on the same grid.
    center_source: "localizer", "point" or "segmentation". field_mismatch: whether the model is for another field
    strength than the map's.
    """

    t1_map: T1Map
    sections: tuple[SectionResult, ...]
    left_out: tuple[int, ...]
    probability_dcm: float
    stability: tuple[float, float]
    verdict: Verdict
    prevalence_dcm: float
    attention: dict[str, NDArray[np.float32]]
    bands: dict[str, NDArray[np.uint8]]
    ventricle: LabelArray
    card: ModelCard
    localizer: str
    device: DeviceChoice
    center_source: str
    field_mismatch: bool
    warnings: tuple[str, ...]

    def leaving_out(self, sections: Collection[int]) -> StudyResult:
        """The result that counts without these sections. Raises ACNetError when none would be left."""
        counting = [each.network_log_odds for each in self.sections if each.section not in sections]
        pooled = pool(counting, pooling_of(self.card, self.prevalence_dcm))
        left_out = tuple(each.section for each in self.sections if each.section in sections)
        return replace(self, left_out=left_out, **vars(pooled))


def pooling_of(card: ModelCard, prevalence_dcm: float) -> Pooling:
    return Pooling(card.temperatures, card.training_prior_dcm, prevalence_dcm, card.uncertain_range)

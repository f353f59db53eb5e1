"""A study's result as plain data, and how its sections' log odds become one probability.

It needs no torch: a result that was opened with a scene can be pooled again where the network can't run.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError
from ACNetLib.inference.probability import Verdict, at_prevalence, calibrated, sigmoid, verdict
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.t1map.section import SectionGrid
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import LabelArray
from ACNetLib.ventricle.measures import SectionMeasures

if TYPE_CHECKING:  # model.py imports torch
    from ACNetLib.inference.device import DeviceChoice
    from ACNetLib.models.model import ModelCard

RANGE_SHIFT_MM, RANGE_TURN_DEGREES = 3.0, 5.0
"""How far the sections are moved and turned to see how much the probability depends on it."""


@dataclass(frozen=True)
class SectionResult:
    """What the network says of one section.

    log_odds: calibrated, at the study's prevalence. network_log_odds: the network's own, of the section as it is, then
    moved and turned a little. confidence: of the localizer, 1 where a person gave the centre. measures: None where the
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
    """A study's probability, its lowest and highest value when the slices are moved and turned, and the verdict."""

    probability_dcm: float
    stability: tuple[float, float]
    verdict: Verdict


def pool(network_log_odds: Sequence[Sequence[float]], pooling: Pooling) -> Pooled:
    """One probability from the mean log odds of the sections, one sequence each as in SectionResult.

    Of a single section it is that section's own.

    Raises ACNetError when no section is left.
    """
    if not network_log_odds:
        raise ACNetError("slices: all are left out; expected at least one that counts.")
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
    stability: its lowest and highest value when the sections are moved by 3 mm and turned by 5 degrees.
    attention, bands: by map name, (sections, rows, columns) on the T1 map's grid; attention is in (0, 1), bands are 1
    to 5, and both are 0 outside the section grids. ventricle: labels of ACNetLib.ventricle.labels on the same grid.
    center_source: "localizer", "point" or "segmentation". field_mismatch: whether the model is for another field
    strength than the map's. reference: the normal T1 of the map's scanner, None where it is not known.
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
    reference: ReferenceT1 | None = None

    @property
    def uncertain_range(self) -> tuple[float, float]:
        """The verdict's rule, as far as the site's own normal T1 is known."""
        return uncertain_range_of(self.card, self.reference)

    @property
    def t1_factor(self) -> float:
        """What T1 was multiplied by before the networks saw it."""
        return t1_factor(self.card, self.reference)

    @property
    def septal_t1_ms(self) -> float:
        """The median over the sections that count, NaN where it is not known."""
        counting = [each.measures for each in self.sections if each.section not in self.left_out]
        return median_of_known(each.septal_t1_ms for each in counting if each is not None)

    def septal_z(self, septal_t1_ms: float) -> float:
        """The z-score of a septal T1 against the reference, NaN where one of the two is not known."""
        return math.nan if self.reference is None else self.reference.z_score(septal_t1_ms)

    def leaving_out(self, sections: Collection[int]) -> StudyResult:
        """The result that counts without these sections. Raises ACNetError when none would be left."""
        counting = [each.network_log_odds for each in self.sections if each.section not in sections]
        pooled = pool(counting, pooling_of(self.card, self.prevalence_dcm, self.reference))
        left_out = tuple(each.section for each in self.sections if each.section in sections)
        return replace(self, left_out=left_out, **vars(pooled))


def pooling_of(card: ModelCard, prevalence_dcm: float, reference: ReferenceT1 | None) -> Pooling:
    uncertain_range = uncertain_range_of(card, reference)
    return Pooling(card.temperatures, card.training_prior_dcm, prevalence_dcm, uncertain_range)


def t1_factor(card: ModelCard, reference: ReferenceT1 | None) -> float:
    """What brings T1 of the reference's scanner to that of the model's training; 1 where a normal is not known."""
    if reference is None or card.normal_t1_ms is None:
        return 1.0
    return card.normal_t1_ms[0] / reference.mean_ms


def uncertain_range_of(card: ModelCard, reference: ReferenceT1 | None) -> tuple[float, float]:
    """The rule for a map that the model sees in the scale of its training, or the wider one for any other map."""
    if reference is not None and card.normal_t1_ms is not None:
        return card.uncertain_range
    return card.uncertain_range_without_reference or card.uncertain_range


def median_of_known(values: Iterable[float]) -> float:
    """NaN where none is known. Of the slices of a study: base and apex, which see more blood, have no say alone."""
    known = [value for value in values if not math.isnan(value)]
    return median(known) if known else math.nan

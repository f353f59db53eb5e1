"""The limits of the third answer, set together on patients whom the training held back.

Any of three values can make a study unlike the training's hearts. Each gets a part of the false alarms; how large they
are in all follows from how often they coincide. Hearts that the model calls normal and hearts that it calls DCM have
limits of their own: ACNetLib.inference.outside says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.outside import LimitsByCall, OutsideLimits, above, values_of_slices
from ACNetLib.inference.pipeline import load_finder
from ACNetLib.models.card import ModelCard, read_card
from ACNetLib.models.store import model_for_field
from ACNetLib.networks.outside import MOST_SLICES
from ACNetLib.ventricle.shape import HeartShape, shape_of

from ..cases.library import Case, CaseLibrary, patients_by_label

FEWEST_FOR_LIMITS = 40
"""Of each class. A limit lies below the largest value of those who set it, so wall and right ventricle each call one of
them unlike at least: of 20 patients twice as many as FALSE_ALARMS."""
FALSE_ALARMS = 0.05
"""Of the held-back normal patients, and of those with DCM, at most so many are called unlike the training's hearts."""
PARTS = {"score": 1, "relative_wall": 1, "rv_to_lv": 3}
"""Of the false alarms. Healthy right ventricles differ most, and nothing else tells an overloaded one."""
LARGEST_PART = max(PARTS.values())
STEPS = 100

FloatArray = NDArray[np.float64]
Values = Mapping[str, Sequence[float]]
"""Of one patient, the values of each slice by the names of OutsideLimits."""


@dataclass(frozen=True)
class Judged:
    """A patient, what the model calls the study where it has to be DCM or normal, and the values of its slices."""

    is_dcm: bool
    called_dcm: bool
    values: Values

    def is_unlike(self, limits: LimitsByCall) -> bool:
        """By any of the values."""
        return any(above(self.values[name], of_name) for name, of_name in vars(limits.of(self.called_dcm)).items())


@dataclass(frozen=True)
class Means:
    """Means over slices of many patients (n,), and what each weighs (n,)."""

    values: FloatArray
    weights: FloatArray

    def quantile(self, share: float) -> float:
        """Between two values by where this share of the weights lies between their middles: with the same weight for
        all, numpy's quantile."""
        order = np.argsort(self.values)
        middles = np.cumsum(self.weights[order]) - self.weights[order] / 2
        return float(np.interp(middles[0] + share * (middles[-1] - middles[0]), middles, self.values[order]))


def limits_by_shape(
    library: CaseLibrary,
    cases: Sequence[Case],
    called_dcm: Mapping[str, bool],
    parent: ModelCard | None,
    device: DeviceChoice,
) -> tuple[LimitsByCall, str]:
    """The limits of a new model, which has no score yet, from the held-back cases as the shipped localizer finds them.

    called_dcm: whether the model calls the patient DCM, where it has to be DCM or normal. Of fewer patients of a class
    than FEWEST_FOR_LIMITS those of the parent are taken, else of the shipped model for the cases' field strength: no
    network and no scanner's T1 is in them. Returned with that model's name, "" for limits of its own.
    """
    is_dcm = {case.patient: case.is_dcm for case in cases}
    if min(map(len, patients_by_label(cases).values())) < FEWEST_FOR_LIMITS:
        lender = parent
        if lender is None or not lender.outside_limits.normal.relative_wall:
            lender = read_card(model_for_field(cases[0].field_strength_tesla))
        lent = lender.outside_limits
        return LimitsByCall(replace(lent.normal, score=()), replace(lent.dcm, score=())), lender.name
    localizer = load_finder(device=device.device)
    shapes: dict[str, list[HeartShape]] = {patient: [] for patient in is_dcm}
    for case in cases:
        t1_map = library.t1_map(case)
        (ventricle,) = localizer.locate(t1_map)
        if ventricle.confidence >= localizer.confidence_threshold:
            shapes[case.patient].append(shape_of(t1_map, ventricle))
    no_score = float("nan")
    judged = [
        Judged(is_dcm[patient], called_dcm[patient], values_of_slices([no_score] * len(each), each))
        for patient, each in shapes.items()
    ]
    return fit_limits(judged), ""


def fit_limits(patients: Sequence[Judged]) -> LimitsByCall:
    """The lowest limits, by PARTS, at which of each class FALSE_ALARMS of these patients or fewer are called unlike.

    Those of a class who are called it set its limits. Who is called the other one has that one's, and counts, too.
    """
    normal, dcm = (
        _means([each.values for each in patients if each.is_dcm == each.called_dcm == is_dcm])
        for is_dcm in (False, True)
    )
    for alarms in np.linspace(FALSE_ALARMS, FALSE_ALARMS / STEPS, STEPS):
        limits = LimitsByCall(_limits(normal, alarms), _limits(dcm, alarms))
        if max(_share_unlike(patients, limits, is_dcm) for is_dcm in (False, True)) <= FALSE_ALARMS:
            break
    return limits


def _means(patients: Sequence[Values]) -> dict[str, list[Means]]:
    """By value, over the slices on which it is known."""
    return {
        name: means_by_count([[value for value in values[name] if not np.isnan(value)] for values in patients])
        for name in PARTS
    }


def means_by_count(patients: Sequence[Sequence[float] | FloatArray]) -> list[Means]:
    """Of one slice's value, of two, of three: the mean over every choice of so many of a patient's slices. All choices
    of a patient weigh as much as those of any other, however many slices there are."""
    return [_means_of(patients, count) for count in range(1, MOST_SLICES + 1)]


def _means_of(patients: Sequence[Sequence[float] | FloatArray], count: int) -> Means:
    of_patients = [[float(np.mean(some)) for some in combinations(values, count)] for values in patients]
    return Means(
        np.array([mean for each in of_patients for mean in each]),
        np.array([1 / len(each) for each in of_patients for _ in each]),
    )


def limits_by_count(means: Sequence[Means], share: float) -> tuple[float, ...]:
    """What this share of the means exceeds; none for more slices than any patient has."""
    return tuple(round(of_count.quantile(1 - share), 4) for of_count in means if of_count.values.size)


def _limits(means: Mapping[str, Sequence[Means]], alarms: float) -> OutsideLimits:
    """What this share of the means exceeds, of the largest part; none where none is known."""
    return OutsideLimits(
        **{name: limits_by_count(means[name], alarms * part / LARGEST_PART) for name, part in PARTS.items()}
    )


def _share_unlike(patients: Sequence[Judged], limits: LimitsByCall, is_dcm: bool) -> float:
    return float(np.mean([each.is_unlike(limits) for each in patients if each.is_dcm == is_dcm]))

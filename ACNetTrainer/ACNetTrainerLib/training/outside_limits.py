"""The limits of the third answer, set together on patients whom the training held back.

Any of three values can make a study unlike the training's hearts. Each gets a part of the false alarms; how large they
are in all follows from how often they coincide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.outside import OutsideLimits, above, values_of_slices
from ACNetLib.inference.pipeline import load_finder
from ACNetLib.models.card import ModelCard, read_card
from ACNetLib.models.store import model_for_field
from ACNetLib.ventricle.shape import HeartShape, shape_of

from ..cases.library import Case, CaseLibrary

FALSE_ALARMS = 0.05
"""Of held-back patients, normal and DCM alike, at most so many are called unlike the training's hearts."""
PARTS = {"score": 1, "relative_wall": 1, "rv_to_lv": 3}
"""Of the false alarms. Healthy right ventricles differ most, and nothing else tells an overloaded one."""
LARGEST_PART = max(PARTS.values())
STEPS = 100
MOST_SLICES = 3
FEWEST_PATIENTS = 20
"""Fewer held-back ones tell nothing of what one in twenty has."""

FloatArray = NDArray[np.float64]
Values = Mapping[str, Sequence[float]]
"""Of one patient, the values of each slice by the names of OutsideLimits."""


def limits_by_shape(
    library: CaseLibrary, cases: Sequence[Case], parent: ModelCard | None, device: DeviceChoice
) -> tuple[OutsideLimits, str]:
    """The limits of a new model, which has no score yet, from the held-back cases as the shipped localizer finds them.

    Of fewer patients than FEWEST_PATIENTS those of the parent are taken, else of the shipped model for the cases' field
    strength: no network and no scanner's T1 is in them. Returned with that model's name, "" for limits of its own.
    """
    patients = dict.fromkeys(case.patient for case in cases)
    if len(patients) < FEWEST_PATIENTS:
        lender = parent
        if lender is None or not lender.outside_limits.relative_wall:
            lender = read_card(model_for_field(cases[0].field_strength_tesla))
        return replace(lender.outside_limits, score=()), lender.name
    localizer = load_finder(device=device.device)
    shapes: dict[str, list[HeartShape]] = {patient: [] for patient in patients}
    for case in cases:
        t1_map = library.t1_map(case)
        (ventricle,) = localizer.locate(t1_map)
        if ventricle.confidence >= localizer.confidence_threshold:
            shapes[case.patient].append(shape_of(t1_map, ventricle))
    return fit_limits([values_of_slices([float("nan")] * len(each), each) for each in shapes.values()]), ""


def fit_limits(patients: Sequence[Values]) -> OutsideLimits:
    """The lowest limits, by PARTS, at which FALSE_ALARMS of these patients or fewer are called unlike."""
    means = {name: [_known_means(patients, name, count) for count in range(1, MOST_SLICES + 1)] for name in PARTS}
    for alarms in np.linspace(FALSE_ALARMS, FALSE_ALARMS / STEPS, STEPS):
        limits = OutsideLimits(**{name: _limits(means[name], alarms * PARTS[name] / LARGEST_PART) for name in PARTS})
        if np.mean([is_unlike(values, limits) for values in patients]) <= FALSE_ALARMS:
            break
    return limits


def _known_means(patients: Sequence[Values], name: str, count: int) -> FloatArray:
    """Of the value over every choice of so many of a patient's slices on which it is known."""
    known = [[value for value in values[name] if not np.isnan(value)] for values in patients]
    return np.array([np.mean(some) for values in known for some in combinations(values, count)])


def _limits(means: Sequence[FloatArray], alarms: float) -> tuple[float, ...]:
    """What this share of the means of one slice, of two, of three exceeds; none where none is known."""
    return tuple(round(float(np.quantile(of_count, 1 - alarms)), 4) for of_count in means if of_count.size)


def is_unlike(values: Values, limits: OutsideLimits) -> bool:
    """By any of the values."""
    return any(above(values[name], of_name) for name, of_name in vars(limits).items())

"""The limits of the third answer, set together on patients whom the training held back.

They are seen as the whole software sees them, found by the localizer. Any of three values can make a study unlike the
training's hearts. Each gets a part of the false alarms; how large they are in all follows from how often they coincide.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from ACNetLib.errors import ACNetError
from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.outside import OutsideLimits, above
from ACNetLib.inference.result import StudyResult
from ACNetLib.models.card import ModelCard

from ..cases.library import CaseLibrary
from ..evaluation.metrics import share_estimate
from ..training.split import split_patients
from .answers import answer, maps_of_patients

FALSE_ALARMS = 0.05
"""Of held-back patients, normal and DCM alike, at most so many are called unlike the training's hearts."""
PARTS = {"score": 1, "relative_wall": 1, "rv_to_lv": 3}
"""Of the false alarms. Healthy right ventricles differ most, and nothing else tells an overloaded one."""
LARGEST_PART = max(PARTS.values())
STEPS = 100
MOST_SLICES = 3
FEWEST_PATIENTS = 20

FloatArray = NDArray[np.float64]
Values = Mapping[str, Sequence[float]]
"""Of one patient, the values of each slice by the names of OutsideLimits."""


def held_back(library: CaseLibrary, card: ModelCard) -> CaseLibrary:
    """The patients of a model's training library whom that training held back. Raises ACNetError for too few."""
    optimization = card.training["recipe"]["optimization"]
    _, cases = split_patients(library, optimization["validation_fraction"], optimization["seed"])
    patients = len({case.patient for case in cases})
    if patients < FEWEST_PATIENTS:
        raise ACNetError(f"{library.folder}: {patients} patients are held back; expected {FEWEST_PATIENTS} or more.")
    return CaseLibrary(library.folder, cases)


def slice_values(classifier: Classifier, library: CaseLibrary) -> list[Values]:
    """Of the patients who get an answer."""
    patients = tqdm(list(maps_of_patients(library)), unit="patient", disable=None)
    answers = [answer(classifier, t1_maps) for t1_maps in patients]
    return [_values(each) for each in answers if each is not None]


def _values(result: StudyResult) -> Values:
    return {
        "score": [each.outside_score for each in result.sections],
        "relative_wall": [each.shape.relative_wall for each in result.sections],
        "rv_to_lv": [each.shape.rv_to_lv for each in result.sections],
    }


def fit_limits(patients: Sequence[Values]) -> OutsideLimits:
    """The lowest limits, by PARTS, at which FALSE_ALARMS of these patients or fewer are called unlike."""
    means = {name: [_known_means(patients, name, count) for count in range(1, MOST_SLICES + 1)] for name in PARTS}
    for alarms in np.linspace(FALSE_ALARMS, FALSE_ALARMS / STEPS, STEPS):
        limits = OutsideLimits(**{name: _limits(means[name], alarms * PARTS[name] / LARGEST_PART) for name in PARTS})
        if np.mean([_is_unlike(values, limits) for values in patients]) <= FALSE_ALARMS:
            break
    return limits


def _known_means(patients: Sequence[Values], name: str, count: int) -> FloatArray:
    """Of the value over every choice of so many of a patient's slices on which it is known."""
    known = [[value for value in values[name] if not np.isnan(value)] for values in patients]
    return np.array([np.mean(some) for values in known for some in combinations(values, count)])


def _limits(means: Sequence[FloatArray], alarms: float) -> tuple[float, ...]:
    """What this share of the means of one slice, of two, of three exceeds; none where none is known."""
    return tuple(round(float(np.quantile(of_count, 1 - alarms)), 4) for of_count in means if of_count.size)


def _is_unlike(values: Values, limits: OutsideLimits) -> bool:
    return any(above(values[name], of_name) for name, of_name in vars(limits).items())


def shares_unlike(patients: Sequence[Values], limits: OutsideLimits) -> dict[str, Any]:
    """The share of patients who are called unlike by anything, and by each value, with Wilson 95 % intervals."""
    called = {
        name: sum(above(each[name], of_name) is not None for each in patients) for name, of_name in vars(limits).items()
    }
    called["any"] = sum(_is_unlike(each, limits) for each in patients)
    return {"patients": len(patients), **{name: asdict(share_estimate(n, len(patients))) for name, n in called.items()}}

"""Whether the way in which cases were acquired tells their class: a network can learn that instead of the heart."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from ..evaluation.metrics import auroc
from .library import Case, CaseLibrary

# An acquisition predicts the class when all three hold; the last keeps small samples from false alarms.
FEWEST_PATIENTS = 10
"""Of each class, whose acquisition is known."""
LARGEST_AUROC = 0.7
"""Of the acquisition alone: 0.5 when the classes were acquired alike, 1 when it tells them apart. It does not depend on
how many patients are of which class."""
LARGEST_CHANCE = 0.01
"""How often shuffled labels may show as much."""
SHUFFLES = 2000
RANGES = 4
"""Numbers, such as dates, are compared in ranges of about as many patients each."""


@dataclass(frozen=True)
class Acquisition:
    """How a case's image was acquired, by its file. matrix: columns and rows."""

    matrix: tuple[int, int]
    pixel_mm: float


def acquisition_warnings(library: CaseLibrary, acquisitions: Mapping[str, Acquisition]) -> tuple[str, ...]:
    """A sentence for each property by which patients of the two classes can be told apart.

    `acquisitions` by the names of the cases.
    """
    properties: dict[str, Callable[[Case], str | float | None]] = {
        "field strength": lambda case: f"{case.field_strength_tesla:g} T",
        "source": lambda case: case.source,
        "manufacturer": lambda case: case.manufacturer or None,
        "sequence": lambda case: case.sequence or None,
        "matrix": lambda case: "{} x {}".format(*acquisitions[case.case].matrix),
        "pixel size (mm)": lambda case: acquisitions[case.case].pixel_mm,
        "acquisition date (quarter)": lambda case: case.acquisition_quarter,
    }
    warnings = []
    for name, of_case in properties.items():
        groups, is_dcm = _groups_of_patients(library, of_case)
        if min(is_dcm.sum(), (~is_dcm).sum()) < FEWEST_PATIENTS:
            continue
        separation = separation_by(groups, is_dcm)
        if separation >= LARGEST_AUROC and _chance_of(separation, groups, is_dcm) < LARGEST_CHANCE:
            warnings.append(
                f"Possible confounder: the {name} predicts the class. Alone, it reaches an AUROC of {separation:.2f} "
                f"on {len(groups)} patients; less than {LARGEST_AUROC:g} is expected ({_described(groups, is_dcm)}). "
                "A network can learn that instead of the heart; add cases that were acquired alike, or leave some out."
            )
    return tuple(warnings)


def separation_by(groups: Sequence[str], is_dcm: NDArray[np.bool_]) -> float:
    """The AUROC of guessing each patient's class by the share of DCM in the patient's group. Needs both classes."""
    _, index = np.unique(groups, return_inverse=True)
    shares = np.bincount(index, weights=is_dcm) / np.bincount(index)
    return auroc(shares[index], is_dcm)


def _chance_of(separation: float, groups: Sequence[str], is_dcm: NDArray[np.bool_]) -> float:
    """How often patients with shuffled labels are told apart as well: the shares are known in hindsight only."""
    rng = np.random.default_rng(0)
    as_well = sum(separation_by(groups, rng.permutation(is_dcm)) >= separation for _ in range(SHUFFLES))
    return (as_well + 1) / (SHUFFLES + 1)


def _groups_of_patients(
    library: CaseLibrary, of_case: Callable[[Case], str | float | None]
) -> tuple[list[str], NDArray[np.bool_]]:
    """The group and the class of each patient with a known value: the commonest text, or the range of the median."""
    texts, numbers = defaultdict[str, list[str]](list), defaultdict[str, list[float]](list)
    for case in library.cases:
        match of_case(case):
            case str(text):
                texts[case.patient].append(text)
            case float() | int() as number:
                numbers[case.patient].append(number)
    is_dcm = {case.patient: case.is_dcm for case in library.cases}
    groups = [Counter(each).most_common(1)[0][0] for each in texts.values()]
    groups += _ranges([median(each) for each in numbers.values()])
    return groups, np.array([is_dcm[patient] for patient in [*texts, *numbers]], bool)


def _ranges(numbers: Sequence[float]) -> list[str]:
    """Each number's range; few different numbers stay as they are."""
    if len(set(numbers)) <= RANGES:
        return [f"{number:g}" for number in numbers]
    index = np.digitize(numbers, np.quantile(numbers, np.arange(1, RANGES) / RANGES))
    values = np.array(numbers)
    return [f"{values[index == range_].min():g} to {values[index == range_].max():g}" for range_ in index]


def _described(groups: Sequence[str], is_dcm: NDArray[np.bool_]) -> str:
    """The classes of the largest groups."""
    counts = Counter(zip(groups, is_dcm.tolist(), strict=True))
    largest = sorted(group for group, _ in Counter(groups).most_common(RANGES))
    return "; ".join(f"{group}: {counts[group, False]} normal and {counts[group, True]} dcm" for group in largest)

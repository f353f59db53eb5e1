"""The limits of the third answer as the whole software meets them, and who is above them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tqdm import tqdm

from ACNetLib.errors import ACNetError
from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.outside import OutsideLimits, above, values_of_slices
from ACNetLib.models.card import ModelCard

from ..cases.library import CaseLibrary
from ..evaluation.metrics import share_estimate
from ..training.outside_limits import FEWEST_PATIENTS, Values, is_unlike
from ..training.split import split_patients
from .answers import answer, maps_of_patients


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
    known = [each.sections for each in answers if each is not None]
    return [values_of_slices([one.outside_score for one in each], [one.shape for one in each]) for each in known]


def shares_unlike(patients: Sequence[Values], limits: OutsideLimits) -> dict[str, Any]:
    """The share of patients who are called unlike by anything, and by each value, with Wilson 95 % intervals."""
    called = {
        name: sum(above(each[name], of_name) is not None for each in patients) for name, of_name in vars(limits).items()
    }
    called["any"] = sum(is_unlike(each, limits) for each in patients)
    return {"patients": len(patients), **{name: asdict(share_estimate(n, len(patients))) for name, n in called.items()}}

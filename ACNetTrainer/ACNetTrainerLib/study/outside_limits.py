"""The limits of the third answer as the whole software meets them, and who is above them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from tqdm import tqdm

from ACNetLib.errors import ACNetError
from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.outside import LimitsByCall, above, values_of_slices
from ACNetLib.models.card import ModelCard

from ..cases.library import LABELS, CaseLibrary, patients_by_label
from ..evaluation.metrics import share_estimate
from ..training.outside_limits import FEWEST_FOR_LIMITS, Judged
from ..training.split import split_of_training
from .answers import answer, maps_of_patients
from .other_site import exam_of_another_site


def held_back(library: CaseLibrary, card: ModelCard) -> CaseLibrary:
    """The patients of a model's training library whom that training held back. Raises ACNetError for too few."""
    _, cases = split_of_training(library, card)
    normal, dcm = map(len, patients_by_label(cases).values())
    if min(normal, dcm) < FEWEST_FOR_LIMITS:
        raise ACNetError(
            f"{library.folder}: {normal} normal and {dcm} DCM patients are held back; expected {FEWEST_FOR_LIMITS} or "
            "more of each."
        )
    return CaseLibrary(library.folder, cases)


def judged(classifier: Classifier, library: CaseLibrary, elsewhere: np.random.Generator | None = None) -> list[Judged]:
    """The patients who get an answer. elsewhere: draws another site for each, which has their maps."""
    is_dcm = {case.patient: case.is_dcm for case in library.cases}
    patients = tqdm(list(maps_of_patients(library)), unit="patient", disable=None)
    found = []
    for truth, t1_maps in zip(is_dcm.values(), patients, strict=True):
        study = answer(classifier, t1_maps if elsewhere is None else exam_of_another_site(t1_maps, elsewhere))
        if study is not None:
            slices = study.sections
            values = values_of_slices([one.outside_score for one in slices], [one.shape for one in slices])
            found.append(Judged(truth, study.is_called_dcm, values))
    return found


def shares_unlike(patients: Sequence[Judged], limits: LimitsByCall) -> dict[str, Any]:
    """By label, the share of patients called unlike by anything and by each value, with Wilson 95 % intervals."""
    by_label = {
        label: [each for each in patients if each.is_dcm == is_dcm]
        for label, is_dcm in zip(LABELS, (False, True), strict=True)
    }
    return {label: _shares_unlike(of_label, limits) for label, of_label in by_label.items() if of_label}


def _shares_unlike(patients: Sequence[Judged], limits: LimitsByCall) -> dict[str, Any]:
    def is_above(each: Judged, name: str) -> bool:
        return above(each.values[name], vars(limits.of(each.called_dcm))[name]) is not None

    called = {name: sum(is_above(each, name) for each in patients) for name in vars(limits.normal)}
    called["any"] = sum(each.is_unlike(limits) for each in patients)
    return {"patients": len(patients), **{name: asdict(share_estimate(n, len(patients))) for name, n in called.items()}}

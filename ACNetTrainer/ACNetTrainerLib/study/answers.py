"""What the whole software answers for a patient's slices, the localizer included, and what becomes of many answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ACNetLib.errors import ACNetError
from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.exam import classify_exam
from ACNetLib.inference.result import StudyResult
from ACNetLib.inference.verdict import Verdict
from ACNetLib.t1map.t1_map import T1Map

from ..cases.library import CaseLibrary
from ..evaluation.metrics import share_estimate

NOT_ANSWERED = "not_answered"
VERDICTS: tuple[Verdict, ...] = ("dcm", "outside", "uncertain", "normal")

Answer = StudyResult | None
"""None where there is no answer: the ventricle was not found, or the software refused the map."""


def answer(classifier: Classifier, t1_maps: Sequence[T1Map]) -> Answer:
    """One exam of these maps, at the share of DCM that the model was trained with."""
    try:
        return classify_exam(lambda t1_map, progress: classifier.classify(t1_map, None, progress), t1_maps)
    except ACNetError:
        return None


def maps_of_patients(library: CaseLibrary) -> Iterator[list[T1Map]]:
    """The maps of each patient, in the order of the table."""
    for patient in dict.fromkeys(case.patient for case in library.cases):
        yield [library.t1_map(case) for case in library.cases if case.patient == patient]


def summary(answers: Sequence[Answer]) -> dict[str, Any]:
    """Of the patients of a group: their probabilities, and which share gets which verdict or no answer."""
    verdicts = [NOT_ANSWERED if each is None else each.verdict for each in answers]
    probabilities = [each.probability_dcm for each in answers if each is not None]
    quartiles = np.percentile(probabilities, [25, 50, 75]) if probabilities else np.full(3, np.nan)
    mean = float(np.mean(probabilities)) if probabilities else float("nan")
    names = ("mean", "lower_quartile", "median", "upper_quartile")
    return {
        "patients": len(answers),
        "probability_dcm": dict(zip(names, np.round([mean, *quartiles], 4).tolist(), strict=True)),
        "verdicts": {
            said: asdict(share_estimate(verdicts.count(said), len(verdicts))) for said in (*VERDICTS, NOT_ANSWERED)
        },
    }

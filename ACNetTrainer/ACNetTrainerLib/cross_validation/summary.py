"""The outcome of a cross-validation: each start's measures, beside those of the present model on the same patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ACNetLib.models.card import ModelCard

from ..cases.library import LABELS, Case, CaseLibrary
from ..evaluation.evaluate import FEWEST_PATIENTS
from ..training.publishing import METRICS
from ..training.train import count_cases
from .measures import differences, measures, said_by_repeat, scores_of, truth_of
from .predictions import OutOfFold, Predictions
from .starts import FINE_TUNED, FROM_SCRATCH

GROUPS: dict[str, Callable[[Case], str]] = {
    "by_source": lambda case: case.source,
    "by_manufacturer": lambda case: case.manufacturer,
    "by_sequence": lambda case: case.sequence,
}
"""Field strength is none of them: a model is for one."""
NOT_TOLD = "not told"


def summarize(
    library: CaseLibrary, found: Mapping[str, Sequence[OutOfFold]], present: Predictions, present_card: ModelCard
) -> dict[str, Any]:
    """Measures over patients with 95 % intervals. found: by the names of the starts.

    At the top are those of the start with the higher AUROC. A measure is that of each repeat, averaged over the
    repeats; the intervals are over resampled patients, each with what all repeats say of it. GROUPS are there where the
    library knows two of a kind or more.
    """
    patients = library.patients
    truth = truth_of(patients, library)
    said = {start: said_by_repeat(of_start) for start, of_start in found.items()}
    scores = {start: scores_of(patients, of_start) for start, of_start in said.items()}
    starts = {start: measures(of_start, truth) for start, of_start in scores.items()}
    chosen = max(starts, key=lambda start: starts[start]["auroc"]["value"])
    folds, repeats = found[chosen][0].fold.of, len(said[chosen])
    as_it_is = scores_of(patients, [present.patients] * repeats)

    def measured(some: Sequence[str]) -> dict[str, Any]:
        return measures(scores_of(some, said[chosen]), truth_of(some, library))

    compared = {start: differences(of_start, as_it_is, truth) for start, of_start in scores.items()}
    both = {}
    if len(starts) == 2:
        both["fine_tuned_minus_from_scratch"] = differences(scores[FINE_TUNED], scores[FROM_SCRATCH], truth)
    return {
        "simulated": any(case.is_simulated for case in library.cases),
        "cases": count_cases(library.cases),
        "cross_validated": {"folds": folds, "repeats": repeats, "start": chosen, "starts": list(starts)},
        **{name: starts[chosen][name] for name in METRICS},
        "present_model": {"name": present_card.name, **measures(as_it_is, truth)},
        "starts": {start: {**of_start, "minus_present": compared[start]} for start, of_start in starts.items()},
        **both,
        **_by_groups(library, measured),
    }


def _by_groups(library: CaseLibrary, measured: Callable[[Sequence[str]], dict[str, Any]]) -> dict[str, Any]:
    """Measures of the patients of each group, such as a hospital; counts alone where a class is too small for them."""
    found: dict[str, dict[str, Any]] = {}
    for kind, of_case in GROUPS.items():
        group: dict[str, str] = {}
        for case in library.cases:
            group.setdefault(case.patient, of_case(case) or NOT_TOLD)
        names = sorted(set(group.values()))
        if len(names) < 2:
            continue
        found[kind] = {}
        for name in names:
            patients = [patient for patient in library.patients if group[patient] == name]
            dcm = int(truth_of(patients, library).sum())
            counts = dict(zip((f"patients_{label}" for label in LABELS), (len(patients) - dcm, dcm), strict=True))
            found[kind][name] = {**counts, **(measured(patients) if min(counts.values()) >= FEWEST_PATIENTS else {})}
    return found

"""The outcome of a cross-validation: each start's measures, beside those of the present model on the same patients."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ACNetLib.models.card import ModelCard

from ..cases.library import LABELS, Case, CaseLibrary
from ..evaluation.evaluate import FEWEST_PATIENTS
from ..evaluation.metrics import auroc
from ..training.train import count_cases
from .measures import LOG_ODDS, differences, measures, said_by_repeat, scores_of, truth_of
from .predictions import OutOfFold, Predictions, Said
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

    At the top are those of what is said of each patient by the start with the higher AUROC on the other folds; the one
    with the higher AUROC on all patients is named. A measure is that of each repeat, averaged over the
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

    by_the_others = said_by_the_others_choice(library, found)

    def measured(some: Sequence[str]) -> dict[str, Any]:
        return measures(scores_of(some, by_the_others), truth_of(some, library))

    compared = {start: differences(of_start, as_it_is, truth) for start, of_start in scores.items()}
    both = {}
    if len(starts) == 2:
        both["fine_tuned_minus_from_scratch"] = differences(scores[FINE_TUNED], scores[FROM_SCRATCH], truth)
    return {
        "simulated": any(case.is_simulated for case in library.cases),
        "cases": count_cases(library.cases),
        "cross_validated": {"folds": folds, "repeats": repeats, "start": chosen, "starts": list(starts)},
        **measured(patients),
        "present_model": {"name": present_card.name, **measures(as_it_is, truth)},
        "starts": {start: {**of_start, "minus_present": compared[start]} for start, of_start in starts.items()},
        **both,
        **_by_groups(library, measured),
    }


def said_by_the_others_choice(library: CaseLibrary, found: Mapping[str, Sequence[OutOfFold]]) -> list[dict[str, Said]]:
    """What is said of each patient, a dictionary a repeat, by the start that does best on those of the other folds.

    The better of two starts on the very patients that it is measured on would be measured too well.
    """
    said = {start: said_by_repeat(of_start) for start, of_start in found.items()}
    of_folds = next(iter(found.values()))
    chosen: list[dict[str, Said]] = [{} for _ in next(iter(said.values()))]
    for index, repeat in enumerate(sorted({each.fold.repeat for each in of_folds})):
        for left_out in (each.said.patients for each in of_folds if each.fold.repeat == repeat):
            others = [patient for patient in library.patients if patient not in left_out]
            aurocs = {
                start: auroc(scores_of(others, [of_start[index]])[:, 0, LOG_ODDS], truth_of(others, library))
                for start, of_start in said.items()
            }
            best = said[max(aurocs, key=lambda start: aurocs[start])]
            chosen[index].update({patient: best[index][patient] for patient in left_out})
    return chosen


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

"""Splitting patients: never a patient on both sides, and both sides alike in class and group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Set

from sklearn.model_selection import train_test_split

from ACNetLib.errors import ACNetError
from ACNetLib.models.card import ModelCard

from ..cases.library import LABELS, Case, CaseLibrary
from .patients import recorded_patients

FEWEST_HELD_BACK = 20
"""Patients of each class, for what is fitted to those held back to hold for others: of five, one decides."""


def split_patients(
    library: CaseLibrary, held_out_fraction: float, seed: int, known: Set[str] = frozenset()
) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """Training and held-out cases, split by patient; class and group (field strength, source) shared out evenly.

    known: patients that the parent of the training has learned from. None of them is held out, for nothing can be
    chosen on them; the fraction is that of all patients, for of a few new ones it would be too few to choose on, but at
    most half of the new ones. Raises ACNetError when a class has too few patients for both sides to get one.
    """
    of_whom, remedy = "", ""
    if known:
        of_whom = " whom the model that it starts from has not learned from"
        remedy = " Else start from a model that has learned from none of them, such as the shipped one."
    first_case: dict[str, Case] = {}
    for case in library.cases:
        first_case.setdefault(case.patient, case)
    patients = sorted(first_case.keys() - known)
    counts = Counter(first_case[patient].label for patient in patients)
    for label in LABELS:
        if counts[label] < 2:
            raise ACNetError(
                f"{library.folder}: {counts[label]} patients labelled {label}{of_whom}; expected at least two.{remedy}"
            )
    if known:
        held_out_fraction = min(held_out_fraction * (len(first_case) / len(patients)), 0.5)
    strata = [(first_case[p].label, first_case[p].field_strength_tesla, first_case[p].source) for p in patients]
    sizes = Counter(strata)
    # A group too small to be shared out is shared out with its class.
    keys = [str(stratum) if sizes[stratum] * held_out_fraction >= 1 else stratum[0] for stratum in strata]
    if min(Counter(keys).values()) < 2:
        keys = [stratum[0] for stratum in strata]
    wanted = round(len(patients) * held_out_fraction)
    held_out_count = min(max(len(set(keys)), wanted), len(patients) - len(set(keys)))
    _, held_out = train_test_split(patients, test_size=held_out_count, stratify=keys, random_state=seed)
    held_out_set = set(held_out)
    for label in LABELS:
        if not 0 < sum(first_case[patient].label == label for patient in held_out) < counts[label]:
            raise ACNetError(
                f"{library.folder}: {counts[label]} of {len(patients)} patients{of_whom} are labelled {label}, too few "
                f"to be on both sides when {held_out_count} are held back; add some or hold back another fraction."
                f"{remedy}"
            )
    return (
        tuple(case for case in library.cases if case.patient not in held_out_set),
        tuple(case for case in library.cases if case.patient in held_out_set),
    )


def split_of_training(library: CaseLibrary, card: ModelCard) -> tuple[tuple[Case, ...], tuple[Case, ...]]:
    """How the training of this model has split its library. Raises ACNetError like `split_patients`."""
    settings = card.training["recipe"]["optimization"]
    known: set[str] = set()
    if "patients_of_parent" in card.training:  # earlier versions held back the parent's patients like others
        of_parent = card.training["patients"]["sets"][1:]  # the first set is of the training itself
        known, _ = recorded_patients({"sets": of_parent}, library)
    return split_patients(library, settings["validation_fraction"], settings["seed"], known)

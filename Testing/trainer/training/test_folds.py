"""Splitting patients: nobody on both sides, and both sides alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.cases.library import Case, CaseLibrary
from ACNetTrainerLib.training.split import split_patients
from made_up_maps import unread_library


def together(*libraries: CaseLibrary) -> CaseLibrary:
    return CaseLibrary(Path("together"), tuple(case for library in libraries for case in library.cases))


def patients(cases: Iterable[Case], label: str = "", source: str = "") -> set[str]:
    return {case.patient for case in cases if label in case.label and source in case.source}


BALANCED = unread_library(40, 60)


@pytest.mark.parametrize("seed", range(5))
def test_no_patient_is_on_both_sides_and_none_is_lost(seed: int) -> None:
    training, held_out = split_patients(BALANCED, 0.2, seed)
    assert not patients(training) & patients(held_out)
    assert sorted(case.case for case in (*training, *held_out)) == sorted(case.case for case in BALANCED.cases)
    assert set(Counter(case.patient for case in held_out).values()) == {3}, "with all of their slices"


def test_the_classes_are_shared_out() -> None:
    _, held_out = split_patients(BALANCED, 0.2, seed=1)
    assert len(patients(held_out, "normal")) == 8
    assert len(patients(held_out, "dcm")) == 12


def test_the_groups_are_shared_out_within_the_classes() -> None:
    library = together(unread_library(30, 20, "a"), unread_library(10, 40, "b"))
    for seed in range(5):
        _, held_out = split_patients(library, 0.2, seed)
        shares = {
            (label, source): len(patients(held_out, label, source)) for label in ("normal", "dcm") for source in "ab"
        }
        assert shares == {("normal", "a"): 6, ("normal", "b"): 2, ("dcm", "a"): 4, ("dcm", "b"): 8}


def test_a_group_too_small_to_share_out_does_not_prevent_the_split() -> None:
    library = together(unread_library(20, 20, "a"), unread_library(1, 0, "b"), unread_library(0, 2, "c"))
    for seed in range(5):
        training, held_out = split_patients(library, 0.2, seed)
        assert not patients(training) & patients(held_out)
        assert len(patients(held_out, "normal")) in (4, 5)
        assert len(patients(held_out, "dcm")) in (4, 5)


def test_the_split_follows_from_the_seed_and_not_from_the_order_of_the_table() -> None:
    backwards = CaseLibrary(BALANCED.folder, BALANCED.cases[::-1])
    _, held_out = split_patients(BALANCED, 0.2, seed=3)
    assert patients(split_patients(backwards, 0.2, seed=3)[1]) == patients(held_out)
    assert patients(split_patients(BALANCED, 0.2, seed=4)[1]) != patients(held_out)


def test_nobody_that_the_parent_has_learned_from_is_held_back() -> None:
    known = {patient for patient in BALANCED.patients if patient[-1] in "13579"}
    training, held_out = split_patients(BALANCED, 0.2, 1, known)
    assert known <= patients(training)
    assert not patients(training) & patients(held_out)
    assert patients(training) | patients(held_out) == set(BALANCED.patients)
    assert len(patients(held_out)) == round(0.2 * len(BALANCED.patients)), "a fifth of all"
    assert patients(held_out, "normal")
    assert patients(held_out, "dcm")
    assert split_patients(BALANCED, 0.2, 1, {"somebody else"}) == split_patients(BALANCED, 0.2, 1)


def test_at_most_half_of_those_who_are_new_to_the_parent_are_held_back() -> None:
    new = {*sorted(patients(BALANCED.cases, "normal"))[:6], *sorted(patients(BALANCED.cases, "dcm"))[:6]}
    _, held_out = split_patients(BALANCED, 0.2, 1, set(BALANCED.patients) - new)
    assert patients(held_out) < new
    assert (len(patients(held_out, "normal")), len(patients(held_out, "dcm"))) == (3, 3)


def test_where_too_few_are_new_to_the_parent_another_one_is_advised() -> None:
    one_normal_left = patients(BALANCED.cases, "normal") - {BALANCED.cases[0].patient}
    with pytest.raises(ACNetError, match=r": 1 patients labelled normal whom .* has not learned from; .* shipped"):
        split_patients(BALANCED, 0.2, 1, one_normal_left)


@pytest.mark.parametrize("fraction", [0.0, 0.15, 0.5, 0.99])
def test_four_patients_can_be_split_and_each_side_has_both_classes(fraction: float) -> None:
    for side in split_patients(together(unread_library(2, 0, "a"), unread_library(0, 2, "b")), fraction, seed=1):
        assert len(patients(side, "normal")) == len(patients(side, "dcm")) == 1


@pytest.mark.parametrize("counts", [(1, 9), (9, 0)])
def test_too_few_patients_of_a_class_are_refused(counts: tuple[int, int]) -> None:
    library = unread_library(*counts)
    with pytest.raises(ACNetError, match=r"library: \d patients labelled .*; expected at least two"):
        split_patients(library, 0.2, seed=1)


def test_a_class_too_rare_to_be_on_both_sides_is_refused() -> None:
    with pytest.raises(ACNetError, match=r"2 of 102 patients are labelled normal, too few"):
        split_patients(unread_library(2, 100), 0.15, seed=1)

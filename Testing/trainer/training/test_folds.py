"""Splitting patients: nobody on both sides, and both sides alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.cases.library import Case, CaseLibrary
from ACNetTrainerLib.training.split import split_patients


def a_library(groups: Iterable[tuple[int, str, str]], sections: int = 3) -> CaseLibrary:
    """Cases of so many patients of a label and a source; the file of a case is not read."""
    cases = [
        Case(f"{source}-{label}-{i}-{j}", f"{source}-{label}-{i}", "x.nrrd", label, 0.0, 0.0, 0.0, 1.5, source)
        for count, label, source in groups
        for i in range(count)
        for j in range(sections)
    ]
    return CaseLibrary(Path("library"), tuple(cases))


def patients(cases: Iterable[Case], label: str = "", source: str = "") -> set[str]:
    return {case.patient for case in cases if label in case.label and source in case.source}


BALANCED = a_library([(40, "normal", "a"), (60, "dcm", "a")])


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
    library = a_library([(30, "normal", "a"), (10, "normal", "b"), (20, "dcm", "a"), (40, "dcm", "b")])
    for seed in range(5):
        _, held_out = split_patients(library, 0.2, seed)
        shares = {
            (label, source): len(patients(held_out, label, source)) for label in ("normal", "dcm") for source in "ab"
        }
        assert shares == {("normal", "a"): 6, ("normal", "b"): 2, ("dcm", "a"): 4, ("dcm", "b"): 8}


def test_a_group_too_small_to_share_out_does_not_prevent_the_split() -> None:
    library = a_library([(20, "normal", "a"), (1, "normal", "b"), (20, "dcm", "a"), (2, "dcm", "c")])
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


@pytest.mark.parametrize("fraction", [0.0, 0.15, 0.5, 0.99])
def test_four_patients_can_be_split_and_each_side_has_both_classes(fraction: float) -> None:
    for side in split_patients(a_library([(2, "normal", "a"), (2, "dcm", "b")]), fraction, seed=1):
        assert len(patients(side, "normal")) == len(patients(side, "dcm")) == 1


@pytest.mark.parametrize("counts", [(1, 9), (9, 0)])
def test_too_few_patients_of_a_class_are_refused(counts: tuple[int, int]) -> None:
    library = a_library([(counts[0], "normal", "a"), (counts[1], "dcm", "a")])
    with pytest.raises(ACNetError, match=r"library: \d patients labelled .*; expected at least two"):
        split_patients(library, 0.2, seed=1)


def test_a_class_too_rare_to_be_on_both_sides_is_refused() -> None:
    with pytest.raises(ACNetError, match=r"2 of 102 patients are labelled normal, too few"):
        split_patients(a_library([(2, "normal", "a"), (100, "dcm", "a")]), 0.15, seed=1)

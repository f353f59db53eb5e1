"""The folds of a cross-validation: everybody is left out once, and nobody is trained on and evaluated with at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.cross_validation.folds import Fold, check_splits, draw_folds
from ACNetTrainerLib.training.recipe import Recipe, read_recipe
from made_up_maps import unread_library
from tiny_training import changed


def left_out(folds: tuple[Fold, ...]) -> list[set[str]]:
    return [set(fold.left_out.patients) for fold in folds]


LIBRARY = unread_library(40, 60)


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return read_recipe("recommended")


def test_every_patient_is_left_out_exactly_once_a_repeat_with_all_slices() -> None:
    folds = draw_folds(LIBRARY, folds=5, repeats=3)
    assert [(fold.repeat, fold.number) for fold in folds] == [(r, n) for r in (1, 2, 3) for n in (1, 2, 3, 4, 5)]
    for repeat in (1, 2, 3):
        cases = [case.case for fold in folds if fold.repeat == repeat for case in fold.left_out.cases]
        assert sorted(cases) == sorted(case.case for case in LIBRARY.cases)


def test_no_patient_is_trained_on_and_left_out_at_once() -> None:
    for fold in draw_folds(LIBRARY, folds=5, repeats=2):
        assert not set(fold.training.patients) & set(fold.left_out.patients)
        assert len(fold.training.cases) + len(fold.left_out.cases) == len(LIBRARY.cases)


def test_the_classes_are_shared_out_evenly() -> None:
    for fold in draw_folds(LIBRARY, folds=5, repeats=2):
        assert Counter(case.label for case in fold.left_out.cases) == {"normal": 3 * 8, "dcm": 3 * 12}


def test_the_folds_do_not_depend_on_the_order_of_the_table() -> None:
    folds = left_out(draw_folds(LIBRARY, folds=5, repeats=2))
    assert left_out(draw_folds(replace(LIBRARY, cases=LIBRARY.cases[::-1]), 5, 2)) == folds
    assert folds[:5] != folds[5:], "a repeat has folds of its own"


def test_each_repeat_trains_with_a_seed_of_its_own_the_first_with_the_recipes(recipe: Recipe) -> None:
    folds = draw_folds(LIBRARY, folds=2, repeats=2)
    assert [fold.recipe(changed(recipe, seed=7)).optimization.seed for fold in folds] == [7, 7, 8, 8]


@pytest.mark.parametrize(
    ("counts", "folds", "reason"),
    [
        ((9, 40), 10, "9 patients labelled normal; expected at least 10 for a cross-validation with 10 folds"),
        ((40, 4), 2, "4 patients labelled dcm; expected at least 5 for"),
        ((100, 5), 5, "4 of 84 patients are labelled dcm, too few to be on both sides"),
    ],
)
def test_too_few_patients_are_refused_before_anything_is_trained(
    recipe: Recipe, counts: tuple[int, int], folds: int, reason: str
) -> None:
    with pytest.raises(ACNetError, match=reason):
        check_splits(draw_folds(unread_library(*counts), folds, 1), changed(recipe, validation_fraction=0.02))

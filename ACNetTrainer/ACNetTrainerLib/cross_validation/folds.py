"""Which patients each model of a cross-validation is trained on, and which are left out to evaluate it with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from sklearn.model_selection import StratifiedKFold

from ACNetLib.errors import ACNetError

from ..cases.library import LABELS, CaseLibrary, labels_by_patient
from ..evaluation.evaluate import FEWEST_PATIENTS
from ..training.recipe import Recipe
from ..training.split import split_patients

FIRST_SEED = 1
"""Of the first repeat's folds. No recipe's: a start that is added later has the folds of those before."""


@dataclass(frozen=True)
class Fold:
    """The patients of one training and those that are left out of it. repeat, number: counted from 1."""

    repeat: int
    number: int
    of: int
    training: CaseLibrary
    left_out: CaseLibrary

    @property
    def name(self) -> str:
        return f"repeat{self.repeat}-fold{self.number}of{self.of}"

    def recipe(self, recipe: Recipe) -> Recipe:
        """With a seed of the repeat's own, for its first weights and its order of cases."""
        seed = recipe.optimization.seed + self.repeat - 1
        return replace(recipe, optimization=replace(recipe.optimization, seed=seed))


def draw_folds(library: CaseLibrary, folds: int, repeats: int) -> tuple[Fold, ...]:
    """Every patient is left out once a repeat; the classes are shared out evenly.

    Raises ACNetError when a class has too few patients for the folds.
    """
    patients = sorted(library.patients)
    label = labels_by_patient(library.cases)
    labels = [label[patient] for patient in patients]
    fewest = max(folds, FEWEST_PATIENTS)
    for each in LABELS:
        if (count := labels.count(each)) < fewest:
            raise ACNetError(
                f"{library.folder}: {count} patients labelled {each}; expected at least {fewest} for a "
                f"cross-validation with {folds} folds."
            )
    drawn = []
    for repeat in range(1, repeats + 1):
        splits = StratifiedKFold(folds, shuffle=True, random_state=FIRST_SEED + repeat - 1).split(patients, labels)
        for number, (_, places) in enumerate(splits, start=1):
            left_out = {patients[place] for place in places.tolist()}
            training = CaseLibrary(library.folder, tuple(c for c in library.cases if c.patient not in left_out))
            rest = CaseLibrary(library.folder, tuple(case for case in library.cases if case.patient in left_out))
            drawn.append(Fold(repeat, number, folds, training, rest))
    return tuple(drawn)


def check_splits(folds: Iterable[Fold], recipe: Recipe) -> None:
    """Raises ACNetError when a fold has too few patients to hold back some: now, and not hours later in its turn."""
    for fold in folds:
        settings = fold.recipe(recipe).optimization
        split_patients(fold.training, settings.validation_fraction, settings.seed)

"""Which patients each model of a cross-validation is trained on, and which are left out to evaluate it with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sklearn.model_selection import StratifiedKFold

from ACNetLib.errors import ACNetError

from ..cases.library import LABELS, CaseLibrary
from ..evaluation.evaluate import FEWEST_PATIENTS
from ..training.recipe import Recipe
from ..training.split import split_patients


@dataclass(frozen=True)
class Fold:
    """One training and the patients that are left out of it. repeat, number: counted from 1.

    recipe: with the seed of the repeat, so that its folds, its first weights and its order of cases are its own.
    """

    repeat: int
    number: int
    of: int
    recipe: Recipe
    training: CaseLibrary
    left_out: CaseLibrary

    @property
    def name(self) -> str:
        return f"repeat{self.repeat}-fold{self.number}of{self.of}"


def draw_folds(library: CaseLibrary, recipe: Recipe, folds: int, repeats: int) -> tuple[Fold, ...]:
    """Every patient is left out once a repeat; the classes are shared out evenly. Follows from the recipe's seed.

    Raises ACNetError when a class has too few patients for the folds or for the split within one of them.
    """
    patients = sorted(library.patients)
    label = {case.patient: case.label for case in library.cases}
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
        seed = recipe.optimization.seed + repeat - 1
        of_repeat = replace(recipe, optimization=replace(recipe.optimization, seed=seed))
        splits = StratifiedKFold(folds, shuffle=True, random_state=seed).split(patients, labels)
        for number, (_, places) in enumerate(splits, start=1):
            left_out = {patients[place] for place in places.tolist()}
            training = CaseLibrary(library.folder, tuple(c for c in library.cases if c.patient not in left_out))
            # Asked for now, and not hours later when it is this fold's turn.
            split_patients(training, recipe.optimization.validation_fraction, seed)
            rest = CaseLibrary(library.folder, tuple(case for case in library.cases if case.patient in left_out))
            drawn.append(Fold(repeat, number, folds, of_repeat, training, rest))
    return tuple(drawn)

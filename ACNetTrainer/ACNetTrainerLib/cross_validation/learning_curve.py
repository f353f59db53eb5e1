"""Would more cases help? What trainings on a quarter, half and all of the patients come to."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from ACNetLib.errors import ACNetError

from ..cases.library import CaseLibrary, patients_by_label
from ..evaluation.drawing import DOTS_PER_INCH, save_figure
from ..training.recipe import Recipe
from ..training.split import split_patients
from .folds import Fold
from .measures import differences, measures, said_by_repeat, scores_of, truth_of
from .predictions import OutOfFold

LEARNING_CURVE_PICTURE = "learning-curve.png"
SHARES = {"quarter": 0.25, "half": 0.5}
"""Beside all of the patients that a fold trains on."""
SMALL_RISE = 0.01
"""In AUROC: less is not worth collecting cases for."""
COLOURS = ("tab:blue", "tab:orange")


@dataclass(frozen=True)
class Point:
    """What the models say that were trained on such a share of the patients, of all patients once."""

    share: float
    found: tuple[OutOfFold, ...]


def part_of(fold: Fold, share: float) -> CaseLibrary:
    """Such a share of the fold's training patients, each class by itself; a smaller part lies within a larger one."""
    random = np.random.default_rng([fold.repeat, fold.number])
    chosen = set[str]()
    for of_label in patients_by_label(fold.training.cases).values():
        patients = random.permutation(sorted(of_label)).tolist()
        chosen |= set(patients[: math.ceil(share * len(patients))])
    return CaseLibrary(fold.training.folder, tuple(case for case in fold.training.cases if case.patient in chosen))


def shares_for(folds: Sequence[Fold], recipes: Sequence[Recipe]) -> tuple[str, ...]:
    """Those of SHARES that leave each training enough patients of both classes to hold back some."""
    return tuple(
        name for name, share in SHARES.items() if all(_can_be_split(fold, share, r) for fold in folds for r in recipes)
    )


def _can_be_split(fold: Fold, share: float, recipe: Recipe) -> bool:
    settings = fold.recipe(recipe).optimization
    try:
        split_patients(part_of(fold, share), settings.validation_fraction, settings.seed)
    except ACNetError:
        return False
    return True


def learning_curve(library: CaseLibrary, points: Mapping[str, Sequence[Point]]) -> dict[str, Any]:
    """points: by names of starts, the share rising to 1, of one repeat each.

    "more_cases": whether they would help, by the rise in AUROC from half of the patients to all, on the same patients.
    """
    truth = truth_of(library.patients, library)
    curve: dict[str, Any] = {}
    for start, of_start in points.items():
        scores = {point.share: scores_of(library.patients, said_by_repeat(point.found)) for point in of_start}
        curve[start] = {
            "points": [
                {"share": point.share, "patients": _patients(point), **measures(scores[point.share], truth)}
                for point in of_start
            ]
        }
        if (half := SHARES["half"]) in scores:
            rise = differences(scores[of_start[-1].share], scores[half], truth)["auroc"]
            curve[start] |= {"rise_from_half": rise, "more_cases": _more_cases(rise["low"], rise["high"])}
    return curve


def _patients(point: Point) -> int:
    """That a training has, those held back included; the mean over the folds."""
    counts = [
        len((each.fold.training if point.share == 1 else part_of(each.fold, point.share)).patients)
        for each in point.found
    ]
    return round(sum(counts) / len(counts))


def _more_cases(low: float, high: float) -> str:
    if low > 0:
        return "would help"
    return "would hardly help" if high < SMALL_RISE else "can't be told"


def draw_learning_curve(curve: Mapping[str, Any], present: Mapping[str, Any], title: str, folder: Path) -> None:
    """Write learning-curve.png: AUROC by patients, with intervals, and the present model's."""
    figure = Figure((5.6, 4.2), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    for (start, of_start), colour in zip(curve.items(), COLOURS, strict=False):
        points = of_start["points"]
        values = [point["auroc"]["value"] for point in points]
        below = [point["auroc"]["value"] - point["auroc"]["low"] for point in points]
        above = [point["auroc"]["high"] - point["auroc"]["value"] for point in points]
        patients = [point["patients"] for point in points]
        label = start.replace("-", " ")
        axes.errorbar(patients, values, (below, above), fmt="o-", capsize=3, color=colour, label=label)
    axes.axhline(present["auroc"]["value"], color="grey", linestyle=":", label=f"{present['name']} as it is")
    axes.set_title(title, fontsize="medium")
    axes.set(xlabel="patients in a training", ylabel="AUROC, DCM against normal")
    axes.set_xlim(left=0)
    axes.legend(fontsize="small")
    save_figure(figure, folder / LEARNING_CURVE_PICTURE)

"""A picture of the patients whom a cross-validation calls wrongly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from ..cases.library import Case, CaseLibrary
from ..evaluation.drawing import (
    CLASS_NAMES,
    DOTS_PER_INCH,
    GALLERY_COLUMNS,
    PANEL_INCHES,
    WINDOW_MS,
    draw_section,
    save_figure,
)
from .predictions import OutOfFold

MISTAKES_PICTURE = "mistakes.png"
MOST_SHOWN = 4 * GALLERY_COLUMNS


@dataclass(frozen=True)
class Mistake:
    """A patient who is called wrongly in some repeat, by the slice that is furthest on the wrong side.

    wrong_by: log odds beyond the threshold, the mean over the repeats; probability_dcm: of the patient, the same.
    """

    case: Case
    wrong_by: float
    probability_dcm: float


def find_mistakes(library: CaseLibrary, found: Sequence[OutOfFold]) -> list[Mistake]:
    """The surest first."""
    patients, slices = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    probabilities = defaultdict[str, list[float]](list)
    for each in found:
        for patient, said in each.said.patients.items():
            patients[patient].append(said.margin)
            probabilities[patient].append(said.probability_dcm)
        for name, said in each.said.slices.items():
            slices[name].append(said.margin)
    mistakes = []
    for patient in library.patients:
        cases = [case for case in library.cases if case.patient == patient]
        sign = -1 if cases[0].is_dcm else 1
        if any((margin >= 0) != cases[0].is_dcm for margin in patients[patient]):
            worst = max(cases, key=lambda case: sign * float(np.mean(slices[case.case])))
            wrong_by = sign * float(np.mean(patients[patient]))
            mistakes.append(Mistake(worst, wrong_by, float(np.mean(probabilities[patient]))))
    return sorted(mistakes, key=lambda mistake: -mistake.wrong_by)


def draw_mistakes(library: CaseLibrary, mistakes: Sequence[Mistake], folder: Path) -> None:
    """Write mistakes.png: the slices, 128 x 128 mm around the left ventricle, in one grey window."""
    shown = mistakes[:MOST_SHOWN]
    rows = max(1, -(-len(shown) // GALLERY_COLUMNS))
    size = (GALLERY_COLUMNS * PANEL_INCHES, rows * (PANEL_INCHES + 0.25) + 0.4)
    figure = Figure(size, dpi=DOTS_PER_INCH, layout="constrained")
    simulated = "simulated " if any(case.is_simulated for case in library.cases) else ""
    called = f"Called wrongly in any repeat: {len(mistakes)} of {len(library.patients)} {simulated}patients"
    figure.suptitle(called if len(shown) == len(mistakes) else f"{called}; the {len(shown)} surest")
    window = Normalize(0, WINDOW_MS.get(library.cases[0].field_strength_tesla, max(WINDOW_MS.values())))
    panels = figure.subplots(rows, GALLERY_COLUMNS, squeeze=False)
    for axes in panels.flat:
        axes.set_axis_off()
    for axes, mistake in zip(panels.flat, shown, strict=False):
        draw_section(axes, library, mistake.case, window)
        truth = CLASS_NAMES[mistake.case.label]
        axes.set_title(f"{truth}, P(DCM) {mistake.probability_dcm:.2f}\n{mistake.case.case}", fontsize=6, pad=2)
    save_figure(figure, folder / MISTAKES_PICTURE, "grey")

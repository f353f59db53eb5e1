"""Figures for the documentation, drawn without a screen."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image

from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_path
from ACNetLib.section import SectionGrid
from ACNetLib.t1map import read_t1_map

from .cases import LABELS, Case, CaseLibrary

WINDOW_MS = {1.5: 2000.0, 3.0: 2300.0}
"""The upper end of the grey window by field strength; blood stays below white."""
GALLERY_COLUMNS = 6
PANEL_INCHES, DOTS_PER_INCH = 1.6, 100
CLASS_NAMES = {"normal": "normal", "dcm": "DCM"}


def section_gallery(library: CaseLibrary, sections_per_class: int, path: Path) -> None:
    """Write a grey PNG: as many sections of each class, 128 x 128 mm around the left ventricle, in one fixed window.

    One section of each patient, the next patient's at the next level; further ones when there are no more patients.
    Raises ACNetError when a class has fewer sections or the library holds several field strengths.
    """
    fields = sorted({case.field_strength_tesla for case in library.cases})
    if len(fields) > 1:
        raise ACNetError(f"{library.folder}: found cases of {fields} tesla; expected one field strength.")
    window = Normalize(0, WINDOW_MS.get(fields[0], max(WINDOW_MS.values())))
    maps = "Simulated T1 maps" if all(case.is_simulated for case in library.cases) else "T1 maps"

    rows = -(-sections_per_class // GALLERY_COLUMNS)
    size = (GALLERY_COLUMNS * PANEL_INCHES + 0.8, len(LABELS) * (rows * PANEL_INCHES + 0.4) + 0.4)
    figure = Figure(size, dpi=DOTS_PER_INCH, layout="constrained")
    figure.suptitle(f"{maps}, {fields[0]:g} T: 128 x 128 mm around the left ventricle")
    parts = figure.subfigures(len(LABELS), 1, squeeze=False)[:, 0]
    for part, label in zip(parts, LABELS, strict=True):
        part.suptitle(CLASS_NAMES[label], weight="bold")
        axes = part.subplots(rows, GALLERY_COLUMNS, squeeze=False)
        for one in axes.flat:
            one.set_axis_off()
        for one, case in zip(axes.flat, _choose(library, label, sections_per_class), strict=False):
            _draw_section(one, library, case, window)
        part.colorbar(ScalarMappable(window, "gray"), ax=axes, label="T1 [ms]", aspect=40, pad=0.01)
    _save_grey(figure, path)


def _choose(library: CaseLibrary, label: str, count: int) -> list[Case]:
    cases = sorted((case for case in library.cases if case.label == label), key=lambda case: case.patient)
    patients = [list(sections) for _, sections in groupby(cases, key=lambda case: case.patient)]
    in_turn = [
        sections[(number + turn) % len(sections)]
        for turn in range(max(map(len, patients), default=0))
        for number, sections in enumerate(patients)
        if turn < len(sections)
    ]
    if len(in_turn) < count:
        raise ACNetError(f"{library.folder}: found {len(in_turn)} sections of class {label}; expected {count} or more.")
    return in_turn[:count]


def _draw_section(axes: Axes, library: CaseLibrary, case: Case, window: Normalize) -> None:
    t1_map = read_t1_map(library.path(case))
    crop = SectionGrid.around(t1_map, 0, case.center_mm).crop(t1_map)
    axes.imshow(crop.t1_ms, cmap="gray", norm=window)
    axes.set_title(case.case, fontsize=7, pad=2)


def _save_grey(figure: Figure, path: Path) -> None:
    """As 8-bit grey: a third of the size of a colour file."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    grey = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("L")
    with atomic_path(path) as temporary:
        grey.save(temporary, "PNG", optimize=True)

"""A sheet of sections with the outline of their left ventricle, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from ACNetLib.t1map.t1_map import DISPLAY_WINDOW_MS

from ..evaluation.drawing import save_figure
from .hearts import LEVEL_NAMES
from .patients import Patient
from .sections import draw_section

COLUMNS = 4
SHOWN_MM = 170.0


def draw_sheet(patients: Sequence[Patient], path: Path) -> None:
    """Write a picture of a slice of each patient, base, mid and apex in turn; all are of one field strength."""
    rows = -(-len(patients) // COLUMNS)
    figure = Figure((COLUMNS * 2.4, rows * 2.5 + 0.4), dpi=80, layout="constrained")
    low, high = DISPLAY_WINDOW_MS
    figure.suptitle(
        f"Simulated T1 maps of the second simulation, {patients[0].field_strength_tesla:g} T, {low:g} to {high:g} ms, "
        f"{SHOWN_MM:g} mm across"
    )
    places = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for axes in places[len(patients) :]:
        axes.set_axis_off()
    for index, (patient, axes) in enumerate(zip(patients, places, strict=False)):
        level = index % len(LEVEL_NAMES)
        section = draw_section(patient, level)
        axes.imshow(section.t1_ms, cmap="gray", vmin=low, vmax=high)
        for mask in (section.cavity, section.cavity | section.myocardium):
            axes.contour(mask, [0.5], colors="gold", linewidths=0.6)
        column, row = patient.scan.lv_pixel(level)
        half = SHOWN_MM / 2 / patient.scan.pixel_mm
        axes.set(xlim=(column - half, column + half), ylim=(row + half, row - half), xticks=[], yticks=[])
        axes.set_facecolor("black")
        axes.set_title(f"{patient.heart.kind}, {LEVEL_NAMES[level]}", fontsize=8, pad=2)
    save_figure(figure, path)

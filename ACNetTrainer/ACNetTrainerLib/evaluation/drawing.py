"""Figures for the documentation, drawn without a screen."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from PIL import Image

from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_path

from ..cases.library import LABELS, Case, CaseLibrary

WINDOW_MS = {1.5: 2000.0, 3.0: 2300.0}
"""The upper end of the grey window by field strength; blood stays below white."""
GALLERY_COLUMNS = 6
PANEL_INCHES, DOTS_PER_INCH = 1.6, 100
JPEG_QUALITY, WEBP_QUALITY = 85, 60
CLASS_NAMES = {"normal": "normal", "dcm": "DCM"}
ROBUSTNESS_LINES = (
    ("auroc_model", "ACNet", "tab:blue"),
    (
        "auroc_regression",
        "regression on septal T1, cavity area and wall thickness within the true outlines",
        "tab:orange",
    ),
)


def section_gallery(library: CaseLibrary, sections_per_class: int, path: Path) -> None:
    """Write a grey picture of as many sections of each class, 128 x 128 mm around the ventricle, in one fixed window.

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
            draw_section(one, library, case, window)
        part.colorbar(ScalarMappable(window, "gray"), ax=axes, label="T1 [ms]", aspect=40, pad=0.01)
    save_figure(figure, path, "grey")


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
        raise ACNetError(f"{library.folder}: found {len(in_turn)} slices of class {label}; expected {count} or more.")
    return in_turn[:count]


def draw_section(axes: Axes, library: CaseLibrary, case: Case, window: Normalize) -> None:
    """A case's crop, under its name."""
    t1_map = library.t1_map(case)
    crop = library.grid(case, t1_map).crop(t1_map)
    axes.imshow(crop.t1_ms, cmap="gray", norm=window)
    axes.set_title(case.case, fontsize=7, pad=2)


def robustness_figure(result: dict[str, Any], path: Path) -> None:
    """Write a PNG of the AUROCs in a result of `judge_robustness`, one panel a degradation, with 95 % intervals."""
    figure = Figure((9.6, 6.6), dpi=DOTS_PER_INCH, layout="constrained")
    patients = result["patients_normal"] + result["patients_dcm"]
    field = result["field_strength_tesla"]
    figure.suptitle(f"{patients} simulated patients, {field:g} T: scans as drawn (leftmost) and made worse")
    panels = figure.subplots(2, 2, sharey=True)
    for axes, degradation in zip(panels.flat, result["degradations"].values(), strict=True):
        _draw_degradation(axes, **degradation)
    panels[0, 0].set_ylim(0.45, 1.01)
    for axes in panels[:, 0]:
        axes.set_ylabel("AUROC, DCM against normal")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    save_figure(figure, path, "few")


def _draw_degradation(axes: Axes, name: str, unit: str, steps: list[dict[str, Any]]) -> None:
    levels = [step["level"] for step in steps]
    for measure, label, colour in ROBUSTNESS_LINES:
        estimates = [step[measure] for step in steps]
        axes.plot(levels, [estimate["value"] for estimate in estimates], "o-", color=colour, label=label)
        axes.fill_between(
            levels,
            [estimate["low"] for estimate in estimates],
            [estimate["high"] for estimate in estimates],
            color=colour,
            alpha=0.2,
            linewidth=0,
        )
    axes.axhline(0.5, color="grey", linestyle=":", label="chance")
    axes.set_xlabel(f"{name} [{unit}]")
    quality = axes.twiny()
    quality.set_xlabel("PSNR around the left ventricle [dB]", fontsize="small", color="dimgrey")
    quality.tick_params(axis="x", labelsize="small", labelcolor="dimgrey")
    psnr_db = [f"{step['psnr_middle_db']:.1f}" for step in steps]
    for one, labels in ((axes, [f"{level:.3g}" for level in levels]), (quality, psnr_db)):
        one.set_xscale("log")
        one.set_xlim(levels[0] / 1.1, levels[-1] * 1.1)
        one.set_xticks(levels, labels)
        one.minorticks_off()


def save_figure(figure: Figure, path: Path, colors: Literal["all", "grey", "few"] = "all") -> None:
    """As JPEG or WebP where the path ends so, a quarter of the size where slices fill the picture; else as PNG.

    colors: a PNG of few (enough for lines and letters) or of grey has a quarter of the size.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    picture = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("L" if colors == "grey" else "RGB")
    with atomic_path(path) as temporary:
        match path.suffix.lower():
            case ".jpg":
                picture.save(temporary, "JPEG", quality=JPEG_QUALITY)
            case ".webp":
                picture.save(temporary, "WEBP", quality=WEBP_QUALITY)
            case _:
                (with_few_colors(picture) if colors == "few" else picture).save(temporary, "PNG", optimize=True)


def with_few_colors(picture: Image.Image) -> Image.Image:
    """64 that keep a small coloured part in a large grey one (median cut does not)."""
    return picture.quantize(64, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)

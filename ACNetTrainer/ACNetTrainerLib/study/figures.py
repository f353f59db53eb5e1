"""The figures of a comparison: the paper's Figures 3 to 6 with our networks, and ROC curves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from ..evaluation.drawing import CLASS_NAMES, DOTS_PER_INCH, save_figure
from ..evaluation.wording import estimate_text
from .files import RUNS_FOLDER, read_attention, read_predictions
from .summary import Tested
from .tables import NAMES, PAPER_TABLES, Summary

ATTENTION_PICTURE, DISTRIBUTIONS_PICTURE, ROC_PICTURE = "attention-{}.png", "distributions-{}.png", "roc-{}.png"
"""Of each cohort, by its name."""
PANELS = (
    ("accuracy", "Figure 4: accuracy", 0),
    ("recall_dcm", "Figure 5: recall of DCM\n(the paper's specificity column)", 2),
    ("recall_normal", "Figure 6: recall of normal\n(the paper's sensitivity column)", 1),
)
"""Measure, title, and its place in PAPER_TABLES."""
COLOURS = {name: f"C{number}" for number, name in enumerate(NAMES)}


def draw_comparison(summary: Summary, tested: Mapping[str, Tested], folders: Mapping[str, str], folder: Path) -> None:
    """Write a cohort's pictures to the output folder. folders: of the first training of each network."""
    cohort = summary["cohort"]
    _distributions(summary, folder / DISTRIBUTIONS_PICTURE.format(cohort))
    _roc(summary, tested, folder / ROC_PICTURE.format(cohort))
    attention = {}
    for name in (name for name in NAMES if name in folders):
        run_folder = folder / RUNS_FOLDER / folders[name]
        if found := read_attention(run_folder, cohort):
            attention[name] = {**found, "predictions": read_predictions(run_folder, cohort)}
    if attention:
        _attention(summary, attention, folder / ATTENTION_PICTURE.format(cohort))


def _kind(summary: Summary) -> str:
    simulated = "simulated " if summary["simulated"] else ""
    return f"{simulated}{summary['counts']} of {summary['cohort']}"


def _distributions(summary: Summary, path: Path) -> None:
    """A dot a fold or seed, and the mean with its interval; the paper's number as a cross."""
    networks = [name for name in NAMES if name in summary["networks"]]
    printed = PAPER_TABLES.get(summary["protocol"], {})
    figure = Figure((11, 1.6 + 0.42 * len(networks)), dpi=DOTS_PER_INCH, layout="constrained")
    figure.suptitle(f"{summary['protocol']}: {_kind(summary)}, {summary['field_strength_tesla']:g} T")
    places = np.arange(len(networks))[::-1]
    for axes, (measure, title, column) in zip(figure.subplots(1, len(PANELS), sharey=True), PANELS, strict=True):
        for place, name in zip(places, networks, strict=True):
            values = summary["networks"][name]
            mean, each = values[measure], [run[measure] for run in values["runs"]]
            spread = np.linspace(-0.15, 0.15, len(each)) if len(each) > 1 else [0.0]
            axes.hlines(place, mean["low"], mean["high"], color=COLOURS[name], linewidth=3, alpha=0.5)
            axes.plot(mean["value"], place, "|", color=COLOURS[name], markersize=16, markeredgewidth=2)
            axes.plot(each, place + np.asarray(spread), ".", color=COLOURS[name])
            if name in printed:
                axes.plot(printed[name][column], place, "x", color="black")
        if measure == "accuracy":
            axes.axvline(summary["accuracy_of_the_majority_class"], color="grey", linestyle=":")
        axes.set(title=title, xlim=(-0.03, 1.03), yticks=places, yticklabels=[NAMES[name] for name in networks])
        axes.title.set_fontsize("medium")
        axes.grid(axis="x", alpha=0.3)
    marks = "bar: mean with 95 % interval over patients; dots: folds or seeds; dotted: always the larger class"
    if printed:
        marks += "; cross: printed in the paper, of its own real slices"
    figure.supxlabel(marks, fontsize="small")
    save_figure(figure, path)


def _roc(summary: Summary, tested: Mapping[str, Tested], path: Path) -> None:
    figure = Figure((6.4, 7.8), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":")
    for name in (name for name in NAMES if name in tested and np.ptp(tested[name].margins) > 0):
        one, area = tested[name], summary["networks"][name]["auroc"]
        style = "--" if name.startswith("baseline") else "-"
        label = f"{NAMES[name]}: {estimate_text(area)}"
        for number, row in enumerate(one.margins):  # a line a seed, a label a network
            false_dcm, true_dcm, _ = roc_curve(one.truth, row)
            axes.plot(false_dcm, true_dcm, style, color=COLOURS[name], label="" if number else label, linewidth=1.3)
    axes.set(xlabel="1 - specificity (recall of normal)", ylabel="sensitivity (recall of DCM)", aspect="equal")
    axes.set_title(f"{summary['protocol']}: {_kind(summary)}, AUROC with 95 % interval", fontsize="medium")
    figure.legend(loc="outside lower center", fontsize="small", frameon=False)
    save_figure(figure, path)


def _attention(summary: Summary, networks: Mapping[str, dict[str, Any]], path: Path) -> None:
    """A row a section, the same for every network; each map on the scale of its own values in these sections."""
    first = next(iter(networks.values()))
    labels = {row["case"]: row["label"] for row in first["predictions"]}
    columns = [(name, mask) for name, found in networks.items() for mask in found["maps"]]
    rows = len(first["cases"])
    figure = Figure((1.35 * (1 + len(columns)), 1.45 * rows + 0.9), dpi=DOTS_PER_INCH, layout="constrained")
    simulated = "simulated slices" if summary["simulated"] else "slices"
    figure.suptitle(
        f"Figure 3: attention on the same {simulated} of {summary['cohort']}, {summary['protocol']}", fontsize="medium"
    )
    panels = figure.subplots(rows, 1 + len(columns), squeeze=False)
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
    for row, case in enumerate(first["cases"]):
        panels[row, 0].imshow(first["sections"][row], cmap="gray")
        panels[row, 0].set_ylabel(f"{CLASS_NAMES[labels[case]]}\n{case}", fontsize="xx-small")
    panels[0, 0].set_title("T1", fontsize="small")
    for column, (name, mask) in enumerate(columns, start=1):
        values = networks[name]["maps"][mask]
        low, high = float(values.min()), float(values.max())
        for row in range(rows):
            panels[row, column].imshow(values[row], cmap="viridis", vmin=low, vmax=high)
        short = {"acnet": "ACNet", "residual-attention-56": "RAN"}.get(name, name)
        panels[0, column].set_title(f"{short}\n{mask.replace('_', ' ')}", fontsize="small")
        panels[-1, column].set_xlabel(f"{low:.2f} to {high:.2f}", fontsize="x-small")
    save_figure(figure, path)

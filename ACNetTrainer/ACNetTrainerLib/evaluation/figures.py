"""Pictures of an evaluation: ROC curves and reliability, over patients and over sections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import expit
from sklearn.metrics import roc_curve

from ACNetLib.models.card import ModelCard

from .drawing import DOTS_PER_INCH, save_figure
from .metrics import BoolArray, FloatArray, prevalence_weights, reliability
from .scores import PatientScores
from .wording import estimate_text

FIGURE_INCHES = (5.4, 5.6)
COLOURS = {"patients": "tab:blue", "sections": "tab:orange"}


def draw_evaluation(card: ModelCard, scores: PatientScores, result: dict[str, Any], folder: Path) -> None:
    """Write roc.png and reliability.png to the folder. result: of `evaluate`."""
    levels = {
        "patients": (scores.log_odds, scores.is_dcm, result),
        "sections": (scores.section_log_odds, scores.section_is_dcm, result["sections"]),
    }
    kind = "simulated patients" if result["simulated"] else "patients"
    title = f"{card.name}: {len(scores.patients)} {kind}, {card.field_strength_tesla:g} T"

    figure, axes = _square(title, "1 - specificity (recall of normal)", "sensitivity (recall of DCM)")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="chance")
    for name, (log_odds, is_dcm, values) in levels.items():
        _draw_roc(axes, log_odds, is_dcm, f"{name}: AUROC {estimate_text(values['auroc'])}", COLOURS[name])
        recalls = 1 - values["recall_normal"]["value"], values["recall_dcm"]["value"]
        axes.plot(*recalls, "o", color=COLOURS[name])
    axes.plot([], [], "o", color="grey", label=f"at the threshold of {card.decision_threshold:.2f}")
    axes.legend(loc="lower right", fontsize="small")
    save_figure(figure, folder / "roc.png")

    figure, axes = _square(title, f"probability of DCM, at {card.training_prior_dcm:.0%} DCM", "share of DCM")
    axes.plot([0, 1], [0, 1], color="grey", linestyle=":", label="perfect calibration")
    for name, (log_odds, is_dcm, values) in levels.items():
        weights = prevalence_weights(is_dcm, card.training_prior_dcm)
        found = reliability(expit(log_odds), is_dcm, weights)
        label = f"{name}: calibration error {estimate_text(values['ece'])}"
        axes.plot(found.said, found.true, "o-", color=COLOURS[name], label=label)
    axes.legend(loc="lower right", fontsize="small")
    save_figure(figure, folder / "reliability.png")


def _square(title: str, x_label: str, y_label: str) -> tuple[Figure, Axes]:
    figure = Figure(FIGURE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x_label, ylabel=y_label, xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
    axes.title.set_fontsize("medium")
    return figure, axes


def _draw_roc(axes: Axes, log_odds: FloatArray, is_dcm: BoolArray, label: str, colour: str) -> None:
    false_dcm, true_dcm, _ = roc_curve(is_dcm, log_odds)
    axes.plot(false_dcm, true_dcm, color=colour, label=label)

"""Where a model looked in sections that it was evaluated on, those that it was wrong about beside the others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray
from scipy.special import expit

from ACNetLib.colors import BAND_COLORS
from ACNetLib.inference.attention import BAND_NAMES, SHOWN_MAP, attention_maps, enlarged, to_bands
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.probability import log_odds_of
from ACNetLib.models.model import Model
from ACNetLib.report.picture import OVERLAY_OPACITY

from ..cases.library import CaseLibrary
from ..training.dataset import CaseDataset
from .drawing import CLASS_NAMES, DOTS_PER_INCH, save_figure
from .metrics import BoolArray, FloatArray
from .scores import PatientScores

ATTENTION_PICTURE = "attention.png"
OUTCOMES = (("dcm", "dcm"), ("dcm", "normal"), ("normal", "normal"), ("normal", "dcm"))
"""The true class and what the model says, from top to bottom."""
SHOWN_OF_EACH = 3
FIGURE_INCHES = (5.4, 7.6)


def draw_attention_gallery(
    model: Model, library: CaseLibrary, scores: PatientScores, device: DeviceChoice, folder: Path
) -> None:
    """Write attention.png: a row an outcome, from the section with the highest probability of DCM to the lowest.

    The bands are those of the classifier, on the model's fixed scale. scores: of `score_patients` on this library.
    """
    figure = Figure(FIGURE_INCHES, dpi=DOTS_PER_INCH, layout="constrained")
    simulated = "simulated " if any(case.is_simulated for case in library.cases) else ""
    figure.suptitle(f"{model.card.name}: attention in {simulated}slices, by outcome", fontsize="medium")
    chosen = sections_by_outcome(scores.section_log_odds, scores.section_is_dcm, model.card.decision_threshold)
    panels = figure.subplots(len(OUTCOMES), SHOWN_OF_EACH)
    for row, (truth, said) in zip(panels, OUTCOMES, strict=True):
        sections, count = chosen[truth, said]
        for axes in row:
            axes.set(xticks=[], yticks=[], frame_on=False)
        row[0].set_ylabel(f"{CLASS_NAMES[truth]},\ncalled {CLASS_NAMES[said]}:\n{count}", fontsize="medium")
        if sections:
            shown = CaseLibrary(library.folder, tuple(library.cases[index] for index in sections))
            for axes, index, (section, bands) in zip(
                row, sections, _sections_with_bands(model, shown, device), strict=False
            ):
                _draw(axes, section, bands)
                axes.set_title(f"P(DCM) {expit(scores.section_log_odds[index]):.2f}", fontsize="small", pad=2)
                axes.set_xlabel(library.cases[index].case, fontsize=5, labelpad=1)
    key = [Patch(color=color, label=name) for name, color in zip(BAND_NAMES[1:], BAND_COLORS[1:], strict=True)]
    figure.legend(handles=key, loc="outside lower center", ncols=2, fontsize="small", frameon=False)
    save_figure(figure, folder / ATTENTION_PICTURE)


def sections_by_outcome(
    log_odds: FloatArray, is_dcm: BoolArray, decision_threshold: float
) -> dict[tuple[str, str], tuple[list[int], int]]:
    """For each of OUTCOMES, sections spread evenly from the highest log odds to the lowest, and how many there are."""
    said_dcm = log_odds >= log_odds_of(decision_threshold)
    chosen = {}
    for truth, said in OUTCOMES:
        sections = np.flatnonzero((is_dcm == (truth == "dcm")) & (said_dcm == (said == "dcm")))
        ordered = sections[np.argsort(-log_odds[sections], kind="stable")]
        places = np.linspace(0, len(ordered) - 1, min(SHOWN_OF_EACH, len(ordered))).round().astype(int)
        chosen[truth, said] = ordered[places].tolist(), len(ordered)
    return chosen


def _sections_with_bands(
    model: Model, library: CaseLibrary, device: DeviceChoice
) -> list[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
    """Each section as the network sees it and the bands of its attention, both (128, 128)."""
    dataset = CaseDataset(library, library.cases, model.card.intensity)
    sections = torch.stack([dataset[0, index, 0][0] for index in range(len(dataset))])
    with torch.inference_mode():
        masks = model.network.to(device.device).eval()(sections.to(device.device)).masks
    values = attention_maps([mask.float().cpu().numpy() for mask in masks])[SHOWN_MAP]
    fine = enlarged(values)
    bands = to_bands(fine, np.ones_like(fine, bool), model.card.attention_thresholds[SHOWN_MAP])
    return list(zip(sections[:, 0].numpy(), bands, strict=True))


def _draw(axes: Axes, section: NDArray[np.float32], bands: NDArray[np.uint8]) -> None:
    axes.imshow(section, cmap="gray")
    colors = np.array([(0, 0, 0, 0), *BAND_COLORS])
    colors[:, 3] *= OVERLAY_OPACITY
    axes.imshow(colors[bands], interpolation="nearest")

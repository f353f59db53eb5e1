"""A picture of what the shipped models get wrong on patients of the second simulation: `make failures`. Look at it.

Above, the slices whose ventricle the localizer places worst; below, the mid slices of the patients that the classifier
gets most wrong. True outlines are yellow, what the localizer found is blue.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes

from ACNetLib.inference.device import DeviceChoice, choose_device
from ACNetLib.models.model import Model, load_model
from ACNetLib.models.store import SHIPPED_MODELS_FOLDER
from ACNetLib.networks.localizer import Localizer, load_localizer
from ACNetLib.ventricle.labels import CAVITY_LABEL, LabelArray
from ACNetTrainerLib.cases.library import CaseLibrary, read_case_library
from ACNetTrainerLib.evaluation.drawing import WEBP_QUALITY
from ACNetTrainerLib.evaluation.scores import score_patients
from ACNetTrainerLib.localization.evaluation import Located
from ACNetTrainerLib.localization.sections import LabelledSection, read_labelled_sections

matplotlib.use("Agg")

SHOWN = 4
WINDOW_MS = (0.0, 2200.0)


def main() -> None:
    library, output = read_case_library(Path(sys.argv[1])), Path(sys.argv[2])
    device = choose_device("cpu")
    field = library.cases[0].field_strength_tesla
    model = load_model(SHIPPED_MODELS_FOLDER / f"acnet-simulated-{field:g}T.safetensors")
    localizer = Localizer(load_localizer(SHIPPED_MODELS_FOLDER / "localizer-simulated.safetensors"), device)
    sections = read_labelled_sections(library, library.cases)
    found = [localizer.locate(section.t1_map)[0] for section in sections]
    errors = [Located(section, one).center_error_mm for section, one in zip(sections, found, strict=True)]
    figure, axes = pyplot.subplots(2, SHOWN, figsize=(3 * SHOWN, 6.6))
    for axis, index in zip(axes[0], np.argsort(errors)[::-1], strict=False):
        accepted = found[index].confidence >= localizer.confidence_threshold
        _draw(axis, sections[index], found[index].labels)
        axis.set_title(f"{errors[index]:.0f} mm off, {'accepted' if accepted else 'left out'}", fontsize=9)
    for axis, (index, title) in zip(axes[1], _most_wrong(library, model, device), strict=False):
        _draw(axis, sections[index], found[index].labels)
        axis.set_title(title, fontsize=9)
    figure.suptitle(f"Patients of the second simulation, {field:g} T: what goes wrong", fontsize=11)
    figure.tight_layout()
    figure.savefig(output, dpi=65, pil_kwargs={"quality": WEBP_QUALITY})


def _most_wrong(library: CaseLibrary, model: Model, device: DeviceChoice) -> list[tuple[int, str]]:
    scores = score_patients(model, library, device)
    wrong = np.where(scores.is_dcm, -scores.log_odds, scores.log_odds)
    shown = []
    for row in np.argsort(wrong)[::-1][:SHOWN]:
        index = next(
            i
            for i, case in enumerate(library.cases)
            if case.patient == scores.patients[row] and case.case.endswith("mid")
        )
        probability = 1 / (1 + np.exp(-scores.log_odds[row]))
        shown.append((index, f"{'DCM' if scores.is_dcm[row] else 'normal'}, probability of DCM {probability:.2f}"))
    return shown


def _draw(axis: Axes, section: LabelledSection, labels: LabelArray | None) -> None:
    t1_ms = section.t1_map.array[0]
    aspect = section.t1_map.image.GetSpacing()[1] / section.t1_map.image.GetSpacing()[0]
    axis.imshow(t1_ms, cmap="gray", vmin=WINDOW_MS[0], vmax=WINDOW_MS[1], aspect=aspect)
    axis.contour(section.labels > 0, levels=[0.5], colors="gold", linewidths=0.9)
    axis.contour(section.labels == CAVITY_LABEL, levels=[0.5], colors="gold", linewidths=0.9)
    if labels is not None and labels.any():
        axis.contour(labels > 0, levels=[0.5], colors="deepskyblue", linewidths=0.9)
    axis.set_axis_off()


if __name__ == "__main__":
    main()

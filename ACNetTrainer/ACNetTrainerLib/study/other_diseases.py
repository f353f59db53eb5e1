"""What a model says of hearts that are neither normal nor dilated: it knows these two classes and answers anyway."""

from __future__ import annotations

from typing import Any

import SimpleITK as sitk
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.verdict import uncertain_range_of
from ACNetLib.models.card import ModelCard
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.worker_pool import worker_pool

from ..evaluation.wording import percent_text
from ..simulation.cohort import map_image
from ..simulation.diseases import draw_diseased_patient
from ..simulation.patient import Disease, Label, Patient, draw_patient
from ..simulation.section import LEVEL_NAMES, simulate_section
from .answers import NOT_ANSWERED, VERDICTS, answer, summary

Group = Label | Disease
GROUP_NAMES: dict[Group, str] = {
    "normal": "normal",
    "dcm": "DCM",
    "hcm": "hypertrophic cardiomyopathy",
    "amyloidosis": "cardiac amyloidosis",
    "athlete": "athlete's heart",
    "infarct": "infarct scar",
    "myocarditis": "acute myocarditis",
    "rv": "overloaded right ventricle",
    "effusion": "pericardial effusion",
    "takotsubo": "Takotsubo-like apex",
}
"""Normal and DCM, which the model knows, are there for reference."""


def judge_other_diseases(classifier: Classifier, card: ModelCard, patients: int, seed: int) -> dict[str, Any]:
    """The study's probability of DCM and the verdict in `patients` simulated patients of each group, by group.

    At the model's field strength and training prevalence, three slices each, as the localizer finds them. card: of the
    classifier's model. Patient number i has the same body and scan in every group.
    """
    field = card.field_strength_tesla
    drawn = [_draw(seed, index, group, field) for group in GROUP_NAMES for index in range(patients)]
    with worker_pool() as pool:
        studies = tqdm(pool.map(_maps, drawn, chunksize=2), total=len(drawn), unit="patient", disable=None)
        answers = [answer(classifier, t1_maps) for t1_maps in studies]
    by_group = {group: answers[number * patients : (number + 1) * patients] for number, group in enumerate(GROUP_NAMES)}
    return {
        "simulated": True,
        "field_strength_tesla": field,
        "uncertain_range": list(uncertain_range_of(card, reference=None)),
        "training_prior_dcm": card.training_prior_dcm,
        "groups": {group: summary(of_group) for group, of_group in by_group.items()},
    }


def _maps(patient: Patient) -> list[T1Map]:
    """One of each level."""
    with threadpool_limits(1):
        images = [map_image(simulate_section(patient, level)) for level in LEVEL_NAMES]
    field = patient.field_strength_tesla
    return [T1Map(sitk.Cast(image, sitk.sitkFloat32), patient.name, field, simulated=True) for image in images]


def table(groups: dict[str, Any]) -> str:
    """The groups of the result as Markdown: probabilities of DCM, and verdicts, or none, in % of the patients."""
    head = [
        "| simulated patients | n | mean | quartiles | DCM [%] | unlike [%] | uncertain [%] | normal [%] | none [%] |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *(_row(group, groups[group]) for group in GROUP_NAMES if group in groups)])


def _row(group: Group, summary: dict[str, Any]) -> str:
    probability, shares = summary["probability_dcm"], summary["verdicts"]
    quartiles = " / ".join(f"{probability[name]:.2f}" for name in ("lower_quartile", "median", "upper_quartile"))
    percentages = [percent_text(shares[said]) for said in (*VERDICTS, NOT_ANSWERED)]
    cells = [GROUP_NAMES[group], str(summary["patients"]), f"{probability['mean']:.2f}", quartiles, *percentages]
    return f"| {' | '.join(cells)} |"


def _draw(seed: int, index: int, group: Group, field_strength_tesla: float) -> Patient:
    if group == "normal" or group == "dcm":
        return draw_patient(seed, index, group, field_strength_tesla)
    return draw_diseased_patient(seed, index, group, field_strength_tesla)

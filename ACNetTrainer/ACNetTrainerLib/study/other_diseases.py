"""What a model says of hearts that are neither normal nor dilated: it knows these two classes and answers anyway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from tqdm import tqdm

from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.probability import calibrated, sigmoid
from ACNetLib.inference.verdict import Verdict, is_outside, verdict
from ACNetLib.models.model import Model
from ACNetLib.worker_pool import worker_pool

from ..evaluation.metrics import share_estimate
from ..evaluation.wording import percent_text
from ..simulation.diseases import draw_diseased_patient
from ..simulation.patient import Disease, Label, Patient, draw_patient
from .simulated_crops import MapArray, log_odds_dcm, outside_scores, patient_crops

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
VERDICTS: tuple[Verdict, ...] = ("dcm", "outside", "uncertain", "normal")


def judge_other_diseases(model: Model, patients: int, seed: int, device: DeviceChoice) -> dict[str, Any]:
    """The study's probability of DCM and the verdict in `patients` simulated patients of each group, by group.

    At the model's field strength and training prevalence, three sections each, cropped around the true centre. Patient
    number i has the same body and scan in every group.
    """
    drawn = [
        _draw(seed, index, group, model.card.field_strength_tesla) for group in GROUP_NAMES for index in range(patients)
    ]
    with worker_pool() as pool:
        studies = tqdm(pool.map(patient_crops, drawn, chunksize=2), total=len(drawn), unit="patient", disable=None)
        answers = [answer(model, crops, device) for crops in studies]
    by_group = {group: answers[number * patients : (number + 1) * patients] for number, group in enumerate(GROUP_NAMES)}
    return {
        "simulated": True,
        "field_strength_tesla": model.card.field_strength_tesla,
        "uncertain_range": list(model.card.uncertain_range),
        "training_prior_dcm": model.card.training_prior_dcm,
        "groups": {group: summary(of_group) for group, of_group in by_group.items()},
    }


def table(groups: dict[str, Any]) -> str:
    """The groups of the result as Markdown, one a line: probabilities of DCM, and verdicts in % of the patients."""
    head = [
        "| simulated patients | n | mean | quartiles | DCM [%] | unlike [%] | uncertain [%] | normal [%] |",
        "|---|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *(_row(group, groups[group]) for group in GROUP_NAMES if group in groups)])


def _row(group: Group, summary: dict[str, Any]) -> str:
    probability, shares = summary["probability_dcm"], summary["verdicts"]
    quartiles = " / ".join(f"{probability[name]:.2f}" for name in ("lower_quartile", "median", "upper_quartile"))
    percentages = [percent_text(shares[said]) for said in VERDICTS]
    cells = [GROUP_NAMES[group], str(summary["patients"]), f"{probability['mean']:.2f}", quartiles, *percentages]
    return f"| {' | '.join(cells)} |"


def _draw(seed: int, index: int, group: Group, field_strength_tesla: float) -> Patient:
    if group == "normal" or group == "dcm":
        return draw_patient(seed, index, group, field_strength_tesla)
    return draw_diseased_patient(seed, index, group, field_strength_tesla)


def answer(model: Model, crops: MapArray, device: DeviceChoice) -> tuple[float, Verdict]:
    """The study's probability of DCM and its verdict, as the classifier comes to them."""
    card, log_odds = model.card, float(log_odds_dcm(model, crops, device).mean())
    probability = sigmoid(calibrated(log_odds, len(crops), card.temperatures, card.training_prior_dcm))
    scores, limits = outside_scores(model, crops, device)
    return probability, "outside" if is_outside(scores, limits) else verdict(probability, card.uncertain_range)


def summary(answers: Sequence[tuple[float, Verdict]]) -> dict[str, Any]:
    """Of the patients of a group: their probabilities, and which share gets which verdict."""
    probabilities, verdicts = np.array([each[0] for each in answers]), [each[1] for each in answers]
    lower, median, upper = np.percentile(probabilities, [25, 50, 75])
    return {
        "patients": len(probabilities),
        "probability_dcm": {
            "mean": round(float(probabilities.mean()), 4),
            "lower_quartile": round(float(lower), 4),
            "median": round(float(median), 4),
            "upper_quartile": round(float(upper), 4),
        },
        "verdicts": {said: asdict(share_estimate(verdicts.count(said), len(verdicts))) for said in VERDICTS},
    }

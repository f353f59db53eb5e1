"""Evaluating a model on cases that it has not seen, beside the simple measures that it has to beat."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ACNetLib.errors import ACNetError
from ACNetLib.inference.classifier import Localizer
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.probability import at_prevalence, sigmoid
from ACNetLib.inference.verdict import Verdict, uncertain_range_of, verdict
from ACNetLib.models.card import ModelCard
from ACNetLib.models.model import Model
from ACNetLib.t1map.t1_map import T1Map

from ..cases.library import LABELS, OTHER, Case, CaseLibrary, patients_by_label
from ..training.patients import known_patients, recognition_text, shared_patients
from ..training.train import count_cases
from .attention_gallery import draw_attention_gallery
from .figures import draw_evaluation
from .metrics import auroc, bootstrap, expected_calibration_error, prevalence_weights
from .performance import performance
from .scores import PatientScores, score_patients
from .true_measures import FOLDS, against_measures
from .truth_table import has_truth_table

FEWEST_PATIENTS = FOLDS
"""Of each class: as many as the regression beside the model has folds."""
CALIBRATION_PREVALENCES = (0.5, 0.2)
"""Half, as the shipped models are trained, and about what a cardiac MR service sees."""
BY_PROBABILITY: tuple[Verdict, ...] = ("normal", "dcm", "uncertain")
"""Who is unlike the training's hearts is measured apart: `acnet-train outside-limits`."""


@dataclass(frozen=True)
class Beside:
    """What else an evaluation does. localizer: sections are also cut where it finds the ventricle. figures: a folder
    for pictures. training_library: what the model was trained on, for the regression on the true measures to learn from
    as much; without it each patient is predicted by a fit to four fifths of the others.
    """

    localizer: Localizer | None = None
    figures: Path | None = None
    training_library: CaseLibrary | None = None


def evaluate(model: Model, library: CaseLibrary, device: DeviceChoice, beside: Beside = Beside()) -> dict[str, Any]:
    """Metrics over patients and sections with bootstrap intervals, the calibration of the probabilities, the verdicts.

    Sections are cut around the library's centres; with a localizer also where that finds the ventricle, each section
    by itself, for a library does not hold stacks: what the classifier leaves out by its neighbours counts here. Beside
    them, where the library is simulated, what the true measures say of the same patients, and how the model does where
    one of them is matched between the classes.

    Raises ACNetError when a class has too few patients, the field strength is not the model's, the model has learned
    from some of the patients, or they are in the training library.
    """
    _check_counts(library)
    unseen = check_unseen(model, library)
    if beside.training_library is not None:
        _check_apart(beside.training_library, library)
    scores = score_patients(model, library, device)
    result: dict[str, Any] = {
        "simulated": any(case.is_simulated for case in library.cases),
        "cases": count_cases(library.cases),
        "patients_unseen": unseen,
        "decision_threshold": model.card.decision_threshold,
        **performance(scores, model.card),
        "calibration": calibration(model, scores),
        "verdicts": verdict_shares(scores, range_at_best(model.card)),
        "verdicts_without_reference": verdict_shares(scores, uncertain_range_of(model.card, reference=None)),
    }
    if library.others:
        result["other_diseases"] = other_diseases(model, library, device)
    if beside.localizer is not None:
        result["with_localizer"] = _with_localizer(model, library, device, beside.localizer)
    if has_truth_table(library.folder):
        result["true_measures"] = against_measures(scores, library, beside.training_library)
    if beside.figures is not None:
        draw_evaluation(model.card, scores, result, beside.figures)
        if model.card.attention_thresholds:
            draw_attention_gallery(model, library, scores, device, beside.figures)
    return result


def check_unseen(model: Model, library: CaseLibrary) -> str:
    """Whether the patients are known to be new to the model, for people to read: CHECKED, OTHER_LIBRARY or NOT_TOLD.

    Raises ACNetError when it has learned from some of them.
    """
    known, is_complete = known_patients(model.card, library)
    if known:
        cases = [case for case in library.cases if case.patient in known]
        raise ACNetError(
            f"{library.folder}: {len(known)} of its {len(library.patients)} patients are among those that model "
            f"'{model.card.name}' was trained on, {len(cases)} cases from '{cases[0].case}' on; expected patients that "
            "it has not seen. Evaluate it on others."
        )
    return recognition_text(model.card, is_complete)


def calibration(model: Model, scores: PatientScores) -> dict[str, dict[str, float]]:
    """Expected calibration error and Brier score of studies and of sections, by the share of DCM among the examined.

    The patients are weighted to that share, and the probabilities corrected to it as the classifier does.
    """
    result = {}
    for prevalence in CALIBRATION_PREVALENCES:
        row = {}
        for name, log_odds, is_dcm in (
            ("study", scores.log_odds, scores.is_dcm),
            ("section", scores.section_log_odds, scores.section_is_dcm),
        ):
            prior = model.card.training_prior_dcm
            probability = np.array([sigmoid(at_prevalence(value, prior, prevalence)) for value in log_odds])
            weights = prevalence_weights(is_dcm, prevalence)
            row[f"{name}_ece"] = round(expected_calibration_error(probability, is_dcm, weights), 4)
            row[f"{name}_brier"] = round(float(np.average((probability - is_dcm) ** 2, weights=weights)), 4)
        result[f"{prevalence:g}"] = row
    return result


def range_at_best(card: ModelCard) -> tuple[float, float]:
    """The verdict's rule where the scanner's normal T1 is known; a model that can't use it has the wider one always."""
    return card.uncertain_range if card.normal_t1_ms is not None else uncertain_range_of(card, reference=None)


def verdict_shares(scores: PatientScores, uncertain_range: tuple[float, float]) -> dict[str, dict[str, float]]:
    """Which share of the patients of each class gets which verdict by its probability, at the model's own prior."""
    verdicts = np.array([verdict(sigmoid(value), uncertain_range) for value in scores.log_odds])
    return {
        label: {said: round(float(np.mean(verdicts[scores.is_dcm == is_dcm] == said)), 4) for said in BY_PROBABILITY}
        for label, is_dcm in (("normal", False), ("dcm", True))
    }


def other_diseases(model: Model, library: CaseLibrary, device: DeviceChoice) -> dict[str, dict[str, Any]]:
    """What the model says of patients with other diseases, by disease: the mean of its probabilities of DCM, and which
    share gets which verdict by it. There is no right answer: it knows DCM and normal alone."""
    result = {}
    for label in sorted({case.label for case in library.others}):
        of_disease = replace(library, cases=tuple(case for case in library.others if case.label == label))
        probabilities = [sigmoid(value) for value in score_patients(model, of_disease, device).log_odds]
        verdicts = [verdict(probability, range_at_best(model.card)) for probability in probabilities]
        result[label.removeprefix(OTHER)] = {
            "patients": len(probabilities),
            "mean_probability_dcm": round(float(np.mean(probabilities)), 4),
            "verdicts": {said: round(verdicts.count(said) / len(verdicts), 4) for said in BY_PROBABILITY},
        }
    return result


def _with_localizer(model: Model, library: CaseLibrary, device: DeviceChoice, localizer: Localizer) -> dict[str, Any]:
    """The AUROC when sections are cut where the localizer finds the ventricle and left out where it does not, whatever
    it finds on the others of a patient; None, and why, where it finds no patient of one of the classes."""
    found = located_library(library, localizer)
    counts = {
        "localizer": localizer.name,
        "sections_not_found": len(library.cases) - len(found.cases),
        "patients_without_a_section": len(library.patients) - len(found.patients),
    }
    labels = {case.label for case in found.cases}
    if missing := [label for label in LABELS if label not in labels]:
        reason = f"the localizer found the left ventricle of no patient labelled {' or '.join(missing)}"
        return {**counts, "auroc": None, "not_evaluated": reason}
    scores = score_patients(model, found, device)
    return {**counts, "auroc": asdict(bootstrap(auroc, scores.log_odds, scores.is_dcm).rounded())}


class LocatedLibrary(CaseLibrary):
    """Cases as the classifier sees them, where and as the localizer finds them, whatever their masks tell."""

    def turn_degrees(self, case: Case, t1_map: T1Map) -> float | None:
        return case.turn_degrees


def located_library(library: CaseLibrary, localizer: Localizer) -> LocatedLibrary:
    """The cases whose ventricle the localizer finds, with its centres and its direction of the septum."""
    found: list[Case] = []
    for case in library.cases:
        (ventricle,) = localizer.locate(library.t1_map(case))
        if ventricle.confidence >= localizer.confidence_threshold:
            left, posterior, superior = ventricle.center_mm.tolist()
            center = {"center_l_mm": left, "center_p_mm": posterior, "center_s_mm": superior}
            found.append(replace(case, **center, turn_degrees=ventricle.turn_degrees))
    return LocatedLibrary(library.folder, tuple(found))


def _check_counts(library: CaseLibrary) -> None:
    for label, patients in patients_by_label(library.cases).items():
        if len(patients) < FEWEST_PATIENTS:
            raise ACNetError(
                f"{library.folder}: {len(patients)} patients labelled {label}; expected at least {FEWEST_PATIENTS}."
            )


def _check_apart(training: CaseLibrary, evaluated: CaseLibrary) -> None:
    """Raises ACNetError unless the regression can learn from one and be evaluated on the other as the model is."""
    shared = shared_patients(training, evaluated)
    if shared:
        raise ACNetError(
            f"{training.folder}: {len(shared)} of its patients are among those to evaluate with; expected the cases "
            "that the model was trained on."
        )
    fields = {case.field_strength_tesla for case in (*training.cases, *evaluated.cases)}
    if len(fields) > 1:
        raise ACNetError(
            f"{training.folder}: it is of another field strength than {evaluated.folder}; expected the same."
        )

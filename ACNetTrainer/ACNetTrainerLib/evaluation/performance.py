"""How well a model tells the classes apart and how true its probabilities are, over patients and over sections."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sklearn.metrics import confusion_matrix

from ACNetLib.inference.probability import log_odds_of
from ACNetLib.models.card import ModelCard

from ..cases.library import LABELS
from .metrics import (
    BoolArray,
    FloatArray,
    IndexArray,
    auprc,
    auroc,
    bootstrap_all,
    probability_metrics,
    threshold_metrics,
)
from .scores import PatientScores


def performance(scores: PatientScores, card: ModelCard) -> dict[str, Any]:
    """Every measure with its interval over patients, and the confusion matrix; under "sections" those of sections.

    Decisions are taken at the card's threshold, Brier score and calibration error at the training prior.
    """
    return {
        **_measures(scores.log_odds, scores.is_dcm, card),
        "sections": _measures(scores.section_log_odds, scores.section_is_dcm, card, scores.section_patient),
    }


def _measures(
    log_odds: FloatArray, is_dcm: BoolArray, card: ModelCard, patients: IndexArray | None = None
) -> dict[str, Any]:
    metrics = {
        "auroc": auroc,
        "auprc": auprc,
        **threshold_metrics(card.decision_threshold),
        **probability_metrics(card.training_prior_dcm),
    }
    estimates = bootstrap_all(metrics, log_odds, is_dcm, patients)
    counts = confusion_matrix(is_dcm, log_odds >= log_odds_of(card.decision_threshold), labels=[False, True])
    matrix = {truth: dict(zip(LABELS, row, strict=True)) for truth, row in zip(LABELS, counts.tolist(), strict=True)}
    return {**{name: asdict(value.rounded()) for name, value in estimates.items()}, "confusion_matrix": matrix}

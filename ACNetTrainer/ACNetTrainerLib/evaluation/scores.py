"""What a model says of every patient and section of a case library."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ACNetLib.errors import ACNetError
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.probability import calibrated
from ACNetLib.models.model import Model

from ..cases.library import CaseLibrary
from ..training.dataset import CaseDataset
from ..training.train import predict
from .metrics import BoolArray, FloatArray, IndexArray


@dataclass(frozen=True)
class PatientScores:
    """One row a patient: the model's calibrated log odds of DCM, and the truth; and the same of each section.

    section_patient: the row of each section's patient.
    """

    patients: tuple[str, ...]
    log_odds: FloatArray
    is_dcm: BoolArray
    section_log_odds: FloatArray
    section_is_dcm: BoolArray
    section_patient: IndexArray


def score_patients(model: Model, library: CaseLibrary, device: DeviceChoice) -> PatientScores:
    """Raises ACNetError when the cases are of another field strength than the model."""
    for case in library.cases:
        if case.field_strength_tesla != model.card.field_strength_tesla:
            raise ACNetError(
                f"{library.folder}: case '{case.case}' is from {case.field_strength_tesla:g} T; "
                f"the model is for {model.card.field_strength_tesla:g} T."
            )
    predictions = predict(model.network, CaseDataset(library, library.cases, model.card.intensity), device)
    card = model.card
    patients, log_odds, is_dcm = predictions.by_patient(card.temperatures, card.training_prior_dcm)
    row = {patient: number for number, patient in enumerate(patients)}
    return PatientScores(
        tuple(patients),
        log_odds,
        is_dcm,
        np.array([calibrated(each, 1, card.temperatures, card.training_prior_dcm) for each in predictions.log_odds]),
        predictions.is_dcm,
        np.array([row[case.patient] for case in library.cases]),
    )

"""What models say of patients and slices that they were not trained on, and the tables that hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.probability import log_odds_of, sigmoid
from ACNetLib.models.model import Model

from ..cases.library import LABELS, CaseLibrary, labels_by_patient
from ..cases.table import write_table
from ..evaluation.scores import score_patients
from .folds import Fold

PATIENTS_FILE, SLICES_FILE = "patients.csv", "slices.csv"
DIGITS = 5
"""Of log odds and probabilities: the measures are computed from what the tables say."""


@dataclass(frozen=True)
class Said:
    """Of a patient, or of a slice alone: calibrated log odds of DCM, and the threshold on its probability."""

    log_odds: float
    probability_dcm: float
    decision_threshold: float

    @property
    def margin(self) -> float:
        """Log odds above the threshold: DCM from 0 on. What models with thresholds of their own can be pooled by."""
        return self.log_odds - log_odds_of(self.decision_threshold)

    @property
    def called(self) -> str:
        return LABELS[self.margin >= 0]


@dataclass(frozen=True)
class Predictions:
    """By the names of patients and of cases."""

    patients: dict[str, Said]
    slices: dict[str, Said]


@dataclass(frozen=True)
class OutOfFold:
    """What the model of a fold says of the patients that were left out of its training."""

    fold: Fold
    said: Predictions


def predict_library(model: Model, library: CaseLibrary, device: DeviceChoice) -> Predictions:
    """With the model's own calibration and threshold. Raises ACNetError for cases of another field strength."""
    scores = score_patients(model, library, device)

    def said(log_odds: float) -> Said:
        probability = round(sigmoid(log_odds), DIGITS)
        return Said(round(log_odds, DIGITS), probability, model.card.decision_threshold)

    patients = dict(zip(scores.patients, map(said, scores.log_odds.tolist()), strict=True))
    names = [case.case for case in library.cases]
    return Predictions(patients, dict(zip(names, map(said, scores.section_log_odds.tolist()), strict=True)))


def write_predictions(found: Mapping[str, Sequence[OutOfFold]], present: Predictions, folder: Path) -> None:
    """Write patients.csv, with what the present model says of the same patients beside it, and slices.csv.

    found: by the names of the starts.
    """
    patients, slices = [], []
    for start, each in ((start, each) for start, of_start in found.items() for each in of_start):
        fold = {"start": start, "repeat": each.fold.repeat, "fold": each.fold.number}
        cases = each.fold.left_out.cases
        label = labels_by_patient(cases)
        for patient, said in each.said.patients.items():
            beside = {f"present_{name}": value for name, value in _cells(present.patients[patient]).items()}
            patients.append({**fold, "patient": patient, "label": label[patient], **_cells(said), **beside})
        for case in cases:
            names = {"case": case.case, "patient": case.patient, "label": case.label}
            slices.append({**fold, **names, **_cells(each.said.slices[case.case])})
    write_table(folder / PATIENTS_FILE, patients[0], patients)
    write_table(folder / SLICES_FILE, slices[0], slices)


def _cells(said: Said) -> dict[str, object]:
    return {**asdict(said), "called": said.called}

"""The numbers of a comparison, from the files that its trainings left: no training and no image is needed.

The positive class is DCM. The paper's protocols count sections, of all tested folds together; the honest protocol
counts patients, and of several seeds the mean.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ACNetLib.errors import ACNetError
from ACNetLib.files import write_text_atomically

from .comparison_cache import is_done, read_numbers, read_predictions
from .metrics import (
    BoolArray,
    Estimate,
    FloatArray,
    IndexArray,
    Metric,
    auroc,
    bootstrap,
    expected_calibration_error,
    prevalence_weights,
    threshold_metrics,
)
from .networks import NETWORKS
from .paired_tests import delong_test, holm

HONEST = "honest"
RUNS_FILE, RUNS_FOLDER, SUMMARY_FILE = "runs.json", "runs", "comparison.json"
REFERENCE = "acnet"
BOOTSTRAP_SEED = 0
PAIRED_MEASURES = ("balanced_accuracy", "recall_normal", "recall_dcm")


@dataclass(frozen=True)
class Tested:
    """What the trainings of one network say of the tested sections.

    truth, margins, patients: (runs, n) of the honest protocol, n patients; (1, n) of the paper's, n sections of all
    folds. margins: log odds of DCM less those of the threshold, so that DCM is said from 0 on. runs: of each training
    its number, its measures alone and what else was noted.
    """

    network: str
    margins: FloatArray
    probabilities: FloatArray
    truth: BoolArray
    patients: IndexArray
    runs: tuple[dict[str, Any], ...]

    def estimate(self, metric: Metric, samples: int | None = None) -> Estimate:
        """The mean of a measure over the trainings, with its interval over patients."""
        return self.compare(metric, None)

    def compare(self, metric: Metric, other: Tested | None) -> Estimate:
        """The same less that of another network, on the same resampled patients."""

        def value(drawn: FloatArray, truth: BoolArray) -> float:
            index = drawn.astype(int)
            own = _mean(metric, self.margins, index, truth)
            return own if other is None else own - _mean(metric, other.margins, index, truth)

        return bootstrap(
            value, np.arange(len(self.truth), dtype=float), self.truth, BOOTSTRAP_SEED, patients=self.patients
        )

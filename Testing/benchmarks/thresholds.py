"""What a threshold that is fitted to some patients is worth on others.

    python Testing/benchmarks/thresholds.py COMPARISON OUTPUT.json

Of the networks of a comparison (a folder with `runs.json`, such as build/comparison/honest after `python
Documentation/keep_comparison.py resume`), from what they said of the test patients. Some of the first cohort are
drawn, as many of each class; balanced accuracy is that of its other patients and of the second cohort: where the
evidence is for neither class, at the threshold with the highest sum of recalls among those drawn, and at that of a
logistic regression on them. The mean over draws and seeds.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_curve

from ACNetLib.files import write_json
from ACNetTrainerLib.evaluation.metrics import BoolArray, FloatArray
from ACNetTrainerLib.evaluation.provenance import provenance
from ACNetTrainerLib.study.comparison import BASELINE
from ACNetTrainerLib.study.summary import read_runs, read_tested

PATIENTS_OF_A_CLASS = (20, 40, 80)
DRAWS, SEED = 200, 1


def no_evidence(_log_odds: FloatArray, _is_dcm: BoolArray) -> float:
    return 0.0


def highest_recalls(log_odds: FloatArray, is_dcm: BoolArray) -> float:
    """Midway between two patients' values."""
    false_positive_rate, true_positive_rate, cuts = roc_curve(is_dcm, log_odds, drop_intermediate=False)
    best = int(np.argmax(true_positive_rate[1:] - false_positive_rate[1:])) + 1
    return float((cuts[best] + cuts[min(best + 1, len(cuts) - 1)]) / 2)


def logistic(log_odds: FloatArray, is_dcm: BoolArray) -> float:
    scale = log_odds.std()
    fitted = LogisticRegression(C=1e3).fit(log_odds[:, None] / scale, is_dcm)
    return float(-fitted.intercept_[0] / fitted.coef_[0, 0] * scale)


CHOICES = {"no evidence": no_evidence, "highest recalls": highest_recalls, "logistic regression": logistic}


def balanced_accuracy(log_odds: FloatArray, is_dcm: BoolArray, cut: float) -> float:
    return float(((log_odds[is_dcm] >= cut).mean() + (log_odds[~is_dcm] < cut).mean()) / 2)


def main() -> None:
    comparison, output = map(Path, sys.argv[1:])
    cohorts = list(read_runs(comparison)["tests"])
    home, abroad = (read_tested(comparison, cohort) for cohort in cohorts)
    rng = np.random.default_rng(SEED)
    found: dict[str, dict[str, dict[str, dict[str, float]]]] = {}
    for network in home:
        if network.startswith(BASELINE):
            continue
        truth, truth_abroad = home[network].truth, abroad[network].truth
        for patients in PATIENTS_OF_A_CLASS:
            values: dict[str, list[tuple[float, float]]] = {name: [] for name in CHOICES}
            for own, own_abroad in zip(home[network].log_odds, abroad[network].log_odds, strict=True):
                for _ in range(DRAWS):
                    drawn = np.zeros(len(truth), bool)
                    for of_class in (truth, ~truth):
                        drawn[rng.choice(np.flatnonzero(of_class), patients, replace=False)] = True
                    for name, choose in CHOICES.items():
                        cut = choose(own[drawn], truth[drawn])
                        at_home = balanced_accuracy(own[~drawn], truth[~drawn], cut)
                        values[name].append((at_home, balanced_accuracy(own_abroad, truth_abroad, cut)))
            found.setdefault(network, {})[str(patients)] = {
                name: dict(zip(cohorts, np.mean(each, axis=0).round(4).tolist(), strict=True))
                for name, each in values.items()
            }
    record = {**provenance(" ".join(["python", *sys.argv])), "seed": SEED, "draws": DRAWS, "simulated": True}
    write_json(output, record | {"balanced_accuracy": found})


if __name__ == "__main__":
    main()

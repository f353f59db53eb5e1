"""The numbers of a comparison, from the files that its trainings left: neither a training nor an image is needed.

DCM is the positive class. The paper's protocols count sections, those of all tested folds together; the honest one
counts patients, and of several seeds the mean.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import logit

from ACNetLib.errors import ACNetError
from ACNetLib.files import damage_named, is_plain_name, read_json, write_json
from ACNetLib.inference.probability import at_prevalence, calibrated

from ..cases.library import number_in
from ..evaluation.metrics import (
    BoolArray,
    Estimate,
    FloatArray,
    IndexArray,
    Metric,
    auroc,
    bootstrap_all,
    probability_metrics,
    threshold_metrics,
)
from ..evaluation.paired_tests import PairedTest, delong_test, holm
from . import HONEST, PROTOCOLS, VARIANTS
from .files import RUNS_FILE, RUNS_FOLDER, SUMMARY_FILE, is_done, read_numbers, read_predictions

COMPARE_AGAIN = "Run acnet-train compare once more."
REFERENCE = "acnet"
ZERO = 0.5
"""The probability at margins of 0."""
DECISIONS: dict[str, Metric] = {
    "accuracy": lambda margins, truth: float(((margins >= 0) == truth).mean()),
    **{name: threshold_metrics(ZERO)[name] for name in ("recall_normal", "recall_dcm", "balanced_accuracy")},
    "auroc": auroc,
}
PREVALENCE = 0.5
"""At which all probabilities are judged, whatever share of DCM a network or a regression was trained with."""
PROBABILITIES = probability_metrics(PREVALENCE)
PAIRED = {name: DECISIONS[name] for name in ("auroc", "balanced_accuracy")}


@dataclass(frozen=True)
class Tested:
    """What one network's trainings say: (1, n) of the n sections of all folds, or (seeds, n) of n patients.

    log_odds: where the protocol calibrates, calibrated and at PREVALENCE. margins: log odds at the training's share of
    DCM less those of the threshold, so that DCM is said from 0 on. patients: (n,), the number of each one's patient.
    parts: (n,), the number of each one's fold, or 0.
    """

    network: str
    log_odds: FloatArray
    margins: FloatArray
    truth: BoolArray
    patients: IndexArray
    parts: IndexArray

    def of_patients(self) -> tuple[FloatArray, BoolArray]:
        """Mean margins (k, patients) and the truth of each patient."""
        counts = np.bincount(self.patients)
        margins = np.stack([np.bincount(self.patients, row) / counts for row in self.margins])
        return margins, np.bincount(self.patients, self.truth) > 0


def summarize(folder: Path) -> dict[str, Any]:
    """All numbers of the comparison in this output folder, for `comparison.json`.

    Raises ACNetError when it holds none, or files of one are missing.
    """
    record = read_runs(folder)
    record.pop("runs")
    counts = "patients" if record["protocol"] == HONEST else "sections"
    cohorts = {cohort: {"test": test} | _cohort(folder, cohort) for cohort, test in record.pop("tests").items()}
    return {**record, "counts": counts, "cohorts": cohorts}


def each_cohort(summary: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A summary of each cohort by itself, named under "cohort"."""
    for name, values in summary["cohorts"].items():
        yield {**summary, "cohort": name, **values}


def _cohort(folder: Path, cohort: str) -> dict[str, Any]:
    record = read_runs(folder)
    entries = record["runs"]
    tested = read_tested(folder, cohort)
    first = next(iter(tested.values()))
    attention = {name: _attention(folder, entries, name, cohort) for name in tested}
    others = [one for name, one in tested.items() if name != REFERENCE]
    return {
        "tested": {"count": len(first.truth), "patients": int(first.patients.max()) + 1},
        "accuracy_of_the_majority_class": round(float(max(first.truth.mean(), 1 - first.truth.mean())), 4),
        "networks": {name: _network(one, folder, entries, record["protocol"]) for name, one in tested.items()},
        "paired": _paired(tested.get(REFERENCE), [one for one in others if one.network not in VARIANTS]),
        "paired_with_variants": _paired(tested.get(REFERENCE), [one for one in others if one.network in VARIANTS]),
        "attention": {name: values for name, values in attention.items() if values},
    }


def write_summary(summary: dict[str, Any], folder: Path) -> None:
    write_json(folder / SUMMARY_FILE, summary, indent=1)


def read_runs(folder: Path) -> dict[str, Any]:
    path = folder / RUNS_FILE
    if not path.is_file():
        raise ACNetError(f"{folder}: no {RUNS_FILE} found; expected the output folder of acnet-train compare.")
    record = read_json(path, COMPARE_AGAIN)
    with damage_named(path, COMPARE_AGAIN):
        entries = [(str(entry["network"]), int(entry["number"]), str(entry["folder"])) for entry in record["runs"]]
        if not entries or not record["tests"] or record["protocol"] not in PROTOCOLS:
            raise ValueError("no trainings, no tests, or an unknown protocol")
        if not all(is_plain_name(name) for name in (*dict(record["tests"]), *(folder for _, _, folder in entries))):
            raise ValueError("the folder of a training or a test library is no plain name")
    for _, _, name in entries:
        if not is_done(folder / RUNS_FOLDER / name):
            raise ACNetError(f"{folder / RUNS_FOLDER / name}: files of this training are missing. {COMPARE_AGAIN}")
    return record


def read_tested(folder: Path, cohort: str) -> dict[str, Tested]:
    """By network, in the order of `runs.json`. Raises ACNetError when two were not tested on the same sections."""
    record = read_runs(folder)
    networks = list(dict.fromkeys(entry["network"] for entry in record["runs"]))
    read = read_patients if record["protocol"] == HONEST else _read_sections
    tested = {}
    for network in networks:
        entries = sorted((e for e in record["runs"] if e["network"] == network), key=lambda entry: entry["number"])
        tested[network] = read(network, folder / RUNS_FOLDER, entries, cohort)
    first = tested[networks[0]]
    for other in tested.values():
        if not (np.array_equal(first.patients, other.patients) and np.array_equal(first.truth, other.truth)):
            raise ACNetError(f"{folder}: {first.network} and {other.network} were not tested on the same slices.")
    return tested


def _read_sections(network: str, runs_folder: Path, entries: Sequence[dict[str, Any]], cohort: str) -> Tested:
    rows, parts = [], []
    for entry in entries:
        found = read_predictions(runs_folder / entry["folder"], cohort)
        rows += found
        parts += [entry["number"]] * len(found)
    places = ", ".join(entry["folder"] for entry in entries)
    log_odds = np.array([[number_in(row["log_odds"], f"{places}: column log_odds") for row in rows]])
    return Tested(
        network,
        log_odds,
        log_odds,
        np.array([row["label"] == "dcm" for row in rows]),
        _numbered([row["patient"] for row in rows]),
        np.array(parts),
    )


def read_patients(network: str, runs_folder: Path, entries: Sequence[dict[str, Any]], cohort: str) -> Tested:
    """What these trainings say of a cohort's patients. Raises ACNetError for files that are missing or damaged."""
    log_odds, margins = [], []
    for entry in entries:
        numbers = read_numbers(runs_folder / entry["folder"])
        sections = _read_sections(network, runs_folder, [entry], cohort)
        own, truth = sections.of_patients()
        temperatures, prior = numbers["temperatures"], numbers["training_prior_dcm"]
        counts = np.bincount(sections.patients).tolist()
        means = zip(own[0].tolist(), counts, strict=True)
        at_prior = np.array([calibrated(mean, count, temperatures, prior) for mean, count in means])
        log_odds.append(np.array([at_prevalence(each, prior, PREVALENCE) for each in at_prior.tolist()]))
        margins.append(at_prior - logit(numbers["decision_threshold"]))
    zeros = np.zeros(len(truth), int)
    return Tested(network, np.stack(log_odds), np.stack(margins), truth, np.arange(len(truth)), zeros)


def _numbered(names: Sequence[str]) -> IndexArray:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names])


def _network(tested: Tested, folder: Path, entries: Sequence[dict[str, Any]], protocol: str) -> dict[str, Any]:
    measures = _estimates(DECISIONS, tested, tested.margins)
    if protocol == HONEST and np.ptp(tested.log_odds) > 0:  # one probability for all has no bins
        measures |= _estimates(PROBABILITIES, tested, tested.log_odds)
    runs = []
    own = sorted((entry for entry in entries if entry["network"] == tested.network), key=lambda one: one["number"])
    for index, entry in enumerate(own):
        numbers = read_numbers(folder / RUNS_FOLDER / entry["folder"])
        if protocol == HONEST:
            margins, truth = tested.margins[index], tested.truth
        else:
            of_fold = tested.parts == entry["number"]
            margins, truth = tested.margins[0, of_fold], tested.truth[of_fold]
        run = {"number": entry["number"], "best_epoch": numbers["best_epoch"]}
        run |= {name: round(metric(margins, truth), 4) for name, metric in DECISIONS.items()}
        if protocol != HONEST:  # what had come out if the test had not chosen the epoch
            run["accuracy_after_last_epoch"] = round(1 - numbers["epochs"][-1]["validation_loss"], 4)
        runs.append(run)
    return {**{name: asdict(value.rounded()) for name, value in measures.items()}, "runs": runs}


def _estimates(
    metrics: Mapping[str, Metric], tested: Tested, scores: FloatArray, less: FloatArray | None = None
) -> dict[str, Estimate]:
    """The means of measures over trainings, scores (k, n), or these less another network's on the same patients."""

    def mean(metric: Metric) -> Metric:
        def value(drawn: FloatArray, truth: BoolArray) -> float:
            each = [metric(column, truth) for column in drawn.T]
            own, others = each[: len(scores)], each[len(scores) :]
            return float(np.mean(own)) - (float(np.mean(others)) if others else 0.0)

        return value

    columns = np.concatenate([scores] if less is None else [scores, less]).T
    means = {name: mean(metric) for name, metric in metrics.items()}
    return bootstrap_all(means, columns, tested.truth, tested.patients)


def _paired(reference: Tested | None, others: Sequence[Tested]) -> dict[str, Any]:
    """ACNet less each of the others, and Holm's correction for as many tests as there are others."""
    # Who says the same of all puts them in no order.
    others = [one for one in others if np.ptp(one.margins) > 0]
    if reference is None or not others:
        return {}
    own, truth = reference.of_patients()
    tests: list[PairedTest] = [delong_test(own, other.of_patients()[0], truth) for other in others]
    corrected = holm([test.p_value for test in tests])
    return {
        other.network: {
            "patients": len(truth),
            "auroc_delong": asdict(test.difference.rounded()),
            "p_delong": float(f"{test.p_value:.3g}"),
            "p_holm": float(f"{p_value:.3g}"),
            **{
                f"{name}_bootstrap": asdict(value.rounded())
                for name, value in _estimates(PAIRED, reference, reference.margins, less=other.margins).items()
            },
        }
        for other, test, p_value in zip(others, tests, corrected, strict=True)
    }


def _attention(folder: Path, entries: Sequence[dict[str, Any]], network: str, cohort: str) -> dict[str, Any]:
    """The mean over the trainings of what `Attention.enrichment` is. Empty for a network without attention."""
    every = [
        read_numbers(folder / RUNS_FOLDER / entry["folder"])["attention_enrichment"].get(cohort, {})
        for entry in entries
        if entry["network"] == network
    ]
    if not every[0]:
        return {}
    return {
        name: {region: round(float(np.mean([one[name][region] for one in every])), 4) for region in regions}
        for name, regions in every[0].items()
    }

"""The tables of a comparison, from its `comparison.json`: for the report, the documentation and the terminal.

Each is of one cohort: see `summary.each_cohort`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..evaluation.wording import estimate_text

Summary = dict[str, Any]

NAMES = {
    "residual-attention-56": "Residual attention network",
    "vgg16": "VGG16",
    "resnet50": "ResNet50",
    "resnet101": "ResNet101",
    "acnet": "ACNet",
    "baseline-majority-class": "majority class",
    "baseline-septal-t1": "regression on true septal T1",
    "baseline-size": "regression on true cavity area and wall thickness",
    "baseline-septal-t1-and-size": "regression on all three",
}
"""In the order of the paper's tables, the baselines after them."""
VARIANT_NAMES = {
    "acnet-without-attention": "without attention",
    "acnet-mask-only": "M * T instead of (1 + M) * T",
    "acnet-one-module": "one attention module",
    "acnet-untaught": "not taught where to attend",
}
"""Of ACNet, each without one of its parts."""
EVERY_NAME = {**NAMES, **{name: f"ACNet, {text}" for name, text in VARIANT_NAMES.items()}}
PAPER_TABLES = {
    "paper-1": {
        "residual-attention-56": (0.4179, 0.1067, 0.9571),
        "vgg16": (0.8593, 0.3642, 0.9142),
        "resnet50": (0.6251, 0.1753, 0.8327),
        "resnet101": (0.8347, 0.3162, 0.9059),
        "acnet": (0.9277, 0.5305, 0.9901),
    },
    "paper-2": {
        "residual-attention-56": (0.4718, 0.6890, 0.3510),
        "vgg16": (0.9452, 0.7891, 0.9405),
        "resnet50": (0.7859, 0.7132, 0.8327),
        "resnet101": (0.9274, 0.7672, 0.9361),
        "acnet": (0.97152, 0.9582, 0.9761),
    },
}
"""Tables I and II: accuracy, and the columns that the paper heads sensitivity and specificity."""
MAPPING = (
    "The paper calls normals the negative class, so its sensitivity would be the recall of DCM. Its own accuracies "
    "contradict that: nine of its ten rows are nearer to what follows if its sensitivity column is the recall of "
    "normal and its specificity column the recall of DCM. They are shown so here."
)


SENSITIVITY, SPECIFICITY = "sensitivity (recall of DCM)", "specificity (recall of normal)"


@dataclass(frozen=True)
class Table:
    """title: says what is counted, and whether it is simulated."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def results(summary: Summary) -> Table:
    measures = {
        "accuracy": "accuracy",
        "recall_dcm": SENSITIVITY,
        "recall_normal": SPECIFICITY,
        "balanced_accuracy": "balanced accuracy",
        "auroc": "AUROC",
        **({"brier": "Brier score", "ece": "calibration error"} if summary["counts"] == "patients" else {}),
    }
    rows = [(NAMES[name], *(_interval(values.get(key)) for key in measures)) for name, values in _networks(summary)]
    if summary["counts"] == "sections":
        accuracy = f"{summary['accuracy_of_the_majority_class']:.3f}"
        rows.append(("majority class (always DCM)", accuracy, "1.000", "0.000", "0.500", "0.500"))
    title = f"Results on {_tested(summary)} of {summary['cohort']}, with 95 % intervals over patients"
    return Table(title, ("", *measures.values()), tuple(rows))


def beside_the_paper(summary: Summary) -> Table:
    printed = PAPER_TABLES.get(summary["protocol"], {})
    header = (
        "",
        "accuracy, paper",
        "accuracy, ours",
        "recall of normal, paper (headed sensitivity)",
        "recall of normal, ours",
        "recall of DCM, paper (headed specificity)",
        "recall of DCM, ours",
    )
    rows = []
    for name, values in _networks(summary):
        if name in printed:
            ours = [f"{values[key]['value']:.4f}" for key in ("accuracy", "recall_normal", "recall_dcm")]
            paper = [f"{value:.4f}" for value in printed[name]]
            rows.append((NAMES[name], *(cell for pair in zip(paper, ours, strict=True) for cell in pair)))
    table = {
        "paper-1": "Table I of the paper, of 485 real slices",
        "paper-2": "Table II of the paper, of 640 slices made of 485 real ones",
    }.get(summary["protocol"], "")
    return Table(
        f"{table} that are not public, beside ours of {_tested(summary)} of {summary['cohort']}", header, tuple(rows)
    )


def paired(summary: Summary) -> Table:
    counted = _counted(summary)
    header = (
        "ACNet less",
        "AUROC of patients (DeLong)",
        "p",
        "p after Holm",
        f"AUROC of {counted} (bootstrap)",
        f"balanced accuracy of {counted} (bootstrap)",
    )
    rows = [
        (
            NAMES[name],
            _interval(values["auroc_delong"]),
            _p_value(values["p_delong"]),
            _p_value(values["p_holm"]),
            _interval(values["auroc_bootstrap"]),
            _interval(values["balanced_accuracy_bootstrap"]),
        )
        for name, values in _ordered(summary["paired"])
    ]
    counts = {values["patients"] for values in summary["paired"].values()}
    patients = f"{max(counts, default=0)} {_simulated(summary)}patients of {summary['cohort']}"
    return Table(f"Differences on the same {patients}; above 0: ACNet is better", header, tuple(rows))


def parts(summary: Summary) -> Table:
    """ACNet beside itself without one of its parts."""
    measures = {"balanced_accuracy": "balanced accuracy", "auroc": "AUROC"}
    header = ("ACNet", *measures.values(), "AUROC of ACNet less this (DeLong)", "p", "p after Holm")
    compared = summary["paired_with_variants"]
    rows = []
    for name, text in {"acnet": "as it is", **VARIANT_NAMES}.items():
        if compared and name in summary["networks"]:
            estimates = [_interval(summary["networks"][name][key]) for key in measures]
            difference = compared.get(name)
            tests = ["-"] * 3
            if difference is not None:
                p_values = [_p_value(difference[key]) for key in ("p_delong", "p_holm")]
                tests = [_interval(difference["auroc_delong"]), *p_values]
            rows.append((text, *estimates, *tests))
    title = f"What ACNet's parts are worth, on {_tested(summary)} of {summary['cohort']}"
    return Table(title, header, tuple(rows))


def runs(summary: Summary) -> Table:
    """Variants too."""
    is_paper = summary["counts"] == "sections"
    last = ("accuracy after the last epoch",) if is_paper else ()
    header = ("", "fold" if is_paper else "seed", "epoch kept", "AUROC", "accuracy", *last, SENSITIVITY, SPECIFICITY)
    rows = [
        (
            EVERY_NAME[name],
            str(run["number"]),
            str(run["best_epoch"]) if run["best_epoch"] else "-",
            f"{run['auroc']:.3f}",
            f"{run['accuracy']:.3f}",
            *([f"{run['accuracy_after_last_epoch']:.3f}"] if is_paper else []),
            f"{run['recall_dcm']:.3f}",
            f"{run['recall_normal']:.3f}",
        )
        for name, values in _ordered(summary["networks"], EVERY_NAME)
        for run in values["runs"]
    ]
    title = f"Each training, on {_simulated(summary)}{_counted(summary)} of {summary['cohort']}"
    return Table(title, header, tuple(rows))


def attention(summary: Summary) -> Table:
    header = ("", "mask", "on the wall", "the same of the mean map", "in the cavity")
    rows = [
        (EVERY_NAME[name], mask.replace("_", " "), *(f"{values[key]:.3f}" for key in ("wall", "mean_wall", "cavity")))
        for name, masks in _ordered(summary["attention"], EVERY_NAME)
        for mask, values in masks.items()
        if values
    ]
    title = (
        f"Attention relative to the whole crop (1: no preference), {_simulated(summary)}slices of {summary['cohort']}"
    )
    return Table(title, header, tuple(rows))


def leaks(summary: Summary) -> str:
    """What the protocol leaks, in sentences."""
    found = summary["leaks"]
    sentences = []
    if found["same_patient"]:
        share = f"{found['same_patient']:.1%}"
        sentences.append(f"{share} of the test slices are of patients of whom the network has seen other slices.")
    if found["copied_normals"]:
        share, copies = f"{found['copied_normals']:.1%}", f"{found['copies_among_test_sections']:.1%}"
        sentences.append(
            f"Of {share} of the normal test slices the training has the original or a copy; {copies} of the test "
            "slices are copies themselves, and only normals were turned and made noisy."
        )
    if found["epoch_chosen_on_test_sections"]:
        sentences.append("The epoch with the best accuracy on the test slices was kept.")
    if sentences:
        return " ".join(["This protocol leaks, as the paper's does, so its numbers are too good.", *sentences])
    return (
        "No patient is on both sides; epoch and temperatures were chosen on patients held back from "
        "training, and the test was done once."
    )


def scope(summary: Summary) -> str:
    """How much of the protocol was done, in sentences. Of the whole summary."""
    asked, training = summary["request"], summary["training"]
    kind = _simulated(summary)
    word = "fold" if summary["counts"] == "sections" else "seed"
    numbers = ", ".join(map(str, asked["numbers"]))
    field = f"{summary['field_strength_tesla']:g} T"
    tests = " and ".join(f"{_counts(cohort['test'])} ({name})" for name, cohort in summary["cohorts"].items())
    return (
        f"{word.capitalize()}s: {numbers}. {asked['epochs']} epochs of every network. A training has "
        f"{_counts(training)}, the test {tests}, all {kind}at {field}."
    )


def text_table(summary: Summary) -> str:
    table = results(summary)
    return f"{table.title}\n{table.markdown()}"


def _counts(counts: dict[str, int]) -> str:
    return (
        f"{counts['sections_normal']} normal and {counts['sections_dcm']} DCM slices of {counts['patients_normal']} "
        f"and {counts['patients_dcm']} patients"
    )


def _networks(summary: Summary) -> list[tuple[str, Any]]:
    return _ordered(summary["networks"])


def _ordered(values: dict[str, Any], names: Iterable[str] = NAMES) -> list[tuple[str, Any]]:
    return [(name, values[name]) for name in names if name in values]


def _counted(summary: Summary) -> str:
    return "slices" if summary["counts"] == "sections" else "patients"


def _tested(summary: Summary) -> str:
    tested, kind = summary["tested"], _simulated(summary)
    if summary["counts"] == "patients":
        return f"{tested['count']} {kind}patients"
    return f"{tested['count']} {kind}slices of {tested['patients']} patients"


def _simulated(summary: Summary) -> str:
    return "simulated " if summary["simulated"] else ""


def _interval(values: dict[str, float] | None) -> str:
    return "-" if values is None else estimate_text(values)


def _p_value(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


MAKERS = (results, beside_the_paper, paired, parts, runs, attention)


def tables(summary: Summary) -> tuple[Table, ...]:
    """All that have something to say."""
    every = (make(summary) for make in MAKERS)
    return tuple(table for table in every if table.rows)

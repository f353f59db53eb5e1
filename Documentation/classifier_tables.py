"""How right the shipped classifiers are, and what they look at."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from functools import partial, reduce
from operator import getitem

from ACNetLib.commands.main import main
from ACNetLib.inference.physiology import HIGHEST_OF_NORMAL, LOWEST_OF_NORMAL
from ACNetLib.models.header import read_card_values
from ACNetLib.models.store import SHIPPED_MODELS_FOLDER
from ACNetTrainerLib.evaluation.true_measures import CROSS_FITTED
from ACNetTrainerLib.evaluation.wording import estimate_text, percent_text
from ACNetTrainerLib.study import other_diseases, robustness
from table_cells import FIELDS, Record, at_home_and_abroad, markdown, results, share


def classifiers() -> list[Record]:
    return [results(f"acnet-simulated-{field}") for field in FIELDS]


def each_row(*keys: str) -> Iterator[tuple[str, str, Record]]:
    """Model, name and values of the rows that lie there in the results of each classifier."""
    for record in classifiers():
        for name, row in reduce(getitem, keys, record).items():
            yield record["model"], name, row


def models() -> str:
    heads, records = zip(*at_home_and_abroad("acnet-simulated"), strict=True)
    rows: list[tuple[str, Callable[[Record], str]]] = [
        ("AUROC of ACNet, cut around the true centre", lambda r: estimate_text(r["auroc"])),
        (
            "AUROC of ACNet, cut where the localizer finds the heart",
            lambda r: estimate_text(r["with_localizer"]["auroc"]),
        ),
        (
            "AUROC of a logistic regression on the *true* septal T1, cavity area and wall thickness, fitted to "
            + records[0]["true_measures"].get("regression_fitted_to", CROSS_FITTED),
            lambda r: estimate_text(r["true_measures"]["auroc_logistic_regression"]),
        ),
        ("ACNet less regression", lambda r: estimate_text(r["true_measures"]["auroc_model_minus_regression"])),
        ("sensitivity for DCM (recall_dcm), two-way", lambda r: estimate_text(r["recall_dcm"])),
        ("specificity for DCM (recall_normal), two-way", lambda r: estimate_text(r["recall_normal"])),
        ("balanced accuracy, two-way", lambda r: estimate_text(r["balanced_accuracy"])),
        (
            "AUROC among patients matched for cavity area (does it use T1?)",
            lambda r: estimate_text(r["true_measures"]["size_matched"]["auroc"]),
        ),
        (
            "AUROC among patients matched for septal T1 (does it use the shape?)",
            lambda r: estimate_text(r["true_measures"]["t1_matched"]["auroc"]),
        ),
    ]
    return markdown(["", *heads], [[name, *map(value, records)] for name, value in rows])


def calibration() -> str:
    return markdown(
        ["model", "prevalence of DCM", "study: calibration error", "Brier", "slice: calibration error", "Brier"],
        [
            [
                model,
                prevalence,
                *(f"{row[key]:.3f}" for key in ("study_ece", "study_brier", "section_ece", "section_brier")),
            ]
            for model, prevalence, row in each_row("calibration")
        ],
    )


def verdicts() -> str:
    return markdown(
        ["model", "class", "verdict normal", "verdict uncertain", "verdict dcm"],
        [
            [model, label, *(share(row[said]) for said in ("normal", "uncertain", "dcm"))]
            for model, label, row in each_row("verdicts")
        ],
    )


def shipped_model() -> str:
    """What the command shows of one, but for where its file is."""
    shown = io.StringIO()
    with redirect_stdout(shown):
        main(["models", "show", f"acnet-simulated-{FIELDS[0]}"])
    card = shown.getvalue().partition("\nFile")[0]
    return f"```\n{card}```\n"


def without_reference() -> str:
    """What a site's reference T1 is worth, as the models' cards say: measured at the end of their training."""
    cards = [read_card_values(SHIPPED_MODELS_FOLDER / f"acnet-simulated-{field}.safetensors") for field in FIELDS]
    costs = [card["training"]["unknown_reference"] for card in cards]
    t1_ms = [
        (LOWEST_OF_NORMAL * mean, HIGHEST_OF_NORMAL * mean) for mean, _ in (card["normal_t1_ms"] for card in cards)
    ]
    ranges = [card["uncertain_range_without_reference"] for card in cards]
    rows = [
        ["uncertain at a probability", *(f"from {low:g} to below {high:g}" for low, high in ranges)],
        ["also below, and above, a septal T1 of", *(f"{low:.0f}, {high:.0f} ms" for low, high in t1_ms)],
        ["AUROC on the held-back patients, T1 as in training", *(f"{cost['auroc']:.3f}" for cost in costs)],
        ["AUROC on the same, T1 wrong by an unknown factor", *(f"{cost['auroc_with_bias']:.3f}" for cost in costs)],
    ]
    return markdown(["without a reference T1", *(f"{field[:-1]} T" for field in FIELDS)], rows)


def outside() -> str:
    """Who is called unlike the training's hearts."""
    records = [results(f"outside-{field}") for field in FIELDS]

    def row(name: str, shares: Sequence[Record]) -> list[str]:
        return [name, *map(percent_text, shares)]

    held_back = [record["false_alarms_held_back"] for record in records]
    rows = [row("normal and DCM, held back by the training", held_back)]
    for name, place in (("judging", "at home"), ("abroad", "abroad")):
        shares = [record["others"][f"{name}-{field}"] for record, field in zip(records, FIELDS, strict=True)]
        rows.append(row(f"normal and DCM, {place}", shares))
    for disease in records[0]["diseases"]:
        shown = " (shown)" if disease in records[0]["shown"] else ""
        rows.append(row(f"{other_diseases.GROUP_NAMES[disease]}{shown}", [r["diseases"][disease] for r in records]))
    for disease in records[0]["diseases_left_out"]:
        shares = [record["diseases_left_out"][disease] for record in records]
        rows.append(row(f"{other_diseases.GROUP_NAMES[disease]}, if it is not shown", shares))
    return markdown(["simulated patients called unlike the training's hearts [%]", "1.5 T", "3 T"], rows)


CALLS = {"normal": "normal", "dcm": "DCM"}
LIMIT_NAMES = {
    "score": "score of the network's features",
    "relative_wall": "thickest sixth of the wall over the cavity's radius",
    "rv_to_lv": "area of the right ventricle over that of the left",
}


def outside_limits() -> str:
    """The limits for three slices, and who of the patients with and without them is above."""
    records = [results(f"outside-limits-{field}") for field in FIELDS]
    rows = [
        [f"limit for three slices, called {CALLS[call]}: {words}"]
        + [f"{record['limits'][call][name][-1]:.2f}" for record in records]
        for name, words in LIMIT_NAMES.items()
        for call in CALLS
    ]
    places: dict[str, list[Record]] = {
        "held back by the training": [record["held_back"] for record in records],
        "the same as other sites have them": [record["held_back_elsewhere"] for record in records],
        **{
            words: [record["others"][f"{place}-{field}"] for record, field in zip(records, FIELDS, strict=True)]
            for words, place in (("at home", "judging"), ("abroad", "abroad"))
        },
    }
    for words, of_fields in places.items():
        for label, who in CALLS.items():
            shares = [each[label] for each in of_fields]
            rows.append([f"{who} above any limit, {words} [%]", *(percent_text(each["any"]) for each in shares)])
            for name, short in (("score", "score"), ("relative_wall", "wall"), ("rv_to_lv", "right ventricle")):
                rows.append([f"above that of the {short} [%]", *(percent_text(each[name]) for each in shares)])
    return markdown(["simulated patients", "1.5 T", "3 T"], rows)


def diseases(field: str) -> str:
    return other_diseases.table(results(f"other-diseases-{field}")["groups"]) + "\n"


def small_hearts() -> str:
    """What the whole software answers of hearts of a child's size."""
    said = {"dcm": "DCM", "outside": "unlike", "uncertain": "uncertain", "normal": "normal", "not_answered": "none"}
    rows = []
    for column, record in at_home_and_abroad("third-answer"):
        for label, name in (("normal", "normal"), ("dcm", "DCM")):
            group = record["verdicts"][f"small_{label}"]
            shares = [percent_text(group["verdicts"][verdict]) for verdict in said]
            rows.append([f"{name}, {column}", str(group["patients"]), *shares])
    return markdown(["two thirds of the size", "n", *(f"{word} [%]" for word in said.values())], rows)


def poor_images(field: str) -> str:
    return robustness.table(results(f"robustness-{field}")["degradations"]) + "\n"


CUT_COLUMNS = {"zero": "0", "median": "median", "mirrored": "mirrored, as now", "software": "whole software"}


def cut_maps() -> str:
    header = ["what is left of the map", "of the crops missing", *CUT_COLUMNS.values(), "firm verdicts before", "after"]
    rows = []
    for name, change in results("cut-maps")["changes"].items():
        moved = [change["log_odds"][key] for key in CUT_COLUMNS]
        counts = dict.fromkeys(("before", "after"), 0)
        for verdicts, patients in change["verdicts"].items():
            for when, verdict in zip(counts, verdicts.split(" to "), strict=True):
                counts[when] += patients if verdict in ("dcm", "normal") else 0
        changes = [f"{each['mean']:+.2f} ({each['largest']:+.2f})" for each in moved]
        rows.append([name, share(change["missing"]), *changes, *map(str, counts.values())])
    return markdown(header, rows)


TABLES: dict[str, Callable[[], str]] = {
    "models": models,
    "calibration": calibration,
    "verdicts": verdicts,
    "shipped-model": shipped_model,
    "without-reference": without_reference,
    "outside": outside,
    "outside-limits": outside_limits,
    **{f"other-diseases-{field}": partial(diseases, field) for field in FIELDS},
    "small-hearts": small_hearts,
    "cut-maps": cut_maps,
    **{f"robustness-{field}": partial(poor_images, field) for field in FIELDS},
}

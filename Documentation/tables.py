"""Fills the tables of the README and of these pages from the results: `make tables`.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; what is between them is made here and never
typed. Testing/test_documentation.py fails when a page and its results differ.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ACNetTrainerLib import comparison_tables, other_diseases, robustness
from ACNetTrainerLib.evaluation import CROSS_FITTED

DOCUMENTATION = Path(__file__).parent
PAGES = (DOCUMENTATION.parent / "README.md", *sorted(DOCUMENTATION.glob("*.md")))
FIELDS = ("1.5T", "3T")
COMPARED = {
    "paper-1": comparison_tables.MAKERS,
    "paper-2": comparison_tables.MAKERS,
    "paper-2-30-epochs": (comparison_tables.results, comparison_tables.paired),
    "honest": tuple(make for make in comparison_tables.MAKERS if make is not comparison_tables.beside_the_paper),
    "honest-18-epochs": (comparison_tables.results, comparison_tables.paired),
}
"""The comparisons whose results are kept, and the tables that the documentation shows of each."""
BLOCK = re.compile(r"(<!-- table: (?P<name>[\w.-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)

Record = dict[str, Any]


def results(name: str) -> Record:
    values: Record = json.loads((DOCUMENTATION / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return values


def classifiers() -> list[Record]:
    return [results(f"acnet-simulated-{field}") for field in FIELDS]


def localizer() -> list[tuple[str, Record]]:
    record = results("localizer-simulated")
    return [(field, record[field]) for field in ("1.5 T", "3 T")]


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def estimate(values: Record) -> str:
    return f"{values['value']:.3f} ({values['low']:.3f} to {values['high']:.3f})"


def mm(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} mm"


def share(value: float) -> str:
    return f"{100 * value:.1f} %"


def models() -> str:
    records = classifiers()
    rows: list[tuple[str, Callable[[Record], str]]] = [
        ("AUROC of ACNet, cut around the true centre", lambda r: estimate(r["auroc"])),
        ("AUROC of ACNet, cut where the localizer finds the heart", lambda r: estimate(r["with_localizer"]["auroc"])),
        (
            "AUROC of a logistic regression on the *true* septal T1, cavity area and wall thickness, fitted to "
            + records[0]["true_measures"].get("regression_fitted_to", CROSS_FITTED),
            lambda r: estimate(r["true_measures"]["auroc_logistic_regression"]),
        ),
        ("ACNet less regression", lambda r: estimate(r["true_measures"]["auroc_model_minus_regression"])),
        ("recall_dcm, two-way", lambda r: estimate(r["recall_dcm"])),
        ("recall_normal, two-way", lambda r: estimate(r["recall_normal"])),
        ("balanced accuracy, two-way", lambda r: estimate(r["balanced_accuracy"])),
        (
            "AUROC among patients matched for cavity area (does it use T1?)",
            lambda r: estimate(r["true_measures"]["size_matched"]["auroc"]),
        ),
        (
            "AUROC among patients matched for septal T1 (does it use the shape?)",
            lambda r: estimate(r["true_measures"]["t1_matched"]["auroc"]),
        ),
    ]
    return markdown(["", *(r["model"] for r in records)], [[name, *map(value, records)] for name, value in rows])


def calibration() -> str:
    return markdown(
        ["model", "prevalence of DCM", "study: calibration error", "Brier", "section: calibration error", "Brier"],
        [
            [
                record["model"],
                prevalence,
                *(f"{row[key]:.3f}" for key in ("study_ece", "study_brier", "section_ece", "section_brier")),
            ]
            for record in classifiers()
            for prevalence, row in record["calibration"].items()
        ],
    )


def verdicts() -> str:
    return markdown(
        ["model", "class", "verdict normal", "verdict uncertain", "verdict dcm"],
        [
            [record["model"], label, *(share(row[said]) for said in ("normal", "uncertain", "dcm"))]
            for record in classifiers()
            for label, row in record["verdicts"].items()
        ],
    )


def centres() -> str:
    return markdown(
        ["", "sections", "not found", "centre error, median", "99th percentile", "mean position, median"],
        [
            [
                field,
                str(values["sections"]),
                share(values["not_found_fraction"]),
                mm(values["center_error_median_mm"]),
                mm(values["center_error_p99_mm"]),
                mm(values["mean_position"]["center_error_median_mm"]),
            ]
            for field, values in localizer()
        ],
    )


def dice() -> str:
    return markdown(
        ["", "level", "myocardium", "cavity"],
        [
            [field, level, f"{row['myocardium']:.3f}", f"{row['cavity']:.3f}"]
            for field, values in localizer()
            for level, row in values["dice"].items()
        ],
    )


def measures() -> str:
    names = {
        "septal_t1_ms": "mid-wall septal T1 [ms]",
        "cavity_area_mm2": "cavity area [mm2]",
        "wall_thickness_mm": "wall thickness [mm]",
    }
    return markdown(
        ["", *names.values()],
        [
            [
                field,
                *(f"{values['measures'][name]['mean']:.1f}, {values['measures'][name]['sd']:.1f}" for name in names),
            ]
            for field, values in localizer()
        ],
    )


def odd() -> str:
    return markdown(
        ["", "condition", "not found", "centre error, median", "99th percentile", "Dice, myocardium"],
        [
            [
                field,
                condition,
                share(row["not_found_fraction"]),
                mm(row["center_error_median_mm"]),
                mm(row["center_error_p99_mm"]),
                f"{row['dice']['myocardium']:.3f}" if "dice" in row else "-",
            ]
            for field, values in localizer()
            for condition, row in values["odd_images"].items()
        ],
    )


def attention() -> str:
    return markdown(
        ["model", "class", "wall", "cavity", "elsewhere"],
        [
            [
                record["model"],
                label,
                *(
                    f"{row['own_map'][region]:.3f} (mean map {row['mean_map'][region]:.3f})"
                    for region in ("wall", "cavity", "elsewhere")
                ),
            ]
            for record in classifiers()
            for label, row in record["attention"]["enrichment"]["combined"].items()
        ],
    )


def masks() -> str:
    return markdown(
        ["AUROC", *(record["model"] for record in classifiers())],
        [
            [name, *(f"{record['attention']['auroc'][key]:.3f}" for record in classifiers())]
            for name, key in (("with its own masks", "own_masks"), ("with mean masks", "mean_masks"))
        ],
    )


def diseases(field: str) -> str:
    return other_diseases.table(results(f"other-diseases-{field}")["groups"]) + "\n"


def poor_images(field: str) -> str:
    return robustness.table(results(f"robustness-{field}")["degradations"]) + "\n"


def compared(name: str, make: Callable[[Record], comparison_tables.Table]) -> str:
    table = make(results(f"comparison-{name}"))
    return f"{table.title}:\n\n{table.markdown()}"


def compared_scope(name: str) -> str:
    record = results(f"comparison-{name}")
    return f"{comparison_tables.scope(record)}\n\n{comparison_tables.leaks(record)}\n"


TABLES: dict[str, Callable[[], str]] = {
    **{
        table.__name__: table
        for table in (models, calibration, verdicts, centres, dice, measures, odd, attention, masks)
    },
    **{f"other-diseases-{field}": partial(diseases, field) for field in FIELDS},
    **{f"robustness-{field}": partial(poor_images, field) for field in FIELDS},
    **{f"comparison-{name}-scope": partial(compared_scope, name) for name in COMPARED},
    **{
        f"comparison-{name}-{make.__name__.replace('_', '-')}": partial(compared, name, make)
        for name, makers in COMPARED.items()
        for make in makers
    },
}


def filled(text: str) -> str:
    """A page with its tables as the results say."""
    return BLOCK.sub(lambda block: f"{block[1]}{TABLES[block['name']]()}{block[3]}", text)


if __name__ == "__main__":
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        if filled(text) != text:
            page.write_text(filled(text), encoding="utf-8", newline="\n")
            print(page.name)

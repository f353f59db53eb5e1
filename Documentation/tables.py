"""Fills the tables of the README and of these pages from the results: `make tables`.

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`; what is between them is made here and never
typed. Testing/extension/test_documentation.py fails when a page and its results differ.
"""

from __future__ import annotations

import json
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial, reduce
from pathlib import Path
from typing import Any

import validation_tables
from ACNetLib.triage.rows import ANSWER_WORDS, ANSWERS
from ACNetTrainerLib.evaluation.true_measures import CROSS_FITTED
from ACNetTrainerLib.study import other_diseases, robustness
from ACNetTrainerLib.study import tables as comparison_tables

DOCUMENTATION = Path(__file__).parent
PAGES = (DOCUMENTATION.parent / "README.md", *sorted(DOCUMENTATION.glob("*.md")))
Record = dict[str, Any]

FIELDS = ("1.5T", "3T")
PLACES = {"at home": "", "abroad": "-abroad"}
"""Patients of the simulation that trained the models, and of the one that no training knows; the results' suffix."""
COMPARED: dict[str, tuple[Callable[[Record], comparison_tables.Table], ...]] = {
    "paper-1": (),
    "paper-2": (comparison_tables.results,),
    "paper-2-30-epochs": (comparison_tables.results, comparison_tables.paired),
    "honest": (comparison_tables.results,),
    "honest-18-epochs": (comparison_tables.results, comparison_tables.paired),
}
"""The comparisons whose results are kept, and the tables that the documentation shows of each."""
REAL_HEARTS = {
    "diameter": ("49.3 (4.1)", "68.1 (6.1)"),
    "mean_wall": ("7.0 (1.0)", "7.9 (1.3)"),
    "septal_wall": ("7.5 (1.4)", "9.1 (1.8)"),
    "lateral_wall": ("7.1 (1.3)", "7.5 (1.4)"),
    "wall_sd": ("1.2 (0.3)", "1.5 (0.3)"),
    "rv_area": ("17.9 (4.9)", "20.1 (8.9)"),
    "rv_width": ("35.0 (5.9)", "32.4 (9.6)"),
    "rv_span": ("113 (13)", "105 (13)"),
    "rv_hull": ("0.82 (0.07)", "0.75 (0.07)"),
}
"""Normal and DCM at mid level, measured on the outlines of ACDC (Bernard 2018)."""
BLOCK = re.compile(r"(<!-- table: (?P<name>[\w.-]+) -->\n).*?(<!-- end of table -->)", re.DOTALL)


def results(name: str) -> Record:
    values: Record = json.loads((DOCUMENTATION / "results" / f"{name}.json").read_text(encoding="utf-8"))
    return values


def classifiers() -> list[Record]:
    return [results(f"acnet-simulated-{field}") for field in FIELDS]


def at_home_and_abroad() -> list[tuple[str, Record]]:
    return [
        (f"{field.replace('T', ' T')}, {place}", results(f"acnet-simulated-{field}{suffix}"))
        for field in FIELDS
        for place, suffix in PLACES.items()
    ]


def localizer() -> list[tuple[str, Record]]:
    return [
        (f"{field}, {place}", results(f"localizer-simulated{suffix}")[field])
        for field in ("1.5 T", "3 T")
        for place, suffix in PLACES.items()
    ]


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
    columns = at_home_and_abroad()
    records = [record for _, record in columns]
    rows: list[tuple[str, Callable[[Record], str]]] = [
        ("AUROC of ACNet, cut around the true centre", lambda r: estimate(r["auroc"])),
        ("AUROC of ACNet, cut where the localizer finds the heart", lambda r: estimate(r["with_localizer"]["auroc"])),
        (
            "AUROC of a logistic regression on the *true* septal T1, cavity area and wall thickness, fitted to "
            + records[0]["true_measures"].get("regression_fitted_to", CROSS_FITTED),
            lambda r: estimate(r["true_measures"]["auroc_logistic_regression"]),
        ),
        ("ACNet less regression", lambda r: estimate(r["true_measures"]["auroc_model_minus_regression"])),
        ("sensitivity for DCM (recall_dcm), two-way", lambda r: estimate(r["recall_dcm"])),
        ("specificity for DCM (recall_normal), two-way", lambda r: estimate(r["recall_normal"])),
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
    return markdown(["", *(name for name, _ in columns)], [[name, *map(value, records)] for name, value in rows])


def calibration() -> str:
    return markdown(
        ["model", "prevalence of DCM", "study: calibration error", "Brier", "slice: calibration error", "Brier"],
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
        [
            "",
            "slices",
            "studies answered",
            "slices not found",
            "centre error, median",
            "90th percentile",
            "99th percentile",
            "of those found, within 10 mm",
            "mean position, median",
        ],
        [
            [
                field,
                str(values["sections"]),
                share(values["studies_answered_fraction"]),
                share(values["not_found_fraction"]),
                mm(values["center_error_median_mm"]),
                mm(values["center_error_p90_mm"]),
                mm(values["center_error_p99_mm"]),
                share(values["within_10_mm_fraction"]),
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
            for level, row in {**values["dice"], "all, median": values["dice_median"]}.items()
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


def simulation_checks(groups: Sequence[str]) -> str:
    """Checks of the simulation, by group, at 1.5 T and 3 T; a value outside its band is bold."""
    records = [results(f"simulation-{field}")["checks"] for field in FIELDS]

    def said(check: Record) -> str:
        text = f"{check['value']:.4g}"
        return text if check["within"] else f"**{text}**"

    return markdown(
        ["", "", *(field.replace("T", " T") for field in FIELDS), "band", "from life, or set"],
        [
            [
                pair[0]["group"],
                pair[0]["name"],
                *map(said, pair),
                " / ".join(dict.fromkeys(f"{check['low']:.4g} to {check['high']:.4g}" for check in pair)),
                " / ".join(dict.fromkeys(check["reference"] for check in pair)),
            ]
            for pair in zip(*records, strict=True)
            if pair[0]["group"] in groups
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


def explanation() -> str:
    """What an explanation would have to show, of each map, on patients whom no training knows."""
    heads, maps = [], []
    for field in FIELDS:
        record = results(f"attention-{field}-abroad")
        for key, name in (("module_1", "module 1"), ("module_2", "module 2"), ("combined", "combined")):
            heads.append(f"{field[:-1]} T, {name}")
            maps.append((key, record))

    def told(estimate: Record, digits: int) -> str:
        return "{value:.{d}f} ({low:.{d}f} to {high:.{d}f})".format(**estimate, d=digits)

    def row(name: str, of: Callable[[str, Record], str]) -> list[str]:
        return [name, *(of(key, record) for key, record in maps)]

    def where(label: str, measure: str) -> Callable[[str, Record], str]:
        return lambda key, record: told(record["maps"][key]["where"][label][measure], 1)

    def of_map(measure: str, digits: int) -> Callable[[str, Record], str]:
        return lambda key, record: told(record["maps"][key][measure], digits)

    def of_network(measure: str) -> Callable[[str, Record], str]:
        return lambda key, record: told(record["auroc_lost"][measure], 3) if key == "combined" else ""

    def randomised(key: str, record: Record) -> str:
        return f"{record['rank_correlation_after_randomising']['down_residual'][key]:.2f}"

    rows = [
        row(f"wall over slice, {name}; wanted 4", where(label, "wall_over_slice"))
        for label, name in (("normal", "normal"), ("dcm", "DCM"))
    ]
    rows += [
        row(f"the same of the mean map, {name}", where(label, "mean_map_wall_over_slice"))
        for label, name in (("normal", "normal"), ("dcm", "DCM"))
    ]
    rows += [
        row(f"wall over cavity, {name}; wanted 3", where(label, "wall_over_cavity"))
        for label, name in (("normal", "normal"), ("dcm", "DCM"))
    ]
    rows += [
        row("pointing game, 4 mm; wanted 0.9", of_map("pointing_game", 2)),
        row("log odds moved, its highest tenth over the same area anywhere; wanted 3", of_map("deletion", 1)),
        row("follows a shift by 8 mm (correlation); wanted 0.9", of_map("follows_a_shift", 3)),
        row("follows a turn by 20 degrees; wanted 0.9", of_map("follows_a_turn", 3)),
        row("rank correlation with random weights; wanted below 0.3", randomised),
        row("AUROC lost with mean masks; wanted 0.02", of_network("mean_masks")),
        row("AUROC lost without masks; wanted 0.02", of_network("no_masks")),
    ]
    return markdown(["simulated patients, abroad", *heads], rows)


def outside() -> str:
    """Who is called unlike the training's hearts."""
    records = [results(f"outside-{field}") for field in FIELDS]

    def row(name: str, shares: Sequence[Record]) -> list[str]:
        told = ("{value:.0f} ({low:.0f} to {high:.0f})", ("value", "low", "high"))
        return [name, *(told[0].format(**{key: 100 * share[key] for key in told[1]}) for share in shares)]

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


def reading() -> str:
    """How much of a list is read until 95 % of its patients with DCM are found."""
    heads, records = [], []
    for field in FIELDS:
        for place, suffix in PLACES.items():
            heads.append(f"{field[:-1]} T, {place}")
            records.append(results(f"reading-order-{field}{suffix}"))

    def told(shares: Record) -> str:
        return "{mean:.0f} ({low:.0f} to {high:.0f})".format(**{key: 100 * shares[key] for key in shares})

    rows = []
    for prevalence in records[0]["share_read"]:
        for order, words in (("sorted", "sorted"), ("as_they_come", "as they come")):
            shares = [told(record["share_read"][prevalence][order]) for record in records]
            rows.append([f"{100 * float(prevalence):.0f} %, {words}", *shares])
    return markdown(["prevalence of DCM and order; share of the list read [%]", *heads], rows)


def hospital() -> str:
    """Which studies of a mixed export got which answer."""
    record = results("hospital")
    given = [answer for answer in ANSWERS if any(answer in each for each in record["answers"].values())]
    rows = []
    for kind, answers in record["answers"].items():
        count = record["studies"][kind]
        no_row = count - sum(answers.values())
        rows.append([kind, *(str(value or "") for value in (count, *map(answers.get, given), no_row))])
    table = markdown(["what it is", "studies", *(ANSWER_WORDS[answer] for answer in given), "no row"], rows)
    share = f"{100 * record['share_read_for_95_percent_of_dcm']:.0f} %"
    return f"{table}\n95 % of the patients with DCM stand in the first {share} of the {record['rows']} rows.\n"


def retraining() -> str:
    """What training on one's own cases gains at simulated hospitals."""
    ways = ("shipped as it is", "from scratch", "fine-tuned")
    measures = {"auroc": "AUROC", "balanced_accuracy": "balanced accuracy"}
    rows = [
        [
            f"{slices} ({found['training']['normal']} normal), {number}, {found['scanner_factor']:.3f}",
            name,
            *(estimate(found[way][measure]) for way in ways),
            estimate(found["AUROC, fine-tuned less shipped as it is"]) if measure == "auroc" else "",
        ]
        for slices, of_size in results("retraining")["slices"].items()
        for number, found in of_size.items()
        for measure, name in measures.items()
    ]
    head = "slices of one's own, hospital, its scanner's factor of T1"
    return markdown([head, "on 300 fresh patients", *ways, "fine-tuned less shipped"], rows)


def training_choices() -> str:
    """What choices of the classifier's training gain in a small one."""
    choices = results("training-choices-3T")["choices"]
    places = ("at home", "at home, T1 6 % too long", "abroad", "abroad, T1 6 % too long")
    rows = [[name, *(estimate(found[place]["auroc"]) for place in places)] for name, found in choices.items()]
    return markdown(["AUROC over patients", *places], rows)


def poor_images(field: str) -> str:
    return robustness.table(results(f"robustness-{field}")["degradations"]) + "\n"


def compared(name: str, make: Callable[[Record], comparison_tables.Table]) -> str:
    table = make(results(f"comparison-{name}"))
    return f"{table.title}:\n\n{table.markdown()}"


def compared_scope(name: str) -> str:
    record = results(f"comparison-{name}")
    return f"{comparison_tables.scope(record)}\n\n{comparison_tables.leaks(record)}\n"


def abroad_shapes() -> str:
    measured = results("abroad-1.5T")["shapes"]["measures"]
    names = {
        "diameter": "cavity, equivalent diameter [mm]",
        "mean_wall": "mean wall [mm]",
        "septal_wall": "septal wall [mm]",
        "lateral_wall": "lateral wall [mm]",
        "wall_sd": "SD of the wall round the ring [mm]",
        "rv_area": "RV area [cm2]",
        "rv_width": "RV width beyond the LV [mm]",
        "rv_span": "RV insertion span [degrees]",
        "rv_hull": "RV area / its convex hull",
    }

    def ours(kind: str, name: str) -> str:
        value = measured[kind]["mid"][name]
        return f"{value['mean']:.3g} ({value['sd']:.2g})"

    return markdown(
        ["mid level, mean (SD)", "normal, real", "normal", "DCM, real", "DCM"],
        [
            [label, REAL_HEARTS[name][0], ours("normal", name), REAL_HEARTS[name][1], ours("dcm", name)]
            for name, label in names.items()
        ],
    )


def abroad_separation() -> str:
    records = [results(f"abroad-{field}") for field in FIELDS]
    names = {
        "cavity_area": ("cavity area", "0.90"),
        "mean_wall": ("mean wall", "0.69"),
        "septal_wall": ("septal wall", "0.78"),
        "rv_area": ("RV area", "0.54"),
        "rv_width": ("RV width", "0.38"),
    }
    shapes = [
        [label, real, *[f"{records[0]['shapes']['auroc'][name]:.2f}"] * 2] for name, (label, real) in names.items()
    ]
    maps = [
        ["mid-wall septal T1, from the maps", "0.85", *(f"{r['maps']['auroc']['septal_t1_ms']:.2f}" for r in records)],
        ["cavity area, from the maps", "0.90", *(f"{r['maps']['auroc']['cavity_area_mm2']:.2f}" for r in records)],
    ]
    spread = [
        [label, real, *(f"{r['maps']['medians'][name]:.0f}" for r in records)]
        for name, label, real in (
            ("wall_interquartile_range_ms", "interquartile range of T1 in the wall [ms]", "102"),
            ("wall_sd_ms", "SD of T1 in the wall [ms]", "85"),
            ("mid_wall_sd_ms", "the same without the wall's inner and outer fifth [ms]", ""),
            ("map_percentile_1_ms", "1st percentile of the map [ms]", "72 (3 T)"),
            ("map_percentile_99_ms", "99th percentile of the map [ms]", "2075 (3 T)"),
        )
    ]
    return markdown(["AUROC, DCM above normal, and spread of T1", "aim", "1.5 T", "3 T"], [*shapes, *maps, *spread])


def fitting() -> str:
    measured: Record = results("fitting")["results"]
    header = ["", *(f"{kind} images" for kind in measured)]

    def row(label: str, text: str, *keys: str) -> list[str]:
        found = [reduce(operator.getitem, keys, each) for each in measured.values()]
        return [label, *(text.format(value) for value in found)]

    rows = [
        row("a slice of 192 x 256", "{:.3f} s", "seconds_a_slice"),
        row("the same with curve_fit", "{:.1f} s", "curve_fit_seconds_a_slice"),
        row("times as fast", "{:.0f}", "ratio"),
        row("difference to curve_fit, median", "{:.0e} ms", "difference_to_curve_fit_ms", "median"),
    ]
    compared: Record = results("fitting")["difference_to_qmrpy"]
    rows.append(["difference to qmrpy, median", *(f"{compared[kind]['median, ms']:.3f} ms" for kind in measured)])
    for tissue in ("myocardium", "blood"):
        rows += [
            row(f"{tissue}: bias", "{:z.1f} ms", "error_ms", tissue, "bias"),
            row(f"{tissue}: SD", "{:.1f} ms", "error_ms", tissue, "sd"),
            row(f"{tissue}: SD that the fit says, median", "{:.1f} ms", "error_ms", tissue, "sd by the fit, median"),
        ]
    return markdown(header, rows)


def fitting_motion() -> str:
    measured: Record = results("fitting-motion")["results"]
    error = measured["error_of_the_shift_mm"]
    rows = [
        ["error of the shift found: mean", f"{error['mean']:.2f} mm"],
        ["error of the shift found: 95th percentile", f"{error['95th percentile']:.2f} mm"],
        ["error of the shift found: largest", f"{error['largest']:.2f} mm"],
    ]
    for when, place in measured["residual_mm"].items():
        rows.append([f"distance from the fit, {when}", f"{place:.2f} mm"])
    for when, part in measured["heart_off_by_100_ms"].items():
        rows.append([f"heart off by more than 100 ms, {when}", share(part)])
    return markdown(["", "moving heart"], rows)


def fitting_bias() -> str:
    read: Record = results("fitting")["reads_myocardium_of_1150_ms_as"]
    return markdown(["sequence", "T1"], [[name, f"{t1_ms:.0f} ms"] for name, t1_ms in read.items()])


TABLES: dict[str, Callable[[], str]] = {
    "abroad-shapes": abroad_shapes,
    "abroad-separation": abroad_separation,
    **{
        table.__name__: table
        for table in (
            models,
            calibration,
            verdicts,
            centres,
            dice,
            measures,
            odd,
            attention,
            masks,
            explanation,
            fitting,
            outside,
            reading,
            hospital,
            retraining,
        )
    },
    "fitting-bias": fitting_bias,
    "training-choices": training_choices,
    "fitting-motion": fitting_motion,
    **validation_tables.TABLES,
    "simulation-classes": partial(simulation_checks, ["AUROC"]),
    "simulation-realism": partial(simulation_checks, ["realism", "placement"]),
    "simulation-hearts": partial(
        simulation_checks, [f"{label} {level}" for label in ("normal", "dcm") for level in ("base", "mid", "apex")]
    ),
    **{f"other-diseases-{field}": partial(diseases, field) for field in FIELDS},
    **{f"robustness-{field}": partial(poor_images, field) for field in FIELDS},
    **{f"comparison-{name}-scope": partial(compared_scope, name) for name in ("paper-1", "paper-2", "honest")},
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

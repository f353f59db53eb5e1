"""How right the shipped localizer is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ACNetTrainerLib.evaluation.wording import estimate_text
from table_cells import FIELDS, PLACES, Record, markdown, mm, results, share


def localizer() -> list[tuple[str, Record]]:
    return [
        (f"{field}, {place}", results(f"localizer-simulated{suffix}")[field])
        for field in ("1.5 T", "3 T")
        for place, suffix in PLACES.items()
    ]


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


def septum() -> str:
    """How far off the septum's direction is, by which ACNet's slices are turned."""
    return markdown(
        ["", "error of the septum's direction, median", "90th percentile", "99th percentile"],
        [
            [field, *(f"{values['septum_error_degrees'][name]:.1f} degrees" for name in ("median", "p90", "p99"))]
            for field, values in localizer()
        ],
    )


def mean_heart() -> str:
    """Localizer and classifiers on normal hearts of the mean shape of real ones, beside drawn hearts with DCM."""
    heads, rows = [], dict[str, list[str]]()
    for field in FIELDS:
        heads.append(f"{field[:-1]} T")
        found = results("localizer-simulated-mean-heart")[f"{field[:-1]} T"]
        record = results(f"acnet-simulated-{field}-mean-heart")
        for name, text in (
            ("studies answered", share(found["studies_answered_fraction"])),
            (
                "centre error, median and 90th percentile",
                f"{found['center_error_median_mm']:.1f}, {found['center_error_p90_mm']:.1f} mm",
            ),
            ("Dice of the myocardium, median", f"{found['dice_median']['myocardium']:.3f}"),
            ("specificity for DCM (recall_normal): these hearts", estimate_text(record["recall_normal"])),
            ("sensitivity for DCM (recall_dcm): drawn hearts", estimate_text(record["recall_dcm"])),
            ("AUROC, true centre", estimate_text(record["auroc"])),
            ("AUROC, localizer", estimate_text(record["with_localizer"]["auroc"])),
        ):
            rows.setdefault(name, []).append(text)
    return markdown(["", *heads], [[name, *texts] for name, texts in rows.items()])


KIND_NAMES = {
    "normal": "normal",
    "dcm": "heart failure without ischaemia",
    "infarct": "heart failure after infarct",
    "hcm": "hypertrophic",
}


def real_hearts() -> str:
    """What the whole software says of scans of traced ventricles, a row a heart."""
    records = [results(f"real-hearts-{field}")["hearts"] for field in FIELDS]
    rows = []
    for name, heart in sorted(records[0].items(), key=lambda item: list(KIND_NAMES).index(item[1]["kind"])):
        row = [f"{name}: {KIND_NAMES[heart['kind']]}", f"{heart['cavity_diameter_mm']:.0f} mm"]
        for record in records:
            of_field = record[name]
            said = ", ".join(
                f"{count} {verdict.replace('_', ' ')}" for verdict, count in of_field["verdicts"].items() if count
            )
            probability = of_field["probability_dcm_median"]
            row += [said, "-" if probability is None else f"{probability:.2f}"]
        centers, dices = (
            [record[name][key] for record in records] for key in ("center_error_median_mm", "dice_median")
        )
        row += [", ".join(mm(center) for center in centers), ", ".join(f"{value:.2f}" for value in dices)]
        walls = [record[name]["relative_wall_median"] for record in records]
        row.append(f"{walls[0]['true']:.2f}; " + ", ".join(f"{wall['found']:.2f}" for wall in walls))
        rows.append(row)
    by_field = [head for field in FIELDS for head in (f"{field[:-1]} T: verdicts", "probability of DCM, median")]
    return markdown(
        ["heart", "cavity", *by_field, "centre error", "Dice of the myocardium", "thickest wall / radius: true; found"],
        rows,
    )


SAID = ("normal", "uncertain", "outside", "dcm", "not_answered")
NAMES = {"normal": "normal", "dcm": "DCM", "outside": "unlike the training's hearts"}


def real_hearts_in_short() -> str:
    """The same over the hearts of a group and both field strengths, in sentences."""
    counts = {kind: Counter[str]() for kind in KIND_NAMES}
    for field in FIELDS:
        for heart in results(f"real-hearts-{field}")["hearts"].values():
            counts[heart["kind"]].update(heart["verdicts"])
    every = sum((of_kind for of_kind in counts.values()), Counter[str]())
    answered = every.total() - every["not_answered"]
    groups = (
        ("Two normal hearts were called", "normal", ("normal", "dcm")),
        ("two with heart failure without ischaemia, one of them barely dilated,", "dcm", ("dcm", "normal")),
        ("two hypertrophic ones", "hcm", ("outside", "dcm", "normal")),
        ("two after an infarct, which are dilated,", "infarct", ("dcm", "normal")),
    )
    told = "; ".join(
        f"{group} {NAMES[first]} in {counts[kind][first]} of {counts[kind].total()} scans, "
        + ", ".join(f"{NAMES[said]} in {counts[kind][said]}" for said in others)
        for group, kind, (first, *others) in groups
    )
    return f"Of {every.total()} such scans {answered} were answered. {told}. The rest is uncertain or unlike.\n"


def volunteers() -> str:
    """What the whole software says of volunteers' ventricles, by wall and by cavity: a row a group."""
    records = [results(f"volunteers-{field}")["together"]["normal"] for field in FIELDS]
    rows = []
    for name in records[0]:
        row = [_group_name(name), str(records[0][name]["hearts"])]
        for record in records:
            shares = (record[name]["verdicts"][said]["value"] for said in SAID)
            row += [", ".join(f"{100 * value:.0f}" for value in shares), _specificity(record[name])]
        rows.append(row)
    by_field = [
        head
        for field in FIELDS
        for head in (f"{field[:-1]} T: normal, uncertain, unlike, DCM, no answer [%]", "specificity for DCM, two-way")
    ]
    return markdown(["volunteers", "hearts", *by_field], rows)


def volunteers_in_short() -> str:
    """The same in sentences: all of them, and those with the thickest walls."""
    told = []
    for field in FIELDS:
        groups = results(f"volunteers-{field}")["together"]["normal"]
        thickest = groups["wall 10 to inf mm"]
        verdicts = groups["all"]["verdicts"]
        told.append(
            f"At {field[:-1]} T {100 * verdicts['normal']['value']:.0f} % of {groups['all']['hearts']} hearts are "
            f"called normal, {100 * verdicts['dcm']['value']:.0f} % DCM, and the rest uncertain or unlike; the two-way "
            f"specificity for DCM (recall_normal) is {_specificity(groups['all'])}, with walls of 10 mm and more "
            f"({thickest['hearts']} hearts) {_specificity(thickest)}."
        )
    return " ".join(told) + "\n"


def measured_walls() -> str:
    """Of the same volunteers, what models say that were trained on walls as measured, and on varied ones."""
    stems = ("measured-walls-volunteers", "volunteers")
    records = [results(f"{stem}-{field}")["together"]["normal"] for field in FIELDS for stem in stems]
    rows = [
        [_group_name(name), str(records[0][name]["hearts"]), *(_specificity(record[name]) for record in records)]
        for name in records[0]
    ]
    by_field = [f"{field[:-1]} T, {walls}" for field in FIELDS for walls in ("walls as measured", "varied walls")]
    return markdown(["volunteers", "hearts", *by_field], rows)


def _group_name(name: str) -> str:
    return name.replace(" 0 to", " under").replace(" to inf mm", " mm and more")


def _specificity(group: Record) -> str:
    called = group["called_dcm_two_way"]
    return f"{1 - called['value']:.2f} ({1 - called['high']:.2f} to {1 - called['low']:.2f})"


TABLES: dict[str, Callable[[], str]] = {
    "centres": centres,
    "dice": dice,
    "measures": measures,
    "odd": odd,
    "septum": septum,
    "mean-heart": mean_heart,
    "real-hearts": real_hearts,
    "volunteers": volunteers,
    "volunteers-in-short": volunteers_in_short,
    "measured-walls": measured_walls,
    "real-hearts-in-short": real_hearts_in_short,
}

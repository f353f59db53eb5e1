"""How right the shipped localizer is."""

from __future__ import annotations

from collections.abc import Callable

from table_cells import PLACES, Record, markdown, mm, results, share


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


TABLES: dict[str, Callable[[], str]] = {
    "centres": centres,
    "dice": dice,
    "measures": measures,
    "odd": odd,
}

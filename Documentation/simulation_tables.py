"""How near the two simulations are to real hearts and scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from table_cells import FIELDS, Record, markdown, results

REAL_HEARTS = {
    "diameter": ("49.3 (4.1)", "68.1 (6.1)"),
    "mean_wall": ("7.0 (1.0)", "7.9 (1.3)"),
    "septal_wall": ("7.5 (1.4)", "9.1 (1.8)"),
    "lateral_wall": ("7.1 (1.3)", "7.5 (1.4)"),
    "wall_sd": ("1.2 (0.2)", "1.5 (0.3)"),
    "rv_area": ("17.9 (4.9)", "20.1 (8.9)"),
    "rv_width": ("35.0 (5.9)", "32.4 (9.6)"),
    "rv_span": ("113 (13)", "105 (13)"),
    "rv_hull": ("0.82 (0.07)", "0.75 (0.07)"),
}
"""Normal and DCM at mid level, measured on the outlines of ACDC (Bernard 2018)."""


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


TABLES: dict[str, Callable[[], str]] = {
    "simulation-classes": partial(simulation_checks, ["AUROC"]),
    "simulation-realism": partial(simulation_checks, ["realism", "placement"]),
    "simulation-hearts": partial(
        simulation_checks, [f"{label} {level}" for label in ("normal", "dcm") for level in ("base", "mid", "apex")]
    ),
    "abroad-shapes": abroad_shapes,
    "abroad-separation": abroad_separation,
}

"""How near the two simulations are to real hearts and scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from ACNetTrainerLib.simulation.real_hearts import CUES, MEASURES, SIZES, WALL_T1_SPREAD_MS
from table_cells import FIELDS, Record, markdown, results


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

    def real(kind: str, row: int) -> str:
        digits = {"rv_span": 0, "rv_hull": 2}.get(MEASURES[row], 1)
        mean, sd = SIZES[kind, "mid"][row]
        return f"{mean:.{digits}f} ({sd:.{digits}f})"

    return markdown(
        ["mid level, mean (SD)", "normal, real", "normal", "DCM, real", "DCM"],
        [
            [label, real("normal", row), ours("normal", name), real("dcm", row), ours("dcm", name)]
            for row, (name, label) in enumerate(names.items())
        ],
    )


def abroad_separation() -> str:
    records = [results(f"abroad-{field}") for field in FIELDS]
    names = {
        "cavity_area": ("cavity area", "0.90"),
        "mean_wall": ("mean wall", f"{CUES['wall'][0]:.2f}"),
        "septal_wall": ("septal wall", f"{CUES['septal_wall'][0]:.2f}"),
        "rv_area": ("RV area", f"{CUES['rv_area'][0]:.2f}"),
        "rv_width": ("RV width", f"{CUES['rv_width'][0]:.2f}"),
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
            (
                "wall_interquartile_range_ms",
                "interquartile range of T1 in the wall [ms]",
                f"{WALL_T1_SPREAD_MS['interquartile range'][0]:.0f}",
            ),
            ("wall_sd_ms", "SD of T1 in the wall [ms]", f"{WALL_T1_SPREAD_MS['standard deviation'][0]:.0f}"),
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

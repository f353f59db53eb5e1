"""What was measured on the outlines of real hearts, measured on drawn ones: for the tests and the documentation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.spatial import ConvexHull

from .hearts import FloatArray, Kind, draw_heart
from .outlines import ANGLES, HARMONICS, Outlines, draw_surfaces

RAYS_DEGREES = (-60, -45, -30, -15, 0, 15, 30, 45, 60, 75)
SECTOR = np.radians(30)
"""Half the width of the sectors of the septal and the lateral wall."""


def measure_outlines(outlines: Outlines) -> dict[str, float]:
    """Lengths in mm, areas in cm2, the span in degrees, amplitudes relative to the radius."""
    step = float(ANGLES[1] - ANGLES[0])
    wall = outlines.epicardium - outlines.endocardium
    beyond = outlines.rv - outlines.epicardium
    area = float((outlines.endocardium**2).sum() / 2 * step)
    rv_area = float((outlines.rv**2 - outlines.epicardium**2).sum() / 2 * step)
    there = beyond > 0
    both = np.concatenate([outlines.rv[there], outlines.epicardium[there]])
    turn = np.concatenate([ANGLES[there]] * 2)
    hull = ConvexHull(np.column_stack([both * np.cos(turn), both * np.sin(turn)])).volume
    measures = {
        "cavity_area": area / 100,
        "diameter": 2 * np.sqrt(area / np.pi),
        "mean_wall": wall.mean(),
        "septal_wall": wall[np.abs(ANGLES) <= SECTOR].mean(),
        "lateral_wall": wall[np.abs(ANGLES) >= np.pi - SECTOR].mean(),
        "wall_sd": wall.std(),
        "rv_area": rv_area / 100,
        "rv_width": beyond.max(),
        "rv_span": np.degrees(there.sum() * step),
        "rv_hull": rv_area / hull,
    }
    for name in ("endocardium", "epicardium"):
        radii = getattr(outlines, name)
        for harmonic in HARMONICS:
            amplitude = 2 * np.abs((radii * np.exp(-1j * harmonic * ANGLES)).mean()) / radii.mean()
            measures[f"{name}_{harmonic}"] = amplitude
    for ray in RAYS_DEGREES:
        measures[f"ray_{ray}"] = np.interp(np.radians(ray), ANGLES, beyond)
    return {name: float(value) for name, value in measures.items()}


def measure_hearts(kind: Kind, count: int, seed: int) -> list[dict[str, FloatArray]]:
    """Each measure of so many hearts, (count,), at base, mid and apex."""
    random = np.random.default_rng([seed, len(kind)])
    levels: list[list[dict[str, float]]] = [[], [], []]
    for _ in range(count):
        surfaces = draw_surfaces(draw_heart(kind, random), random)
        for level, measured in enumerate(levels):
            measured.append(measure_outlines(surfaces.at(level)))
    return [_columns(measured) for measured in levels]


def _columns(rows: Sequence[dict[str, float]]) -> dict[str, FloatArray]:
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}

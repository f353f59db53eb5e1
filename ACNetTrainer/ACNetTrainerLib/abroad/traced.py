"""Left ventricles that readers traced on real hearts, in place of drawn ones: Documentation/abroad.md.

The table has a row a surface and slice, from the base to the apex: `heart`, `kind`, `slice_mm` (from one slice to the
next), `slice`, `surface`, and the radius in mm, from the cavity's centre, at each of the other columns' angles in
degrees, seen as in `outlines`. The right ventricle, which is not in it, is the patient's drawn one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from ACNetLib.errors import ACNetError

from ..cases.library import number_in
from ..cases.table import read_table
from .hearts import KINDS, FloatArray, Kind
from .outlines import ANGLES, Outlines, Surfaces

COLUMNS = ("heart", "kind", "slice_mm", "slice", "surface")
SURFACES = ("endocardium", "epicardium")
LEVELS = (0.2, 0.5, 0.8)
"""Base, mid and apex, of the way from the first to the last slice."""
FEWEST_SLICES = 3
LONGEST_RADIUS_MM = 100.0


@dataclass(frozen=True, eq=False)
class TracedHeart:
    """Radii (slices, 180) in mm at `ANGLES`, the base first. slice_mm: from one slice to the next."""

    name: str
    kind: Kind
    slice_mm: float
    endocardium: FloatArray
    epicardium: FloatArray

    @property
    def cavity_mm(self) -> float:
        """Mean diameter of the middle slice."""
        return 2 * float(self.endocardium[len(self.endocardium) // 2].mean())

    @property
    def wall_mm(self) -> float:
        """Mean of the middle slice."""
        middle = len(self.endocardium) // 2
        return float((self.epicardium - self.endocardium)[middle].mean())


@dataclass(frozen=True, eq=False)
class TracedSurfaces:
    """The outlines of a traced left ventricle beside the right ventricle of a drawn heart; as `HeartSurfaces`."""

    heart: TracedHeart
    drawn: Surfaces

    @cached_property
    def levels(self) -> tuple[Outlines, ...]:
        return tuple(self.at(level) for level in range(len(LEVELS)))

    def at(self, level: int, towards_apex_mm: float = 0.0) -> Outlines:
        """The outlines so far from a level along the heart's axis, between the two nearest slices."""
        last = len(self.heart.endocardium) - 1
        place = float(np.clip(LEVELS[level] * last + towards_apex_mm / self.heart.slice_mm, 0, last))
        before = min(int(place), last - 1)
        endocardium, epicardium = (
            (before + 1 - place) * radii[before] + (place - before) * radii[before + 1]
            for radii in (self.heart.endocardium, self.heart.epicardium)
        )
        beside = self.drawn.at(level, towards_apex_mm)
        return Outlines(endocardium, epicardium, epicardium + beside.rv - beside.epicardium, beside.insertion_angles)


@cache
def read_traced_hearts(path: Path) -> tuple[TracedHeart, ...]:
    """Raises ACNetError for a file that is no such table."""
    table = read_table(path, COLUMNS)
    names = [name for name in table.columns if name not in COLUMNS]
    angles = np.radians([number_in(name, f"{path}: the name of a column") for name in names])
    hearts: dict[tuple[str, Kind, float], dict[str, list[FloatArray]]] = defaultdict(lambda: defaultdict(list))
    for row in table.rows:
        place, cells = table.place(row), row.cells
        kind = next((kind for kind in KINDS if kind == cells["kind"]), None)
        if kind is None or cells["surface"] not in SURFACES:
            expected = f"expected one of {', '.join(KINDS)} and one of {', '.join(SURFACES)}"
            raise ACNetError(f"{place}: found '{cells['kind']}' and '{cells['surface']}'; {expected}.")
        radii = np.array([number_in(cells[name], f"{place}: column {name}") for name in names])
        of_heart = hearts[cells["heart"], kind, number_in(cells["slice_mm"], f"{place}: column slice_mm")]
        of_heart[cells["surface"]].append(np.interp(ANGLES, angles, radii, period=2 * np.pi))
    return tuple(_heart(path, key, surfaces) for key, surfaces in hearts.items())


def _heart(path: Path, key: tuple[str, Kind, float], surfaces: dict[str, list[FloatArray]]) -> TracedHeart:
    name, kind, slice_mm = key
    inner, outer = (np.array(surfaces[surface]) for surface in SURFACES)
    if len(inner) < FEWEST_SLICES or inner.shape != outer.shape:
        raise ACNetError(
            f"{path}: heart '{name}' has {len(inner)} endocardial and {len(outer)} epicardial outlines; expected both "
            f"on {FEWEST_SLICES} slices or more."
        )
    if not (slice_mm > 0 and (inner > 0).all() and (inner < outer).all() and (outer < LONGEST_RADIUS_MM).all()):
        raise ACNetError(
            f"{path}: heart '{name}' has radii of {inner.min():g} to {outer.max():g} mm on slices {slice_mm:g} mm apart"
            f"; expected the endocardium within the epicardium, both within {LONGEST_RADIUS_MM:g} mm, and slices apart."
        )
    return TracedHeart(name, kind, slice_mm, inner, outer)

"""Left ventricles that readers traced on real hearts, in place of drawn ones: Documentation/abroad.md.

The table has a row a surface and slice, from the base to the apex: `heart`, `kind`, `slice_mm` (from one slice to the
next), `slice`, `surface`, and the radius in mm, from the cavity's centre, at each of the other columns' angles in
degrees, seen as in `outlines`. The right ventricle, which is not in it, is the patient's drawn one.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np

from ACNetLib.errors import ACNetError

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
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.reader(file)
            header, rows = next(reader, []), list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ACNetError(f"{path}: not readable as a table ({error}); expected outlines of hearts as CSV.") from error
    if tuple(header[: len(COLUMNS)]) != COLUMNS:
        raise ACNetError(f"{path}: found the columns {header[:5]}; expected {', '.join(COLUMNS)} and then angles.")
    angles = np.radians([_number(path, 1, text) for text in header[len(COLUMNS) :]])
    hearts: dict[tuple[str, Kind, float], dict[str, list[FloatArray]]] = defaultdict(lambda: defaultdict(list))
    for line, row in enumerate(rows, start=2):
        if len(row) != len(header):
            raise ACNetError(f"{path}: line {line} has {len(row)} values; expected {len(header)}.")
        name, said, slice_mm, _, surface = row[: len(COLUMNS)]
        kind = next((kind for kind in KINDS if kind == said), None)
        if kind is None or surface not in SURFACES:
            expected = f"expected one of {', '.join(KINDS)} and one of {', '.join(SURFACES)}"
            raise ACNetError(f"{path}: line {line} has '{said}' and '{surface}'; {expected}.")
        radii = np.array([_number(path, line, text, 0.0, LONGEST_RADIUS_MM) for text in row[len(COLUMNS) :]])
        of_heart = hearts[name, kind, _number(path, line, slice_mm, 0.0, LONGEST_RADIUS_MM)]
        of_heart[surface].append(np.interp(ANGLES, angles, radii, period=2 * np.pi))
    return tuple(_heart(path, key, surfaces) for key, surfaces in hearts.items())


def _number(path: Path, line: int, text: str, above: float = -np.inf, below: float = np.inf) -> float:
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not above < value < below:
        raise ACNetError(f"{path}: line {line} has '{text}'; expected a number above {above:g} and below {below:g}.")
    return value


def _heart(path: Path, key: tuple[str, Kind, float], surfaces: dict[str, list[FloatArray]]) -> TracedHeart:
    name, kind, slice_mm = key
    inner, outer = (np.array(surfaces[surface]) for surface in SURFACES)
    if len(inner) < FEWEST_SLICES or inner.shape != outer.shape or not (inner < outer).all():
        raise ACNetError(
            f"{path}: heart '{name}' has {len(inner)} endocardial and {len(outer)} epicardial outlines; expected both "
            f"on {FEWEST_SLICES} slices or more, the endocardium within the epicardium."
        )
    return TracedHeart(name, kind, slice_mm, inner, outer)

"""Everything around a simulated heart: chest, lungs, abdomen, arms, and what may be taken for a ventricle.

Drawn in the body's frame, millimetres from the centre of the left ventricle, x towards the patient's left, y down, and
without regard to the diagnosis. Nothing here is measured: it varies more than life does, so that no network learns it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .anatomy import BoolArray, FloatArray, LabelArray
from .tissues import TISSUES, Tissue, TissueProperties

FREE_SURROUNDINGS_SHARE = 0.35
"""Of the patients, whose tissues around the heart have any T1."""
FREE_T1_MS = (250.0, 2300.0)
FILLINGS = (Tissue.LUNG, Tissue.FAT, Tissue.MUSCLE, Tissue.STOMACH)
FILLING_SHARES = (0.7, 0.12, 0.09, 0.09)
"""What surrounds the heart: lung in most, for the networks must not need it."""
ORGAN_T1_SD = 0.07
BLOOD_T1_SD = 0.03
"""Between patients, relative: T1 of blood follows its haematocrit."""


@dataclass(frozen=True)
class Organ:
    """An ellipse of one tissue: centre and half axes in mm, rotation in radians, and the wobble of its outline.

    rim_mm: thickness of the muscle around it, 0 for none.
    """

    tissue: Tissue
    centre: tuple[float, float]
    half_axes: tuple[float, float]
    rotation: float = 0.0
    wobble: float = 0.0
    wobble_phase: float = 0.0
    rim_mm: float = 0.0

    def contains(self, x: FloatArray, y: FloatArray, inset_mm: float = 0.0) -> BoolArray:
        cos, sin = np.cos(self.rotation), np.sin(self.rotation)
        dx, dy = x - self.centre[0], y - self.centre[1]
        u = (dx * cos + dy * sin) / max(self.half_axes[0] - inset_mm, 0.5)
        v = (dy * cos - dx * sin) / max(self.half_axes[1] - inset_mm, 0.5)
        radius = np.hypot(u, v)
        if self.wobble == 0:
            return radius < 1
        # cos(3a + p) and cos(5a - p) of the angle a, from its cosine and sine: far faster than the angle itself.
        cos, sin = u / np.maximum(radius, 1e-6), v / np.maximum(radius, 1e-6)
        cos_2, cos_p, sin_p = cos * cos, np.cos(self.wobble_phase), np.sin(self.wobble_phase)
        third = (4 * cos_2 - 3) * cos * cos_p - (4 * cos_2 - 1) * sin * sin_p
        fifth = ((16 * cos_2 - 20) * cos_2 + 5) * cos * cos_p + ((16 * cos_2 - 12) * cos_2 + 1) * sin * sin_p
        return radius < 1 + self.wobble * (third + 0.6 * fifth)


@dataclass(frozen=True)
class Diaphragm:
    """The upper edge of the abdomen: y = height + slope x + ((x - dome) / width)^2, filled with fat below."""

    height_mm: float
    slope: float
    dome_mm: float
    width_mm: float

    def is_below(self, x: FloatArray, y: FloatArray) -> BoolArray:
        return y > self.height_mm + self.slope * x + ((x - self.dome_mm) / self.width_mm) ** 2


@dataclass(frozen=True)
class Surroundings:
    """The body without the heart, painted in order: later organs cover earlier ones; the abdomen below the diaphragm.

    implant: a disc without signal, or None.
    """

    chest: tuple[Organ, ...]
    diaphragm: Diaphragm
    abdomen: tuple[Organ, ...]
    beside_the_heart: tuple[Organ, ...]
    implant: Organ | None


def draw_surroundings(body: Surroundings, x: FloatArray, y: FloatArray) -> LabelArray:
    """Tissue labels of the body without the heart, the shape of `x` and `y` (mm from the LV centre)."""
    tissue = np.full(x.shape, Tissue.AIR, np.uint8)
    for organ in body.chest:
        _paint(tissue, organ, x, y)
    below = body.diaphragm.is_below(x, y) & body.chest[2].contains(x, y)
    tissue[below] = Tissue.FAT
    for organ in body.abdomen:
        _paint(tissue, organ, x, y, below)
    for organ in body.beside_the_heart:
        _paint(tissue, organ, x, y)
    return tissue


def _paint(tissue: LabelArray, organ: Organ, x: FloatArray, y: FloatArray, where: BoolArray | None = None) -> None:
    near = _square_around(organ.centre, 1.3 * max(organ.half_axes), x, y)
    inside = organ.contains(x[near], y[near])
    if where is not None:
        inside &= where[near]
    part = tissue[near]
    if organ.rim_mm > 0:
        part[inside] = Tissue.MUSCLE
        inside &= organ.contains(x[near], y[near], organ.rim_mm)
    part[inside] = organ.tissue


def _square_around(centre: tuple[float, float], reach_mm: float, x: FloatArray, y: FloatArray) -> tuple[slice, slice]:
    """The rows and columns within `reach_mm` of a point; x and y change evenly along rows and columns."""
    steps = np.array([[x[0, 1] - x[0, 0], x[1, 0] - x[0, 0]], [y[0, 1] - y[0, 0], y[1, 0] - y[0, 0]]], np.float64)
    column, row = np.linalg.solve(steps, [centre[0] - x[0, 0], centre[1] - y[0, 0]])
    reach = reach_mm / np.hypot(*steps[:, 0]) + 1
    rows, columns = x.shape
    return (
        slice(int(np.clip(row - reach, 0, rows)), int(np.clip(row + reach + 1, 0, rows))),
        slice(int(np.clip(column - reach, 0, columns)), int(np.clip(column + reach + 1, 0, columns))),
    )


def random_tissues(rng: np.random.Generator, field_strength_tesla: float) -> dict[Tissue, TissueProperties]:
    """A patient's tissues; in some patients every tissue around the heart has any T1 at all."""
    free = rng.random() < FREE_SURROUNDINGS_SHARE
    blood = 1 + BLOOD_T1_SD * rng.standard_normal()
    tissues: dict[Tissue, TissueProperties] = {}
    for tissue in Tissue:
        typical = TISSUES[field_strength_tesla][tissue]
        if tissue is Tissue.FLUID:  # only an effusion has any, and it draws its own
            tissues[tissue] = typical
            continue
        factor, any_t1_ms = 1 + ORGAN_T1_SD * rng.standard_normal(), rng.uniform(*FREE_T1_MS)
        if tissue in (Tissue.LEFT_BLOOD, Tissue.RIGHT_BLOOD):
            t1_ms = typical.t1_ms * blood
        elif tissue is Tissue.MYOCARDIUM:
            t1_ms = typical.t1_ms
        else:
            t1_ms = any_t1_ms if free else typical.t1_ms * factor
        tissues[tissue] = replace(typical, t1_ms=float(t1_ms))
    return tissues


_OrganMaker = Callable[[Tissue, float, float, float, float, float, float], Organ]


def random_surroundings(rng: np.random.Generator) -> Surroundings:
    """A body of random habitus."""

    def organ(  # noqa: PLR0913  # an ellipse
        tissue: Tissue, x: float, y: float, a: float, b: float, rotation: float, wobble: float
    ) -> Organ:
        shift, size = rng.normal(0, 9, 2), rng.uniform(0.75, 1.3, 2)
        return Organ(
            tissue,
            (float(x + shift[0]), float(y + shift[1])),
            (float(a * size[0]), float(b * size[1])),
            float(rotation + rng.normal(0, 0.3)),
            wobble,
            float(rng.uniform(0, 2 * np.pi)),
        )

    return Surroundings(
        _chest(rng, organ),
        Diaphragm(
            float(rng.uniform(22, 62)),
            float(rng.normal(0, 0.25)),
            float(rng.normal(-30, 40)),
            float(rng.uniform(9, 25)),
        ),
        _abdomen(rng, organ),
        _beside_the_heart(rng),
        _implant(rng),
    )


def _chest(rng: np.random.Generator, organ: _OrganMaker) -> tuple[Organ, ...]:
    width, height = rng.uniform(115, 165), rng.uniform(125, 215)
    centre = (float(-32 + rng.normal(0, 12)), float(20 + rng.normal(0, 15)))
    skin_fat, muscle = rng.uniform(3, 34), rng.uniform(6, 18)
    turn, wobble, phase = float(rng.normal(0, 0.25)), float(rng.uniform(0, 0.04)), float(rng.uniform(0, 6))

    def outline(tissue: Tissue, inset: float) -> Organ:
        return Organ(tissue, centre, (float(width - inset), float(height - inset)), turn, wobble, phase)

    filling = Tissue(int(rng.choice(FILLINGS, p=FILLING_SHARES)))
    chest = [outline(Tissue.FAT, 0.0), outline(Tissue.MUSCLE, skin_fat), outline(filling, skin_fat + muscle)]
    chest += [
        Organ(Tissue.RIGHT_BLOOD, _place(rng, (-20, -20), (70, 50)), (float(size), float(size)))
        for size in rng.uniform(1.0, 4.0, rng.integers(15, 70))
    ]
    mediastinum = rng.uniform(0.7, 1.2)
    chest += [
        organ(Tissue.FAT, -50, -70, 48 * mediastinum, 26, 0.3, 0.12),
        organ(Tissue.MUSCLE, -85, -84, 22, 9, 0.35, 0.0),
        organ(Tissue.MARROW, -85, -84, 17, 5, 0.35, 0.0),
        organ(Tissue.MUSCLE, -16, 112, 56, 20, 0.0, 0.05),
        organ(Tissue.MARROW, -16, 104, 19, 16, 0.0, 0.05),
    ]
    for _ in range(rng.integers(0, 6)):  # ribs and vertebrae
        angle = rng.uniform(0, 2 * np.pi)
        at = (float(centre[0] + 0.9 * width * np.cos(angle)), float(centre[1] + 0.9 * height * np.sin(angle)))
        chest.append(Organ(Tissue.MARROW, at, (float(rng.uniform(4, 12)), float(rng.uniform(3, 6))), float(angle)))
    if rng.random() < 0.25:  # arms
        for side in (-1, 1):
            at = (float(centre[0] + side * (width + rng.uniform(25, 45))), float(rng.normal(10, 25)))
            size = float(rng.uniform(28, 45))
            chest += [Organ(Tissue.FAT, at, (size, size)), Organ(Tissue.MUSCLE, at, (0.75 * size, 0.75 * size))]
            chest.append(Organ(Tissue.MARROW, at, (0.2 * size, 0.2 * size)))
    return tuple(chest)


def _abdomen(rng: np.random.Generator, organ: _OrganMaker) -> tuple[Organ, ...]:
    organs = [
        organ(Tissue.LIVER, -92, 82, 84, 50, -0.12, 0.05),
        organ(Tissue.LIVER, -28, 84, 44, 27, 0.2, 0.05),
        organ(Tissue.STOMACH, 34, 88, 34, 26, 0.3, 0.08),
        organ(Tissue.SPLEEN, 82, 70, 22, 36, 0.5, 0.06),
    ]
    if rng.random() < 0.7:  # gas in the stomach or colon
        organs.append(organ(Tissue.AIR, rng.uniform(-20, 70), rng.uniform(55, 85), 17, 10, 0.1, 0.1))
    organs += [
        organ(Tissue.LEFT_BLOOD, 16, 88, 11, 11, 0.0, 0.0),
        organ(Tissue.RIGHT_BLOOD, -58, 66, 12, 9, 0.3, 0.0),
    ]
    organs += [
        Organ(Tissue.RIGHT_BLOOD, _place(rng, (-90, 85), (35, 18)), (float(size), float(size * 1.4)))
        for size in rng.uniform(1.5, 4.0, 9)
    ]
    for _ in range(rng.choice([0, 1, 2], p=[0.35, 0.4, 0.25])):  # bright, round, walled: bowel, stomach, gall bladder
        size = rng.uniform(10, 34)
        organs.append(
            Organ(
                Tissue(int(rng.choice([Tissue.STOMACH, Tissue.SPLEEN, Tissue.LEFT_BLOOD]))),
                (float(rng.uniform(-70, 80)), float(rng.uniform(50, 100))),
                (float(size), float(size * rng.uniform(0.7, 1.0))),
                float(rng.uniform(0, np.pi)),
                float(rng.uniform(0, 0.06)),
                float(rng.uniform(0, 6)),
                float(rng.uniform(0, 8)),
            )
        )
    return tuple(organs)


def _beside_the_heart(rng: np.random.Generator) -> tuple[Organ, ...]:
    """Atria and great vessels next to the ventricles, the descending aorta, fat pads, and round things in the lung."""
    organs = []
    if rng.random() < 0.35:  # right atrium, beside and below the right ventricle
        organs.append(
            Organ(
                Tissue.RIGHT_BLOOD,
                (float(rng.normal(-62, 10)), float(rng.normal(34, 14))),
                (float(rng.uniform(14, 30)), float(rng.uniform(12, 24))),
                float(rng.uniform(0, np.pi)),
                0.05,
                float(rng.uniform(0, 6)),
            )
        )
    for _ in range(rng.integers(0, 3)):  # pericardial fat
        organs.append(
            Organ(
                Tissue.FAT,
                (float(rng.normal(-20, 45)), float(rng.normal(35, 18))),
                (float(rng.uniform(8, 28)), float(rng.uniform(6, 18))),
                float(rng.uniform(0, np.pi)),
                0.1,
                float(rng.uniform(0, 6)),
            )
        )
    size = rng.uniform(9, 16)  # descending aorta
    organs.append(
        Organ(
            Tissue.LEFT_BLOOD,
            (float(rng.normal(60, 15)), float(rng.normal(45, 25))),
            (float(size), float(size)),
            rim_mm=float(rng.uniform(0.5, 2.5)),
        )
    )
    if rng.random() < 0.15:  # something like another ventricle, away from the heart
        angle, distance = rng.uniform(0, 2 * np.pi), rng.uniform(85, 130)
        size = rng.uniform(12, 30)
        organs.append(
            Organ(
                Tissue(int(rng.choice([Tissue.LEFT_BLOOD, Tissue.STOMACH]))),
                (float(distance * np.cos(angle)), float(distance * np.sin(angle))),
                (float(size), float(size * rng.uniform(0.6, 1.0))),
                float(rng.uniform(0, np.pi)),
                rim_mm=float(rng.uniform(2, 9)),
            )
        )
    return tuple(organs)


def _implant(rng: np.random.Generator) -> Organ | None:
    """A sternal wire or a device: no signal, near the chest wall or by the heart."""
    if rng.random() >= 0.06:
        return None
    return Organ(
        Tissue.AIR,
        (float(rng.normal(-40, 50)), float(rng.normal(-45, 30))),
        (float(rng.uniform(8, 30)), float(rng.uniform(4, 14))),
        float(rng.uniform(0, np.pi)),
    )


def _place(rng: np.random.Generator, middle: tuple[float, float], spread: tuple[float, float]) -> tuple[float, float]:
    x, y = rng.normal(middle, spread)
    return float(x), float(y)

"""What lies around the heart, tissue by tissue: chest wall, lungs, organs below the diaphragm, fat, vessels.

Positions are mm in the section's plane from the left ventricle's centre, in the body's frame: `left` is the patient's
left, on the right of a picture as it is usually shown, `down` is inferior. Organs are the cells of a warped Voronoi
diagram; what is irregular is a smooth random field above a threshold.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from .hearts import FloatArray

LabelMap = NDArray[np.uint8]


class Tissue(IntEnum):
    AIR = 0
    LUNG = 1
    FAT = 2
    MUSCLE = 3
    MARROW = 4
    LIVER = 5
    SPLEEN = 6
    STOMACH = 7
    BOWEL = 8
    BLOOD = 9
    MYOCARDIUM = 10
    LV_BLOOD = 11
    RV_WALL = 12
    PAPILLARY = 13


@dataclass(frozen=True)
class Field:
    """A smooth random field in 3-D of mean 0 and SD 1: a sum of waves of about one length."""

    vectors: FloatArray
    phases: FloatArray

    @classmethod
    def draw(cls, wavelength_mm: float, random: np.random.Generator, waves: int = 14) -> Field:
        directions = random.standard_normal((waves, 3))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        lengths = 2 * np.pi / (wavelength_mm * random.uniform(0.7, 1.5, (waves, 1)))
        return cls(directions * lengths, random.uniform(0, 2 * np.pi, waves))

    def at(self, x: FloatArray, y: FloatArray, z_mm: float, coarse: int = 6) -> FloatArray:
        """Values at a plane's positions (rows, columns), computed at every `coarse`-th and interpolated."""
        rows, columns = x.shape
        part = slice(None, None, coarse)
        phase = (
            x[part, part, np.newaxis] * self.vectors[:, 0]
            + y[part, part, np.newaxis] * self.vectors[:, 1]
            + (z_mm * self.vectors[:, 2] + self.phases)
        )
        values = np.cos(phase).sum(axis=-1) * np.sqrt(2 / len(self.phases))
        return np.asarray(zoom(values, coarse, order=1, mode="nearest"))[:rows, :columns]


@dataclass(frozen=True, eq=False)
class Plane:
    """Positions in the heart's frame (see `outlines`), mm: x and y of each pixel, z along the heart's axis."""

    x: FloatArray
    y: FloatArray
    z_mm: float
    level: int


@dataclass(frozen=True)
class Body:
    """One patient's body around the heart. Lengths in mm; seeds: (n, 2) positions of the organs' Voronoi cells."""

    turn: float
    center: FloatArray
    half_widths: FloatArray
    skin_fat: float
    chest_muscle: float
    ribs: float
    diaphragm_gap: float
    dome_radius: float
    dome_center: float
    diaphragm_slope: float
    epicardial_fat: float
    pericardial_fat: float
    seeds: FloatArray
    seed_tissues: NDArray[np.int64]
    balls: FloatArray
    ball_tissues: NDArray[np.int64]
    aorta: FloatArray
    spine: FloatArray
    arm: FloatArray
    vessels: float
    coarse_field: Field
    fine_field: Field

    def paint(self, plane: Plane, heart_distance: FloatArray, inferior_mm: float) -> LabelMap:
        """Tissue of each position of a plane, the heart itself left out.

        heart_distance: mm to the heart. inferior_mm: how far the heart reaches down.
        """
        x, y, z_mm = plane.x, plane.y, plane.z_mm
        cosine, sine = np.cos(self.turn), np.sin(self.turn)
        left, down = -cosine * x + sine * y, -sine * x - cosine * y
        coarse, fine = self.coarse_field.at(x, y, z_mm), self.fine_field.at(x, y, z_mm, coarse=3)

        tissues = np.full(x.shape, Tissue.LUNG, np.uint8)
        tissues[(fine > self.vessels) & (heart_distance > 8)] = Tissue.BLOOD
        abdomen = down > (
            inferior_mm
            + self.diaphragm_gap
            + self.diaphragm_slope * left
            + (left - self.dome_center) ** 2 / (2 * self.dome_radius)
            + 3 * coarse
        )
        tissues[abdomen] = self._organs(left, down - inferior_mm, coarse, fine)[abdomen]
        for (center_left, center_down, radius), shown, tissue in zip(
            self.balls[:, :3], self.balls[:, 3:], self.ball_tissues, strict=True
        ):
            if shown[plane.level] > 0:
                distance = np.hypot(left - center_left, down - inferior_mm - self.diaphragm_gap - center_down)
                tissues[distance < radius + 2 + coarse] = Tissue.FAT
                tissues[distance < radius + coarse] = tissue
        fat_thickness = self.pericardial_fat * np.maximum(coarse, 0) + self.epicardial_fat * (1 + 0.5 * fine)
        tissues[heart_distance < fat_thickness] = Tissue.FAT

        aorta, spine = (
            np.hypot(left - place[0], down - place[1]) - place[2] - 0.5 * coarse for place in (self.aorta, self.spine)
        )
        tissues[spine < 14] = Tissue.MUSCLE
        self._paint_wall(tissues, left, down, coarse, fine)
        tissues[aorta < 0] = Tissue.BLOOD
        tissues[spine < 3] = Tissue.FAT
        tissues[spine < 0] = Tissue.MARROW
        return tissues

    def _organs(self, left: FloatArray, below: FloatArray, coarse: FloatArray, fine: FloatArray) -> LabelMap:
        """The nearest seed's tissue, with fat where two are about as near."""
        warped = np.stack([left + 6 * coarse, below + 4 * fine])
        nearest = np.full(left.shape, np.inf)
        second = np.full(left.shape, np.inf)
        tissues = np.full(left.shape, Tissue.FAT, np.uint8)
        for seed, tissue in zip(self.seeds, self.seed_tissues, strict=True):
            distance = np.hypot(warped[0] - seed[0], warped[1] - seed[1])
            is_nearer = distance < nearest
            # Two cells of the same organ have no fat between them.
            runner_up = np.where(is_nearer, nearest, distance)
            second = np.where(tissues != tissue, np.minimum(second, runner_up), second)
            tissues[is_nearer] = tissue
            nearest = np.minimum(nearest, distance)
        tissues[second - nearest < 3] = Tissue.FAT
        tissues[(tissues == Tissue.LIVER) & (fine > self.vessels + 0.3)] = Tissue.BLOOD
        return tissues

    def _paint_wall(
        self, tissues: LabelMap, left: FloatArray, down: FloatArray, coarse: FloatArray, fine: FloatArray
    ) -> None:
        """Ribs, muscle, fat and skin from within, then the air."""
        relative = np.stack([left, down]) - self.center[:, np.newaxis, np.newaxis]
        scaled = np.abs(relative / self.half_widths[:, np.newaxis, np.newaxis])
        norm = (scaled**2.6).sum(axis=0) ** (1 / 2.6)
        # mm within the skin, nearly
        depth = (1 - norm) * np.hypot(*relative) / np.maximum(norm, 0.1) + 2 * coarse
        wall = self.skin_fat + self.chest_muscle
        tissues[depth < wall + 2] = Tissue.FAT
        tissues[depth < wall] = Tissue.MUSCLE
        turn = np.arctan2(relative[1], relative[0]) * self.ribs
        in_rib = (np.cos(turn) > 0.35) & (np.abs(depth - self.skin_fat - 0.62 * self.chest_muscle) < 4)
        tissues[in_rib] = Tissue.MARROW
        tissues[depth < self.skin_fat + np.minimum(1.0, 0.1 * self.skin_fat) * fine] = Tissue.FAT
        tissues[depth < 0] = Tissue.AIR
        arm = np.hypot(left - self.arm[0], down - self.arm[1])
        in_arm = (arm < self.arm[2]) & (depth < -3)
        tissues[in_arm] = np.where(arm[in_arm] < 8, Tissue.MARROW, Tissue.MUSCLE)
        tissues[in_arm & (arm > self.arm[2] - 0.4 * self.skin_fat)] = Tissue.FAT


def draw_body(heart_reach_mm: float, random: np.random.Generator) -> Body:
    """heart_reach_mm: how far the right ventricle reaches, which lies not far from the chest wall."""
    size = random.normal(1, 0.08)
    fat = float(np.exp(random.normal(0, 0.5)))
    count = 3
    seeds = np.concatenate(
        [
            random.normal([(-75, 55), (-45, 35), (-15, 70)], 12),  # liver
            random.normal([(25, 35)], 14),  # stomach
            random.normal([(75, 55)], 16),  # spleen
            random.normal([(45, 75), (5, 90), (60, 15)], 20),  # bowel, and the fat between
        ]
    )
    seed_tissues = np.array(
        [
            *[Tissue.LIVER] * 3,
            random.choice([Tissue.STOMACH, Tissue.AIR, Tissue.LIVER, Tissue.BOWEL]),
            random.choice([Tissue.SPLEEN, Tissue.SPLEEN, Tissue.STOMACH]),
            Tissue.BOWEL,
            Tissue.FAT,
            random.choice([Tissue.FAT, Tissue.SPLEEN, Tissue.STOMACH]),
        ]
    )
    radii = random.uniform(9, 26, count)
    balls = np.column_stack(
        [random.normal(5, 32, count), radii + random.uniform(0, 8, count), radii]
        + [random.random(count) < share for share in (0.08, 0.2, 0.55)]
    ).astype(float)
    has_arm = random.random() < 0.3
    skin_fat, chest_muscle = float(np.clip(11 * fat, 3, 26)), float(random.uniform(10, 22))
    half_widths = np.array([118, 138]) * size * random.normal(1, 0.05, 2) + skin_fat + chest_muscle
    to_the_right = heart_reach_mm + random.exponential(12) + skin_fat + chest_muscle
    # Behind the left lung, within the wall.
    to_the_left = 2 * half_widths[0] - to_the_right - skin_fat - 2 * chest_muscle
    spine = np.array([to_the_left, random.normal(5, 20), random.uniform(15, 20)])
    return Body(
        turn=np.radians(random.normal(10, 10)),
        center=np.array([half_widths[0] - to_the_right, random.normal(0, 12)]),
        half_widths=half_widths,
        skin_fat=skin_fat,
        chest_muscle=chest_muscle,
        ribs=float(random.integers(9, 14)),
        diaphragm_gap=float(random.exponential(5)),
        dome_radius=float(random.uniform(70, 260)),
        dome_center=float(random.normal(-20, 25)),
        diaphragm_slope=float(random.normal(-0.05, 0.15)),
        epicardial_fat=float(np.clip(2.0 * fat, 0.3, 7)),
        pericardial_fat=float(np.clip(6 * fat, 1, 16)),
        seeds=seeds,
        seed_tissues=seed_tissues,
        balls=balls,
        ball_tissues=random.choice([Tissue.STOMACH, Tissue.BOWEL, Tissue.BOWEL, Tissue.SPLEEN, Tissue.AIR], count),
        aorta=np.append(spine[:2] + random.normal((-34, -4), (5, 10)), random.normal(11.5, 1.8)),
        spine=spine,
        arm=np.append(random.normal((185, 0), (12, 40)), 38.0 if has_arm else 0.0),
        vessels=float(random.uniform(1.9, 2.6)),
        coarse_field=Field.draw(float(random.uniform(50, 90)), random),
        fine_field=Field.draw(float(random.uniform(16, 26)), random),
    )

"""Images that are no native T1 map of a heart, or a spoilt one, made of a slice that is one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import shift as shifted

from ACNetLib.t1map.section import SectionGrid
from ACNetLib.t1map.t1_map import T1Map

from .simulated_crops import MapArray

ORGAN_MM = 80.0
"""So far from the ventricle lies another organ."""
CONTRAST_PER_S = {False: 1.4, True: 2.6}
"""What contrast adds to the relaxation rate of tissue, and of blood: native blood of 1600 ms comes to 310."""
BLOOD_ABOVE_MS = {1.5: 1350.0, 3.0: 1550.0}
INVERSION_TIME_MS = 700.0
"""Of the T1-weighted image that stands in the map's place."""
NOISE_MS = 140.0
"""On top of its own noise, of about 50 ms: three times as much together."""
MOTION_MM = 8

Shift = Callable[[T1Map, SectionGrid, np.random.Generator], MapArray]
"""The crop (128, 128) in ms."""


def as_it_is(t1_map: T1Map, grid: SectionGrid, _random: np.random.Generator) -> MapArray:
    return grid.crop(t1_map).t1_ms


def _another_organ(t1_map: T1Map, grid: SectionGrid, _random: np.random.Generator) -> MapArray:
    """On the side where most of it lies within the image."""
    sides = ((-ORGAN_MM, 0.0), (ORGAN_MM, 0.0), (0.0, -ORGAN_MM), (0.0, ORGAN_MM))
    crops = [grid.turned(0.0, side).crop(t1_map) for side in sides]
    return min(crops, key=lambda crop: crop.outside_fraction).t1_ms


def _after_contrast(t1_map: T1Map, grid: SectionGrid, _random: np.random.Generator) -> MapArray:
    t1_ms = grid.crop(t1_map).t1_ms
    blood = t1_ms > BLOOD_ABOVE_MS[t1_map.field_strength_tesla or 1.5]
    added = np.where(blood, CONTRAST_PER_S[True], CONTRAST_PER_S[False])
    return (t1_ms / (1 + t1_ms * added / 1000)).astype(np.float32)


def _weighted(t1_map: T1Map, grid: SectionGrid, _random: np.random.Generator) -> MapArray:
    t1_ms = np.maximum(grid.crop(t1_map).t1_ms, 1.0)
    return (2500 * np.abs(1 - 2 * np.exp(-INVERSION_TIME_MS / t1_ms))).astype(np.float32)


def _noisy(t1_map: T1Map, grid: SectionGrid, random: np.random.Generator) -> MapArray:
    t1_ms = grid.crop(t1_map).t1_ms
    return np.maximum(t1_ms + random.normal(0, NOISE_MS, t1_ms.shape), 0).astype(np.float32)


def _moved(t1_map: T1Map, grid: SectionGrid, random: np.random.Generator) -> MapArray:
    """The mean of three breaths' positions along one direction."""
    t1_ms, angle = grid.crop(t1_map).t1_ms, random.uniform(0, np.pi)
    along = MOTION_MM * np.array([np.sin(angle), np.cos(angle)])
    parts = [shifted(t1_ms, place * along, order=1, mode="nearest") for place in (-1, 0, 1)]
    return np.mean(parts, axis=0).astype(np.float32)


def _mirrored(t1_map: T1Map, grid: SectionGrid, _random: np.random.Generator) -> MapArray:
    """Upside down, since its septum too is turned to the left."""
    return np.ascontiguousarray(grid.crop(t1_map).t1_ms[::-1])


SHIFTS: dict[str, Shift] = {
    "another_organ": _another_organ,
    "contrast": _after_contrast,
    "sequence": _weighted,
    "noise": _noisy,
    "motion": _moved,
    "mirrored": _mirrored,
}

"""Random variants of a training section: the same section seen from a turned, shifted and scaled grid, with noise.

Working on the grid, not on the cropped picture, a training section is resampled from its T1 map once, as at inference.
Changes stay in ms, so T1 keeps its meaning.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ACNetLib.t1map.section import SectionGrid

from .recipe import Augmentation

MOST_SD = 3.0
"""No site's T1 lies farther off than this many standard deviations."""


def random_grid(grid: SectionGrid, augmentation: Augmentation, rng: np.random.Generator) -> SectionGrid:
    """A mirrored one is upside down: its septum stays to the left, as at inference."""
    angle, shift_x, shift_y, scale = rng.uniform(-1, 1, 4)
    turned = grid.turned(
        angle * augmentation.rotation_degrees,
        (shift_x * augmentation.shift_mm, shift_y * augmentation.shift_mm),
        1 + scale * augmentation.scale,
    )
    if rng.random() >= augmentation.mirror:
        return turned
    x, y, z = turned.column_axis
    return replace(turned, column_axis=(-x, -y, -z))


def vary_t1(t1_ms: NDArray[np.float32], augmentation: Augmentation, rng: np.random.Generator) -> NDArray[np.float32]:
    """All T1 times one factor, as between sites, and Gaussian noise of a random strength up to `noise_ms`."""
    factor = np.float32(1 + augmentation.t1_scale * np.clip(rng.standard_normal(), -MOST_SD, MOST_SD))
    strength = np.float32(rng.uniform(0, augmentation.noise_ms))
    return np.maximum(factor * t1_ms + strength * rng.standard_normal(t1_ms.shape, np.float32), 0)

"""Slices as another site's scanner would have them, for what must not tell sites apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ACNetLib.image_files import image_like
from ACNetLib.t1map.t1_map import T1Map

SITE_T1_SD = 0.04
"""Between sites, of all T1."""
BLUR_MM = (0.4, 1.3)
"""Of half of the sites; the others' slices are as sharp as they were."""
LARGEST_NOISE_MS = 70.0
GRAIN_PIXELS = (0.5, 1.0)
"""How wide the noise's grains are."""

MapArray = NDArray[np.float32]


@dataclass(frozen=True)
class OtherSite:
    """A scanner that multiplies every T1, blurs its slices and adds noise of this SD and grain."""

    t1_factor: float
    blur_mm: float
    noise_ms: float
    grain_pixels: float

    @classmethod
    def drawn(cls, rng: np.random.Generator) -> OtherSite:
        blur_mm = rng.uniform(*BLUR_MM) * rng.integers(2)
        return cls(rng.normal(1, SITE_T1_SD), blur_mm, rng.uniform(0, LARGEST_NOISE_MS), rng.uniform(*GRAIN_PIXELS))

    def slice_of(self, t1_ms: MapArray, pixel_mm: float, rng: np.random.Generator) -> MapArray:
        """A slice (rows, columns) as this site has it, nowhere below 0."""
        noise = gaussian_filter(rng.standard_normal(t1_ms.shape), self.grain_pixels)
        noise *= self.noise_ms / noise.std()
        changed = gaussian_filter(t1_ms * self.t1_factor, self.blur_mm / pixel_mm) + noise
        return np.maximum(changed, 0).astype(np.float32)


def of_other_sites(crops: MapArray, rng: np.random.Generator) -> MapArray:
    """Crops (N, 128, 128) in ms, each as a site of its own has it."""
    return np.stack([OtherSite.drawn(rng).slice_of(crop, 1.0, rng) for crop in crops])


def exam_of_another_site(t1_maps: Sequence[T1Map], rng: np.random.Generator) -> list[T1Map]:
    """The maps of one exam, all as one site has them."""
    site = OtherSite.drawn(rng)
    return [replace(each, image=image_like(each.image, _slices(each, site, rng))) for each in t1_maps]


def _slices(t1_map: T1Map, site: OtherSite, rng: np.random.Generator) -> MapArray:
    pixel_mm = float(np.mean(t1_map.image.GetSpacing()[:2]))
    return np.stack([site.slice_of(t1_ms, pixel_mm, rng) for t1_ms in t1_map.array])

"""From attention masks to maps that a person can read: channel means, their product, and bands on a fixed scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import zoom

from ACNetLib.t1map.section import SECTION_SIZE

SHOWN_MAP = "combined"
"""The product of the modules' masks, which is shown unless a person wants to see one module's."""
ATTENTION_MAPS = ("module_1", "module_2", SHOWN_MAP)
BAND_QUANTILES = (0.50, 0.75, 0.90, 0.97)
BAND_NAMES = (
    "band 1 (lowest)",
    "band 2 (top 50 %)",
    "band 3 (top 25 %)",
    "band 4 (top 10 %)",
    "band 5 (top 3 %)",
)
LEAST_SHOWN = 0.05
"""A network that was taught to look at the wall masks all else to next to nothing: what lies below this is lowest."""

Thresholds = tuple[float, ...]


def map_names(modules: int) -> tuple[str, ...]:
    """The attention maps of a network with so many attention modules; none without."""
    return (*(f"module_{number}" for number in range(1, modules + 1)), SHOWN_MAP) if modules else ()


def attention_maps(masks: Sequence[NDArray[np.float32]]) -> dict[str, NDArray[np.float32]]:
    """The channel mean of each module's mask, and the modules' product as SHOWN_MAP.

    masks: one (B, C, H, W) array in (0, 1) a module; returns (B, H, W) arrays in (0, 1). The product is taken at the
    size of the finest mask.
    """
    means = [mask.mean(axis=1) for mask in masks]
    if not means:
        return {}
    finest = max(mean.shape[1:] for mean in means)
    product = np.prod([enlarged(mean, finest) for mean in means], axis=0)
    return dict(zip(map_names(len(means)), [*means, product], strict=True))


def enlarged(maps: NDArray[np.float32], size: tuple[int, int] = (SECTION_SIZE, SECTION_SIZE)) -> NDArray[np.float32]:
    """Maps (n, rows, columns) of a mask's size, bilinearly on so many pixels, by default those of a section."""
    if maps.shape[1:] == size:
        return maps
    factors = (1, size[0] / maps.shape[1], size[1] / maps.shape[2])
    return np.asarray(zoom(maps, factors, order=1, grid_mode=True, mode="nearest"))


def band_thresholds(maps: Mapping[str, NDArray[np.float32]]) -> dict[str, Thresholds]:
    """The fixed scale of a model: quantiles of each map over all pixels of many sections."""
    return {name: tuple(float(q) for q in np.quantile(values, BAND_QUANTILES)) for name, values in maps.items()}


def to_bands(values: NDArray[np.float32], inside: NDArray[np.bool_], thresholds: Thresholds) -> NDArray[np.uint8]:
    """Bands 1 (lowest) to 5 by the model's fixed thresholds, 0 where not `inside`.

    The scale belongs to the model, not to the picture: a flat map falls into one band and looks flat.
    """
    bands = np.where(values < LEAST_SHOWN, 1, 1 + np.digitize(values, thresholds))
    return np.where(inside, bands, 0).astype(np.uint8)

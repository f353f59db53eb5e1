"""Attention maps beside the parts of the heart: both on a section's own pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from ACNetLib.ventricle.labels import CAVITY_LABEL, is_myocardium

from ..cases.library import Case, CaseLibrary

FloatArray = NDArray[np.float32]
WALL_MARGIN_MM = 2
"""The wall counts with so much of its surroundings: a mask pixel is several mm wide."""
REGIONS = ("wall", "cavity", "elsewhere")


def regions_of(library: CaseLibrary, case: Case) -> NDArray[np.uint8] | None:
    """Index into REGIONS of each pixel of a section, (128, 128); None where the library knows no outlines."""
    masks = library.masks(case)
    if masks is None:
        return None
    labels = library.grid(case, library.t1_map(case)).sample(masks)
    wall = binary_dilation(is_myocardium(labels), iterations=WALL_MARGIN_MM)
    return np.where(wall, 0, np.where(labels == CAVITY_LABEL, 1, 2)).astype(np.uint8)


def enrichments(attention: FloatArray, regions: NDArray[np.uint8]) -> dict[str, float]:
    """The mean of a map (128, 128) in each region that there is, relative to its mean in the whole section.

    Above 1: attention is higher there than on average. This is the energy-based pointing game, relative to area.
    """
    return {
        name: float(attention[regions == index].mean() / attention.mean())
        for index, name in enumerate(REGIONS)
        if (regions == index).any()
    }

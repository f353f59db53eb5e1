"""Small pictures of cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from ACNetLib.files import atomic_path
from ACNetLib.t1map.section import SECTION_SIZE
from ACNetLib.t1map.t1_map import DISPLAY_WINDOW_MS

from .library import Case, CaseLibrary


def write_thumbnail(library: CaseLibrary, case: Case, path: Path, pixels: int) -> None:
    """The section as the network sees it, grey, `pixels` wide, as PNG."""
    t1_map = library.t1_map(case)
    grid = library.grid(case, t1_map)
    small = replace(grid, size=pixels, spacing_mm=grid.spacing_mm * SECTION_SIZE / pixels)
    low, high = DISPLAY_WINDOW_MS
    gray = np.clip((small.crop(t1_map).t1_ms - low) / (high - low), 0, 1) * 255
    with atomic_path(path) as temporary:
        Image.fromarray(gray.astype(np.uint8)).save(temporary)

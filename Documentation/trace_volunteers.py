"""Left ventricles of the Cardiac Atlas Project's volunteers as a table for `acnet-train real-hearts`: abroad.md.

python Documentation/trace_volunteers.py PCATOOL OUTPUT.csv, where PCATOOL is a checkout of CardiacAtlasProject/PCATool:
`PCA_ED.mat` has the mean of 1,991 left ventricles at end-diastole, its first ten modes, and each volunteer's score in
them; `SurfaceFaces.mat` the triangles. A volunteer's heart is put together again from mean, modes and scores.
Coordinates are in mm, x along the axis to the apex, y towards the right ventricle.
"""

from __future__ import annotations

import csv
import sys
from itertools import dropwhile, takewhile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_path
from ACNetTrainerLib.abroad.mesh import radii_at
from ACNetTrainerLib.abroad.outlines import ANGLES
from ACNetTrainerLib.abroad.traced import COLUMNS, SURFACES, read_traced_hearts
from trace_hearts import ANGLES_DEGREES

FloatArray = NDArray[np.float64]

EVERY = 4
"""One volunteer in four: about 500 hearts."""
SLICES = 12
NEAREST_MM, THINNEST_WALL_MM = 3.0, 1.0
"""Ten modes are not all of a heart: at a thin apex the surfaces may meet."""


def trace(folder: Path, output: Path) -> None:
    """Raises ACNetError where the files are missing or others, before anything is written."""
    model, faces = _struct(folder / "PCA_ED.mat", "PCA_ED"), _struct(folder / "SurfaceFaces.mat", "Face")
    # Points of the inner surface, then of the outer one; MATLAB counts from 1.
    triangles = [np.asarray(getattr(faces, name), int) - 1 for name in ("Endo", "Epi")]
    scores = np.asarray(model.SCORE, float)
    with atomic_path(output) as unfinished, unfinished.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*COLUMNS, *ANGLES_DEGREES])
        for number in range(0, len(scores), EVERY):
            points = (model.MEAN + model.COEFF @ scores[number]).reshape(-1, 3)
            # x to the right ventricle, y to the anterior wall, z from the apex up.
            heart = np.column_stack([points[:, 1], -points[:, 2], -points[:, 0]])
            surfaces = [heart[corners] for corners in triangles]
            for row, height in enumerate(heights := _heights(surfaces), start=1):
                for name, surface in zip(SURFACES, surfaces, strict=True):
                    radii = np.interp(np.radians(ANGLES_DEGREES), ANGLES, radii_at(surface, height), period=2 * np.pi)
                    slice_mm = f"{heights[0] - heights[1]:.3f}"
                    table.writerow(
                        [f"volunteer-{number:04d}", "normal", slice_mm, row, name, *(f"{r:.1f}" for r in radii)]
                    )


def _heights(surfaces: list[FloatArray]) -> FloatArray:
    """Planes from the base to the apex: as far as there is a ring of wall around the axis.

    Raises ACNetError where that is too short.
    """
    inner = surfaces[0][..., 2]
    planes = np.arange(inner.max(), inner.min(), -1.0)
    below_the_valve = dropwhile(lambda plane: not _has_ring(surfaces, plane), planes)
    rings = list(takewhile(lambda plane: _has_ring(surfaces, plane), below_the_valve))
    if len(rings) < SLICES:
        raise ACNetError(
            f"PCA_ED.mat: found {len(rings)} mm of a heart with a wall all around; expected {SLICES} mm or more."
        )
    return np.linspace(rings[0], rings[-1], SLICES)


def _has_ring(surfaces: list[FloatArray], height: float) -> bool:
    inner, outer = (radii_at(surface, height) for surface in surfaces)
    return bool(((inner > NEAREST_MM) & (outer - inner > THINNEST_WALL_MM)).all())


def _struct(path: Path, name: str) -> Any:
    try:
        return loadmat(path, squeeze_me=True, struct_as_record=False)[name]
    except (OSError, ValueError, KeyError, MatReadError) as error:
        raise ACNetError(f"{path}: no {name} was read; expected the file of CardiacAtlasProject/PCATool.") from error


if __name__ == "__main__":
    try:
        trace(Path(sys.argv[1]), Path(sys.argv[2]))
        hearts = read_traced_hearts(Path(sys.argv[2]))
        walls = [heart.wall_mm for heart in hearts]
        print(f"{len(hearts)} hearts, mean wall in the middle slice {np.mean(walls):.1f} mm, SD {np.std(walls):.1f} mm")
    except ACNetError as error:
        print(error, file=sys.stderr)
        sys.exit(2)

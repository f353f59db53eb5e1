"""Outlines of the Sunnybrook Cardiac Data as the table that `acnet-train real-hearts` reads: Documentation/abroad.md.

python Documentation/trace_hearts.py FOLDER OUTPUT.csv, where FOLDER has the collection's manual contours, a folder a
heart: SC-N-03/contours-manual/IRCCI-expert/IM-0001-0180-icontour-manual.txt and so on. Only end-diastole has both an
inner and an outer contour. The contours are in pixels; neither their size nor the distance of the slices is in them.
Slices whose wall is open, as at the outflow tract, are left out.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.abroad.hearts import Kind
from ACNetTrainerLib.abroad.traced import COLUMNS, SURFACES

KINDS: dict[str, Kind] = {"SC-N": "normal", "SC-HF-NI": "dcm", "SC-HF-I": "infarct", "SC-HYP": "hcm"}
"""Heart failure without ischaemia is the nearest that the collection has to DCM."""
CONTOURS = "contours-manual/IRCCI-expert"
PIXEL_MM = 1.3672
"""Of four of the five hearts whose headers were seen; the fifth has 1.2891."""
SLICE_MM = 8.0
RV_DIRECTION_DEGREES = {
    "SC-HF-I-05": 205,
    "SC-HF-I-09": 205,
    "SC-HF-NI-11": 195,
    "SC-HF-NI-31": 190,
    "SC-HYP-08": 180,
    "SC-HYP-11": 200,
    "SC-N-03": 185,
    "SC-N-05": 190,
}
"""From the left to the right ventricle on the screen, 0 to the right and 90 down, as seen on the cine images by eye."""
THINNEST_WALL_MM = 1.0
"""A wall that is thinner anywhere is open there."""
ANGLES_DEGREES = np.arange(-180, 180, 6)


def trace(folder: Path, output: Path) -> None:
    """Raises ACNetError where a heart has no contours, before anything is written."""
    for heart in RV_DIRECTION_DEGREES:
        if not _outer_contours(folder, heart):
            raise ACNetError(f"{folder}: no contours of {heart}; expected {heart}/{CONTOURS}/*-ocontour-manual.txt.")
    with output.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*COLUMNS, *ANGLES_DEGREES])
        for heart, direction in RV_DIRECTION_DEGREES.items():
            kind = KINDS[heart.rpartition("-")[0]]
            for number, path in enumerate(_outer_contours(folder, heart), start=1):
                inner = np.loadtxt(path.with_name(path.name.replace("-ocontour", "-icontour")))
                center = _centroid(inner)
                surfaces = [_radii((points - center) * PIXEL_MM, direction) for points in (inner, np.loadtxt(path))]
                if (surfaces[1] - surfaces[0]).min() < THINNEST_WALL_MM:
                    continue
                for surface, radii in zip(SURFACES, surfaces, strict=True):
                    table.writerow([heart, kind, SLICE_MM, number, surface, *(f"{radius:.1f}" for radius in radii)])


def _outer_contours(folder: Path, heart: str) -> list[Path]:
    return sorted((folder / heart / CONTOURS).glob("*-ocontour-manual.txt"))


def _centroid(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of the area within a closed contour (n, 2)."""
    x, y = points.T
    cross = x * np.roll(y, -1) - np.roll(x, -1) * y
    along = points + np.roll(points, -1, axis=0)
    return np.asarray((along * cross[:, np.newaxis]).sum(axis=0) / (3 * cross.sum()))


def _radii(points_mm: NDArray[np.float64], direction_degrees: float) -> NDArray[np.float64]:
    """At `ANGLES_DEGREES` from the right ventricle's direction, clockwise on the screen."""
    angle = np.degrees(np.arctan2(points_mm[:, 1], points_mm[:, 0])) - direction_degrees
    order = np.argsort(angle % 360)
    return np.interp(ANGLES_DEGREES % 360, angle[order] % 360, np.hypot(*points_mm[order].T), period=360)


if __name__ == "__main__":
    try:
        trace(Path(sys.argv[1]), Path(sys.argv[2]))
    except ACNetError as error:
        print(error, file=sys.stderr)
        sys.exit(2)

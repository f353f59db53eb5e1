"""Ventricles cut from a surface mesh of real hearts, in place of drawn ones.

Made for the mean of 1,093 healthy hearts at end-diastole, `Both_ED_mean.vtk` of the UK Digital Heart Project's
statistical shape model (Bai et al., Med. Image Anal. 26:133, 2015); it is not ours to hand on, and not in this
repository. Its long axis is z, from the apex up; the scalars tell the surfaces apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError

from .hearts import FloatArray
from .outlines import ANGLES, Outlines

EPICARDIUM, ENDOCARDIUM, RIGHT_VENTRICLE = 0.0, 0.5, 1.0
"""The scalar of each surface's points."""
ROUNDING = 1e-9
THINNEST_RV_MM = 2.0
"""What reaches less far beyond the epicardium is no right ventricle."""


@dataclass(frozen=True, eq=False)
class HeartMesh:
    """Triangles (n, 3, 3) in mm of each surface, z along the axis, the middle of the left ventricle's cavity at 0."""

    endocardium: FloatArray
    epicardium: FloatArray
    rv: FloatArray


@dataclass(frozen=True, eq=False)
class MeshSurfaces:
    """The outlines of a mesh that is made `size` times as large; as `outlines.HeartSurfaces`."""

    mesh: HeartMesh
    size: float
    level_distance_mm: float

    @cached_property
    def levels(self) -> tuple[Outlines, ...]:
        return tuple(self.at(level) for level in range(3))

    def at(self, level: int, towards_apex_mm: float = 0.0) -> Outlines:
        """The outlines so far from a level along the heart's axis, seen from the middle of the mid cavity."""
        height = ((1 - level) * self.level_distance_mm - towards_apex_mm) / self.size
        endocardium, epicardium, rv = (
            self.size * radii_at(triangles, height)
            for triangles in (self.mesh.endocardium, self.mesh.epicardium, self.mesh.rv)
        )
        is_rv = np.nan_to_num(rv) > epicardium + THINNEST_RV_MM
        # The arc around the right ventricle's direction, angle 0: the last angle of it on either side.
        after, before = (np.argmin(side) for side in (is_rv[ANGLES >= 0], is_rv[ANGLES <= 0][::-1]))
        first, last = -float(before) * (ANGLES[1] - ANGLES[0]), float(after) * (ANGLES[1] - ANGLES[0])
        in_arc = is_rv & (first < ANGLES) & (last > ANGLES)
        return Outlines(endocardium, epicardium, np.where(in_arc, rv, epicardium), (last, first))


@cache
def read_mesh(path: Path) -> HeartMesh:
    """Raises ACNetError for a file that is no such mesh."""
    if find_spec("vtkmodules") is None:
        raise ACNetError(
            f"{path}: the Python package vtk is not installed; expected it, for it reads meshes. Install it."
        )
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOLegacy import vtkPolyDataReader

    expected = "expected a VTK mesh whose scalars are 0 on the epicardium, 0.5 on the endocardium, 1 on the RV"
    reader = vtkPolyDataReader()
    reader.SetFileName(str(path))
    if not path.is_file() or not reader.IsFilePolyData():
        raise ACNetError(f"{path}: no mesh found; {expected}.")
    reader.Update()
    data = reader.GetOutput()
    scalars = data.GetPointData().GetScalars()
    if scalars is None or data.GetNumberOfPolys() == 0 or data.GetPolys().GetMaxCellSize() != 3:
        raise ACNetError(f"{path}: found {data.GetNumberOfPolys()} polygons; {expected}.")
    points, marks = vtk_to_numpy(data.GetPoints().GetData()).astype(float), vtk_to_numpy(scalars)
    corners = vtk_to_numpy(data.GetPolys().GetConnectivityArray()).reshape(-1, 3)
    surfaces = [corners[marks[corners[:, 0]] == mark] for mark in (ENDOCARDIUM, EPICARDIUM, RIGHT_VENTRICLE)]
    if not all(len(surface) for surface in surfaces):
        raise ACNetError(f"{path}: found the scalars {np.unique(marks).tolist()[:5]}; {expected}.")
    return _in_the_hearts_frame(points, surfaces)


def _in_the_hearts_frame(points: FloatArray, surfaces: list[NDArray[np.int64]]) -> HeartMesh:
    """x to the right ventricle's centre, y a quarter turn from it to the anterior side, where that ventricle is drawn
    out and has its outflow tract."""
    cavity = points[np.unique(surfaces[0])]
    middle_z = (cavity[:, 2].min() + cavity[:, 2].max()) / 2
    center = np.append(cavity[np.abs(cavity[:, 2] - middle_z) < 3, :2].mean(axis=0), middle_z)
    to_rv = points[np.unique(surfaces[2]), :2].mean(axis=0) - center[:2]
    x_axis = np.append(to_rv / np.linalg.norm(to_rv), 0.0)
    y_axis = np.cross([0.0, 0.0, 1.0], x_axis)
    frame = (points - center) @ np.column_stack([x_axis, y_axis, [0.0, 0.0, 1.0]])
    endocardium, epicardium, rv = (frame[surface] for surface in surfaces)
    return HeartMesh(endocardium, epicardium, rv)


def radii_at(triangles: FloatArray, height: float) -> FloatArray:
    """How far a surface reaches from the axis at `ANGLES`, (180,), in a plane across it; NaN where it is not met."""
    heights = triangles[..., 2] - height
    cut = triangles[(heights.min(axis=1) < 0) & (heights.max(axis=1) >= 0)]
    segments = _segments(cut, height)
    start, along = segments[:, 0], segments[:, 1] - segments[:, 0]
    rays = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])[:, np.newaxis]
    # start + t along = r ray, solved for t and r by cross products.
    turn = rays[..., 0] * along[:, 1] - rays[..., 1] * along[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        radius = (start[:, 0] * along[:, 1] - start[:, 1] * along[:, 0]) / turn
        part = (start[:, 0] * rays[..., 1] - start[:, 1] * rays[..., 0]) / turn
    # A ray through a corner meets one of the two segments there, whatever rounding says.
    met = (part >= -ROUNDING) & (part <= 1 + ROUNDING) & (radius > 0)
    farthest = np.where(met, radius, -np.inf).max(axis=1, initial=-np.inf)
    return np.where(np.isfinite(farthest), farthest, np.nan)


def _segments(triangles: FloatArray, height: float) -> FloatArray:
    """Where a plane cuts triangles, each of which lies on both sides of it: (n, 2, 2)."""
    above = triangles[..., 2] >= height
    # The corner that is alone on its side, and the two others.
    alone = np.where(above.sum(axis=1) == 1, above.argmax(axis=1), (~above).argmax(axis=1))
    rows = np.arange(len(triangles))
    tip = triangles[rows, alone]
    ends = []
    for step in (1, 2):
        other = triangles[rows, (alone + step) % 3]
        part = (height - tip[:, 2]) / (other[:, 2] - tip[:, 2])
        ends.append((tip + part[:, np.newaxis] * (other - tip))[:, :2])
    return np.stack(ends, axis=1)

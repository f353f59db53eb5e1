"""Ventricles of a surface mesh in place of drawn ones: round ones, of which every radius is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkFiltersCore import vtkAppendPolyData
from vtkmodules.vtkFiltersSources import vtkSphereSource
from vtkmodules.vtkIOLegacy import vtkPolyDataWriter

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.abroad.cohort import Cohort
from ACNetTrainerLib.abroad.mesh import MeshSurfaces, read_mesh
from ACNetTrainerLib.abroad.outlines import ANGLES
from ACNetTrainerLib.commands.main import main

CENTER = np.array([-40.0, 5.0, 3.0])


def sphere(radius_mm: float, center: NDArray[np.float64], mark: float) -> vtkPolyData:
    source = vtkSphereSource()
    source.SetRadius(radius_mm)
    source.SetCenter(*center)
    source.SetThetaResolution(120)
    source.SetPhiResolution(120)
    source.Update()
    data = source.GetOutput()
    marks = numpy_to_vtk(np.full(data.GetNumberOfPoints(), mark), deep=True)
    marks.SetName("scalars")
    data.GetPointData().Initialize()
    data.GetPointData().SetScalars(marks)
    return data


def write(path: Path, *parts: vtkPolyData) -> Path:
    together = vtkAppendPolyData()
    for part in parts:
        together.AddInputData(part)
    writer = vtkPolyDataWriter()
    writer.SetInputConnection(together.GetOutputPort())
    writer.SetFileName(str(path))
    writer.Write()
    return path


@pytest.fixture
def round_heart(tmp_path: Path) -> Path:
    """A cavity of 25 mm, a wall of 10, and a right ventricle of 30 around a point 35 mm away along y."""
    return write(
        tmp_path / "heart.vtk",
        sphere(35.0, CENTER, 0.0),
        sphere(25.0, CENTER, 0.5),
        sphere(30.0, CENTER + np.array([0.0, 35.0, 0.0]), 1.0),
    )


def test_a_plane_of_the_mesh_has_its_radii(round_heart: Path) -> None:
    mid = MeshSurfaces(read_mesh(round_heart), 1.0, 15.0).at(1)
    np.testing.assert_allclose(mid.endocardium, 25.0, atol=0.1)
    np.testing.assert_allclose(mid.epicardium, 35.0, atol=0.1)
    assert mid.rv[np.argmin(np.abs(ANGLES))] == pytest.approx(65.0, abs=0.1)
    np.testing.assert_allclose(mid.rv[np.abs(ANGLES) > np.pi / 2], 35.0, atol=0.1)
    anterior, inferior = mid.insertion_angles
    assert anterior == pytest.approx(-inferior, abs=0.04)
    assert 0.8 < anterior < 1.1


def test_a_larger_heart_is_larger_in_every_direction_and_smaller_towards_its_end(round_heart: Path) -> None:
    surfaces = MeshSurfaces(read_mesh(round_heart), 1.2, 12.0)
    np.testing.assert_allclose(surfaces.levels[1].endocardium, 30.0, atol=0.1)
    for outlines in (surfaces.levels[2], surfaces.levels[0], surfaces.at(1, 12.0)):
        np.testing.assert_allclose(outlines.endocardium, np.sqrt(30.0**2 - 12.0**2), atol=0.1)


def test_normal_hearts_have_the_ventricles_of_the_mesh_and_all_else_of_the_patient(round_heart: Path) -> None:
    drawn, cut = (Cohort(4, 1.5, 3, None, 1.0, mesh) for mesh in (None, round_heart))
    for index in range(4):
        one, other = drawn.patient(index), cut.patient(index)
        np.testing.assert_array_equal(one.tissue_t1_ms, other.tissue_t1_ms)
        np.testing.assert_array_equal(one.scan.axes, other.scan.axes)
        is_cut = isinstance(other.surfaces, MeshSurfaces)
        assert is_cut == (one.heart.kind == "normal")


@pytest.mark.parametrize("content", [None, "no mesh", "one surface"])
def test_what_is_no_such_mesh_is_refused_in_one_line(
    tmp_path: Path, content: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    file, output = tmp_path / "mesh.vtk", tmp_path / "cases"
    if content == "one surface":
        write(file, sphere(30.0, CENTER, 0.0))
    elif content is not None:
        file.write_text(content, encoding="utf-8")
    with pytest.raises(ACNetError, match="expected a VTK mesh"):
        read_mesh(file)
    assert main(["simulate-abroad", "--patients", "2", "--mesh", str(file), "--output", str(output)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "mesh.vtk" in line
    assert not output.exists()


def test_a_mesh_without_triangles_is_refused(tmp_path: Path) -> None:
    points = vtkPolyData()
    points.SetPoints(vtkPoints())
    with pytest.raises(ACNetError, match="found 0 polygons"):
        read_mesh(write(tmp_path / "empty.vtk", points))

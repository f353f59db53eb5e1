"""Small T1 maps to fill case libraries with, and libraries whose images nobody reads."""

from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ACNetLib.t1map.t1_map import FIELD_STRENGTH_KEY, Geometry, T1Map, t1_map_from_array
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL
from ACNetTrainerLib.cases.library import Case, CaseLibrary
from ACNetTrainerLib.cases.maps import NewMap, at_point, nothing_found
from conftest import SHORT_AXIS

SPACING_MM = (1.4, 2.1, 8.0)
ORIGIN_MM = (-80.5, 35.25, 410.125)


STORAGES = tuple(itertools.product((False, True), repeat=3))
"""The eight ways to store the same slice: columns reversed, rows reversed, rows and columns exchanged."""


def stored_otherwise(image: sitk.Image, columns_reversed: bool, rows_reversed: bool, exchanged: bool) -> sitk.Image:
    """The same voxels in the same place, with direction cosines that say how they are stored now."""
    values = sitk.GetArrayFromImage(image)
    directions = np.reshape(image.GetDirection(), (3, 3)).copy()
    spacing, first = list(image.GetSpacing()), [0, 0, 0]
    for axis, is_reversed in enumerate((columns_reversed, rows_reversed)):
        if is_reversed:
            values = np.flip(values, 2 - axis)
            first[axis] = image.GetSize()[axis] - 1
            directions[:, axis] *= -1
    origin = image.TransformIndexToPhysicalPoint(first)
    if exchanged:
        values = np.swapaxes(values, 1, 2)
        directions[:, [0, 1]] = directions[:, [1, 0]]
        spacing[0], spacing[1] = spacing[1], spacing[0]
    other = sitk.GetImageFromArray(np.ascontiguousarray(values))
    other.SetSpacing(spacing)
    other.SetOrigin(origin)
    other.SetDirection(directions.ravel().tolist())
    for key in image.GetMetaDataKeys():
        other.SetMetaData(key, image.GetMetaData(key))
    return other


def made_up_map(seed: int, sections: int = 1, field_strength_tesla: float | None = 1.5) -> T1Map:
    """Oblique, anisotropic, 40 x 30 pixels; every seed gives other pixels."""
    t1_ms = np.random.default_rng(seed).integers(200, 1900, (sections, 40, 30))
    return t1_map_from_array(
        t1_ms,
        Geometry(SPACING_MM, ORIGIN_MM, SHORT_AXIS),
        name=f"map-{seed}",
        field_strength_tesla=field_strength_tesla,
    )


def new_map(seed: int, patient: str, label: str = "dcm", sections: int = 1) -> NewMap:
    """A made-up map whose ventricle is in its middle."""
    t1_map = made_up_map(seed, sections)
    return NewMap(t1_map, label, patient, at_point(t1_map, t1_map.center, nothing_found(t1_map)))


def made_up_ring(section: int) -> sitk.Image:
    """A segmentation of one section of a map of two: a wall around a cavity."""
    t1_map = made_up_map(0, sections=2)
    labels = np.zeros(t1_map.array.shape, np.uint8)
    labels[section, 10:20, 8:18] = MYOCARDIUM_LABEL
    labels[section, 13:17, 11:15] = CAVITY_LABEL
    image = sitk.GetImageFromArray(labels)
    image.CopyInformation(t1_map.image)
    return image


def write_map(t1_map: T1Map, path: Path) -> Path:
    """As someone's export: with the field strength, and with a name in the header."""
    image = sitk.Image(t1_map.image)
    image.SetMetaData(FIELD_STRENGTH_KEY, f"{t1_map.field_strength_tesla:g}")
    image.SetMetaData("PatientName", "Doe^Jane")
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


def write_rows(path: Path, columns: list[str], *rows: list[str], delimiter: str = ",") -> Path:
    """A table as a spreadsheet saves it."""
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter).writerows([columns, *rows])
    return path


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the lock, which says nothing."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "cases.lock"
    }


def unread_library(normal: int, dcm: int, name: str = "library") -> CaseLibrary:
    """Three slices of each of so many patients; the name is the source of all. No image is there."""
    cases = [
        Case(f"{name}-{label}{i:03}-{j}", f"{name}-{label}{i:03}", "x.nrrd", label, 0.0, 0.0, 0.0, 1.5, name)
        for label, count in (("normal", normal), ("dcm", dcm))
        for i in range(count)
        for j in range(3)
    ]
    return CaseLibrary(Path(name), tuple(cases))

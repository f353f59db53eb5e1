"""The T1 map: read from a file or folder, checked, in milliseconds, with the geometry of its source."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from pydicom.errors import InvalidDicomError

from ACNetLib.dicom.guard import read_dataset
from ACNetLib.dicom.pixels import ODD_VALUES
from ACNetLib.dicom.volumes import DicomVolume, NoT1Map, SourceSlice, read_dicom_volume
from ACNetLib.errors import ACNetError, as_text
from ACNetLib.folders import files_in
from ACNetLib.t1map.checks import (
    SMALLEST_OBLIQUITY_DEGREES,
    UNKNOWN_THICKNESS,
    check_short_axis,
    check_t1_image,
    check_told_native,
    obliquity_degrees,
)
from ACNetLib.t1map.field_strength import agreed_field_strength
from ACNetLib.volumes.dcm2niix import DIVIDED, REMEDY
from ACNetLib.volumes.header import (
    FIELD_STRENGTH_KEY,
    FITTED_KEY,
    SIMULATED_KEY,
    VOLUME_SUFFIXES,
    WARNINGS_KEY,
    VolumeHeader,
    is_volume_file,
    told_warnings,
)
from ACNetLib.volumes.volume import read_volume, read_volume_header, with_slices_last, with_spacing

NOT_PLACED = (
    "Its file does not tell how its slices lie in the body: base and apex, anterior and inferior side are not known. "
    "T1 of the AHA segments is left out; for it, export the map with its geometry."
)

# How a T1 map is shown, in the scene and in pictures.
DISPLAY_WINDOW_MS = (0.0, 2000.0)


@dataclass(frozen=True, eq=False)
class T1Map:
    """One section or a stack of parallel sections of T1 in ms.

    `image` is 3-D float32, its size is (columns, rows, sections). Its positions are LPS mm and its axes may be oblique
    or left-handed: nothing is reoriented. `simulated` is True when the source says so. `evidence` tells what in the
    DICOM headers made it a T1 map. `scanner` is its manufacturer and model, "" where the source doesn't tell both,
    `sequence` such as "MOLLI", "" where its names don't tell it, "MOLLI and SASHA" where they tell two. `fitted`: from
    what it was fitted here, "" of a map by the scanner.
    `sources` are the DICOM images of its sections, none where it comes from elsewhere: paths, for no record or text.
    """

    image: sitk.Image
    name: str
    field_strength_tesla: float | None = None
    simulated: bool = False
    warnings: tuple[str, ...] = ()
    evidence: str = ""
    scanner: str = ""
    sequence: str = ""
    fitted: str = ""
    sources: tuple[SourceSlice, ...] = field(default=(), repr=False)

    @property
    def section_count(self) -> int:
        return self.image.GetDepth()

    @cached_property
    def array(self) -> np.ndarray:
        """T1 in ms as (section, row, column), float32. It can't be written to: all that ask share it."""
        values = sitk.GetArrayFromImage(self.image)
        values.setflags(write=False)
        return values

    @cached_property
    def planes(self) -> tuple[sitk.Image, ...]:
        """Each section as a 3-D image of its own: half its depth is room for rounding, and no neighbour blends in."""
        if self.section_count == 1:
            return (self.image,)
        return tuple(self.image[:, :, section : section + 1] for section in range(self.section_count))

    @property
    def row_axis(self) -> np.ndarray:
        """Direction of increasing column index, (3,)."""
        return self._axis(0)

    @property
    def column_axis(self) -> np.ndarray:
        """Direction of increasing row index, (3,)."""
        return self._axis(1)

    @property
    def normal(self) -> np.ndarray:
        """Direction of increasing section index, (3,)."""
        return self._axis(2)

    @property
    def is_placed(self) -> bool:
        """Whether its source tells how its slices lie in the body.

        DICOM always does. Of a file or an array, slices along the body's axes are those of an export without geometry:
        no short axis lies so.
        """
        return bool(self.sources) or obliquity_degrees(self.normal) >= SMALLEST_OBLIQUITY_DEGREES

    @property
    def center(self) -> np.ndarray:
        """Physical centre of the whole map, (3,)."""
        return self._center((self.section_count - 1) / 2)

    def section_center(self, section: int) -> np.ndarray:
        """Physical centre of one section, (3,). Raises ACNetError when the map has no such section."""
        if not 0 <= section < self.section_count:
            raise ACNetError(f"{self.name}: there is no slice {section}; its slices are 0 to {self.section_count - 1}.")
        return self._center(section)

    def project(self, point_mm: Sequence[float] | np.ndarray, section: int) -> np.ndarray:
        """The point moved along the normal onto the plane of the section, (3,)."""
        point = np.asarray(point_mm, dtype=float)
        return point - np.dot(point - self.section_center(section), self.normal) * self.normal

    def scaled(self, factor: float) -> T1Map:
        """The map with all T1 times a factor, as if from another scanner."""
        return replace(self, image=self.image * factor)

    def _axis(self, column: int) -> np.ndarray:
        return np.reshape(self.image.GetDirection(), (3, 3))[:, column]

    def _center(self, section: float) -> np.ndarray:
        index = ((self.image.GetWidth() - 1) / 2, (self.image.GetHeight() - 1) / 2, section)
        return np.array(self.image.TransformContinuousIndexToPhysicalPoint(index))


@dataclass(frozen=True)
class Reading:
    """How a person wants an input to be read.

    series: of a DICOM folder, by their numbers. post_contrast: lets a map from after contrast pass, with a warning.
    field_strength_tesla: see `agreed_field_strength`. leave_out: the names of files of a DICOM folder that are not to
    be read. spacing_mm: (columns, rows, slices), for a volume file without.
    """

    series: Sequence[int] = ()
    post_contrast: bool = False
    field_strength_tesla: float | None = None
    leave_out: Sequence[str] = ()
    spacing_mm: Sequence[float] = ()


AS_IT_IS = Reading()


def read_t1_map(path: Path, reading: Reading = AS_IT_IS) -> T1Map:
    """Read an NRRD, NIfTI or MetaImage file, a folder with DICOM images (subfolders included) or one DICOM image.

    Raises ACNetError for a missing or unreadable file, for an image that is no native short-axis T1 map, and for a
    field strength that no model covers or that differs from the header's.
    """
    path = Path(path)
    if not os.path.exists(path):  # pathlib raises for a name that is longer than the system takes
        raise ACNetError(f"{path}: there is no such file or folder; expected a T1 map.")
    name = as_text(path.absolute().name)
    if path.is_file() and is_volume_file(name):
        if reading.series:
            raise ACNetError(
                f"{name}: found one volume; series {reading.series[0]} can be chosen in DICOM folders only."
            )
        if reading.leave_out:
            raise ACNetError(f"{name}: found one volume; files can be left out of DICOM folders only.")
        return _read_volume_file(path, name, reading)
    if reading.spacing_mm:
        raise ACNetError(f"{name}: a spacing can be given for volume files only; DICOM images tell theirs.")
    return t1_map_from_dicom(read_dicom(path, reading), name, reading)


def read_dicom(path: Path, reading: Reading) -> DicomVolume:
    """See `read_dicom_volume`. Raises ACNetError that names the formats for a file of another, and the files for a
    folder of volume files.
    """
    name = path.absolute().name
    if path.is_file():
        try:
            read_dataset(path, stop_before_pixels=True, specific_tags=["SOPClassUID"])
        except InvalidDicomError as error:
            raise ACNetError(
                f"{name}: it is no DICOM image and no volume file; expected a DICOM image or folder, or a file as "
                f"{', '.join(VOLUME_SUFFIXES)}. Export the T1 map as one of these."
            ) from error
        except ODD_VALUES:
            pass  # it is DICOM: what is wrong is said below
    try:
        return read_dicom_volume(path, reading.series, reading.post_contrast, reading.leave_out)
    except NoT1Map as error:
        volumes = sorted(file.name for file in files_in(path) if is_volume_file(file.name)) if path.is_dir() else []
        if not volumes:
            raise
        more = f" and {len(volumes) - 1} more" if len(volumes) > 1 else ""
        raise NoT1Map(
            f"{error.plain} It holds volume files ({volumes[0]}{more}): give the file itself.",
            cli=error.cli,
            panel=error.panel,
        ) from error


def t1_map_from_dicom(volume: DicomVolume, name: str, reading: Reading = AS_IT_IS) -> T1Map:
    """A T1 map from a DICOM volume. Raises ACNetError when it is no native short-axis T1 map."""
    t1_map = t1_map_from_image(volume.image, name, volume.field_strength_tesla, volume.simulated, reading)
    warnings = (*volume.warnings, *t1_map.warnings, *check_short_axis(t1_map.normal, name))
    told = replace(t1_map, evidence=volume.evidence, scanner=volume.scanner, sequence=volume.sequence)
    return replace(told, warnings=warnings, sources=volume.sources)


@dataclass(frozen=True, eq=False)
class Geometry:
    """How an image lies in space, in LPS mm.

    spacing_mm: (columns, rows, slices). origin_mm: the centre of its first pixel. The columns of `direction` (3, 3) are
    the axes of increasing column, row and section index.
    """

    spacing_mm: Sequence[float]
    origin_mm: Sequence[float] = (0.0, 0.0, 0.0)
    direction: np.ndarray = field(default_factory=lambda: np.eye(3))


def t1_map_from_array(
    t1_ms: np.ndarray,
    geometry: Geometry,
    *,
    name: str,
    field_strength_tesla: float | None = None,
    post_contrast: bool = False,
) -> T1Map:
    """A T1 map from (row, column) or (section, row, column) values in ms.

    Raises ACNetError for an array that is no T1 map.
    """
    t1_ms = np.asarray(t1_ms)
    if t1_ms.ndim not in {2, 3}:
        raise ACNetError(f"{name}: found an array of shape {t1_ms.shape}; expected one slice (2-D) or a stack (3-D).")
    stack = t1_ms.reshape(-1, *t1_ms.shape[-2:])
    image = sitk.GetImageFromArray(stack.astype(np.float32))
    image.SetSpacing([float(value) for value in geometry.spacing_mm])
    image.SetOrigin([float(value) for value in geometry.origin_mm])
    image.SetDirection(np.asarray(geometry.direction, dtype=float).ravel())
    return t1_map_from_image(image, name, field_strength_tesla, reading=Reading(post_contrast=post_contrast))


def t1_map_from_image(
    image: sitk.Image,
    name: str,
    field_strength_tesla: float | None = None,
    simulated: bool = False,
    reading: Reading = AS_IT_IS,
) -> T1Map:
    """A T1 map from an image in memory. Raises ACNetError when it is none, see `check_t1_image`.

    Its field strength is what its source tells and a person gives, see `agreed_field_strength`.
    """
    field_strength_tesla, doubts = agreed_field_strength(field_strength_tesla, reading.field_strength_tesla, name)
    checked = check_t1_image(image, name, reading.post_contrast)
    return T1Map(checked.image, name, field_strength_tesla, simulated, (*doubts, *checked.warnings))


def _read_volume_file(path: Path, name: str, reading: Reading) -> T1Map:
    header = read_volume_header(path)
    check_values_by_header(header, name)
    told_of_images = told_warnings(header.keys.get(WARNINGS_KEY))
    check_told_native(told_of_images, name, reading.post_contrast)
    header = with_spacing(header, reading.spacing_mm, name)
    told = parse_field_strength(header.keys.get(FIELD_STRENGTH_KEY), name)
    field_strength_tesla, doubts = agreed_field_strength(told, reading.field_strength_tesla, name)
    checked = check_t1_image(with_slices_last(read_volume(path, header)), name, reading.post_contrast)
    if header.is_converted and checked.unit != "ms":
        raise ACNetError(
            f"{name}: its values are T1 in {checked.unit}, or {DIVIDED}; expected T1 in ms. {REMEDY} With the JSON "
            "file of dcm2niix beside it, the two can be told apart."
        )
    warnings = (*doubts, *header.warnings, *checked.warnings)
    if header.spacing_mm[2] is None:
        warnings = (*warnings, UNKNOWN_THICKNESS)
    fitted = header.keys.get(FITTED_KEY, "")
    if fitted:
        warnings = (*warnings, fitted_here(fitted))
    is_simulated = header.keys.get(SIMULATED_KEY) == "1"
    t1_map = T1Map(
        checked.image,
        name,
        field_strength_tesla,
        is_simulated,
        scanner=header.scanner,
        sequence=header.sequence,
        fitted=fitted,
    )
    warnings = (*warnings, *told_of_images, *plane_warnings(t1_map))
    return replace(t1_map, warnings=tuple(dict.fromkeys(warnings)))


def plane_warnings(t1_map: T1Map) -> tuple[str, ...]:
    """See `check_short_axis`; none where the source does not tell the plane."""
    return check_short_axis(t1_map.normal, t1_map.name) if t1_map.is_placed else ()


def fitted_here(source: str) -> str:
    """What a user should know of a map whose header has FITTED_KEY."""
    return f"The scanner did not make this T1 map: it was fitted by ACNet ({source})."


def check_values_by_header(header: VolumeHeader, name: str) -> None:
    """Raises ACNetError where the header says that the values can't be T1, though they may look so."""
    if header.refusal:
        raise ACNetError(f"{name}: {header.refusal}")


def parse_field_strength(text: str | None, name: str) -> float | None:
    """The field strength in tesla that a header of ours holds, None where there is none.

    Raises ACNetError for what is no number.
    """
    try:
        return None if text is None else float(text)
    except ValueError as error:
        raise ACNetError(f"{name}: {FIELD_STRENGTH_KEY} is {text!r}; expected a number such as 1.5.") from error

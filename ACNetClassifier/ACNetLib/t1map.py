"""The T1 map: read from a file or folder, checked, in milliseconds, with the geometry of its source."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ACNetLib.checks import FIELD_TOLERANCE_TESLA, check_field_strength, check_short_axis, check_t1_image
from ACNetLib.dicom import DicomVolume, read_dicom_volume
from ACNetLib.errors import ACNetError

VOLUME_SUFFIXES = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")

# How a T1 map is shown, in the scene and in pictures.
DISPLAY_WINDOW_MS = (0.0, 2000.0)

# Header keys of the volume files that this project writes.
FIELD_STRENGTH_KEY = "ACNet_field_strength_tesla"
SIMULATED_KEY = "ACNet_simulated"


@dataclass(frozen=True, eq=False)
class T1Map:
    """One section or a stack of parallel sections of T1 in ms.

    `image` is 3-D float32, its size is (columns, rows, sections). Its positions are LPS mm and its axes may be oblique
    or left-handed: nothing is reoriented. `simulated` is True when the source says so. `evidence` tells what in the
    DICOM headers made it a T1 map. `scanner` is its manufacturer and model, "" where the source doesn't tell both.
    """

    image: sitk.Image
    name: str
    field_strength_tesla: float | None = None
    simulated: bool = False
    warnings: tuple[str, ...] = ()
    evidence: str = ""
    scanner: str = ""

    @property
    def section_count(self) -> int:
        return self.image.GetDepth()

    @property
    def array(self) -> np.ndarray:
        """T1 in ms as (section, row, column): a float32 copy."""
        return sitk.GetArrayFromImage(self.image)

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
    def center(self) -> np.ndarray:
        """Physical centre of the whole map, (3,)."""
        return self._center((self.section_count - 1) / 2)

    def section_center(self, section: int) -> np.ndarray:
        """Physical centre of one section, (3,). Raises ACNetError when the map has no such section."""
        if not 0 <= section < self.section_count:
            raise ACNetError(
                f"{self.name}: there is no section {section}; its sections are 0 to {self.section_count - 1}."
            )
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


def read_t1_map(path: Path, series: Sequence[int] = (), post_contrast: bool = False) -> T1Map:
    """Read an NRRD, NIfTI or MetaImage file, a folder with DICOM images (subfolders included) or one DICOM image.

    `series` chooses among the series of a DICOM folder by their numbers. `post_contrast` lets a map from after
    contrast pass, with a warning. Raises ACNetError for a missing or unreadable file and for an image that is no
    native short-axis T1 map.
    """
    path = Path(path)
    if not path.exists():
        raise ACNetError(f"{path}: there is no such file or folder; expected a T1 map.")
    name = path.absolute().name
    if is_volume_file(path):
        if series:
            raise ACNetError(f"{name}: found one volume; series {series[0]} can be chosen in DICOM folders only.")
        return _read_volume_file(path, name, post_contrast)
    return t1_map_from_dicom(read_dicom_volume(path, series, post_contrast), name, post_contrast)


def is_volume_file(path: Path) -> bool:
    """Whether the file is one of VOLUME_SUFFIXES; all others, and folders, are looked into for DICOM images."""
    return path.is_file() and path.name.lower().endswith(VOLUME_SUFFIXES)


def t1_map_from_dicom(volume: DicomVolume, name: str, post_contrast: bool = False) -> T1Map:
    """A T1 map from a DICOM volume. Raises ACNetError when it is no native short-axis T1 map."""
    t1_map = t1_map_from_image(volume.image, name, volume.field_strength_tesla, volume.simulated, post_contrast)
    warnings = (*volume.warnings, *t1_map.warnings, *check_short_axis(t1_map.normal, name))
    return replace(t1_map, evidence=volume.evidence, scanner=volume.scanner, warnings=warnings)


def with_field_strength(t1_map: T1Map, field_strength_tesla: float | None) -> T1Map:
    """The map with the field strength that a person gives where its source does not tell it; None changes nothing.

    Raises ACNetError where source and person differ, and for a field strength that no model covers.
    """
    if field_strength_tesla is None:
        return t1_map
    check_field_strength(field_strength_tesla, t1_map.name)
    told = t1_map.field_strength_tesla
    if told is not None and abs(told - field_strength_tesla) > FIELD_TOLERANCE_TESLA:
        raise ACNetError(
            f"{t1_map.name}: its header says {told:g} T, you say {field_strength_tesla:g} T; expected the same. "
            "Leave the field strength to the header, or correct the header if it is wrong."
        )
    return replace(t1_map, field_strength_tesla=told or field_strength_tesla)


def t1_map_from_array(
    t1_ms: np.ndarray,
    spacing_mm: Sequence[float] = (1.0, 1.0, 1.0),
    origin_mm: Sequence[float] = (0.0, 0.0, 0.0),
    direction: np.ndarray | None = None,
    *,
    name: str,
    field_strength_tesla: float | None = None,
    post_contrast: bool = False,
) -> T1Map:
    """A T1 map from (row, column) or (section, row, column) values in ms and its LPS geometry.

    The columns of `direction` (3, 3) are the axes of increasing column, row and section index; the default is the
    identity. Raises ACNetError for an array that is no T1 map.
    """
    t1_ms = np.asarray(t1_ms)
    if t1_ms.ndim not in {2, 3}:
        raise ACNetError(f"{name}: found an array of shape {t1_ms.shape}; expected one section (2-D) or a stack (3-D).")
    stack = t1_ms.reshape(-1, *t1_ms.shape[-2:])
    image = sitk.GetImageFromArray(stack.astype(np.float32))
    image.SetSpacing([float(value) for value in spacing_mm])
    image.SetOrigin([float(value) for value in origin_mm])
    image.SetDirection(np.eye(3).ravel() if direction is None else np.asarray(direction, dtype=float).ravel())
    return t1_map_from_image(image, name, field_strength_tesla, post_contrast=post_contrast)


def t1_map_from_image(
    image: sitk.Image,
    name: str,
    field_strength_tesla: float | None = None,
    simulated: bool = False,
    post_contrast: bool = False,
) -> T1Map:
    """A T1 map from an image in memory. Raises ACNetError when it is none, see `check_t1_image`."""
    check_field_strength(field_strength_tesla, name)
    checked = check_t1_image(image, name, post_contrast)
    return T1Map(checked.image, name, field_strength_tesla, simulated, checked.warnings)


def _read_volume_file(path: Path, name: str, post_contrast: bool) -> T1Map:
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise _unreadable(name) from error
    header = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    if name.lower().endswith((".nii", ".nii.gz")) and not _is_complete_nifti(path, header, image.GetNumberOfPixels()):
        raise _unreadable(name)
    return t1_map_from_image(
        image,
        name,
        parse_field_strength(header.get(FIELD_STRENGTH_KEY), name),
        header.get(SIMULATED_KEY) == "1",
        post_contrast,
    )


def _is_complete_nifti(path: Path, header: dict[str, str], pixel_count: int) -> bool:
    """Whether the file holds all of its pixels: ITK silently fills what a truncated NIfTI file lacks with zeros."""
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            size = len(file.read())
    except (EOFError, gzip.BadGzipFile, zlib.error):
        return False
    return size >= int(float(header["vox_offset"])) + pixel_count * int(header["bitpix"]) // 8


def _unreadable(name: str) -> ACNetError:
    return ACNetError(
        f"{name}: it can't be read as an image, it is damaged or incomplete; expected a T1 map as "
        f"{', '.join(VOLUME_SUFFIXES)}. Export it again from its source."
    )


def parse_field_strength(text: str | None, name: str) -> float | None:
    """The field strength in tesla that a header of ours holds, None where there is none.

    Raises ACNetError for what is no number.
    """
    try:
        return None if text is None else float(text)
    except ValueError as error:
        raise ACNetError(f"{name}: {FIELD_STRENGTH_KEY} is {text!r}; expected a number such as 1.5.") from error

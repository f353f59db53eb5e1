"""The T1 map: read from a file or folder, checked, in milliseconds, with the geometry of its source."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ACNetLib.dicom import read_dicom_volume
from ACNetLib.errors import ACNetError

VOLUME_SUFFIXES = (".nrrd", ".nhdr", ".nii", ".nii.gz", ".mha", ".mhd")

# Where the 99th percentile of a native T1 map's positive pixels lies (blood and lung noise are its high end).
T1_RANGE_MS = (1000.0, 4500.0)

# How a T1 map is shown, in the scene and in pictures.
DISPLAY_WINDOW_MS = (0.0, 2000.0)

# Header keys of the volume files that this project writes.
FIELD_STRENGTH_KEY = "ACNet_field_strength_tesla"
SIMULATED_KEY = "ACNet_simulated"


@dataclass(frozen=True, eq=False)
class T1Map:
    """One section or a stack of parallel sections of T1 in ms.

    `image` is 3-D float32, its size is (columns, rows, sections). Its positions are LPS mm and its axes may be oblique
    or left-handed: nothing is reoriented. `simulated` is True when the source says so.
    """

    image: sitk.Image
    name: str
    field_strength_tesla: float | None = None
    simulated: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def section_count(self) -> int:
        return self.image.GetDepth()

    @property
    def array(self) -> np.ndarray:
        """T1 in ms as (section, row, column): a float32 copy."""
        return sitk.GetArrayFromImage(self.image)

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

    def _axis(self, column: int) -> np.ndarray:
        return np.reshape(self.image.GetDirection(), (3, 3))[:, column]

    def _center(self, section: float) -> np.ndarray:
        index = ((self.image.GetWidth() - 1) / 2, (self.image.GetHeight() - 1) / 2, section)
        return np.array(self.image.TransformContinuousIndexToPhysicalPoint(index))


def read_t1_map(path: Path) -> T1Map:
    """Read an NRRD, NIfTI or MetaImage file, a folder with DICOM images (subfolders included) or one DICOM image.

    Raises ACNetError for a missing or unreadable file and for an image that is no T1 map in ms.
    """
    path = Path(path)
    if not path.exists():
        raise ACNetError(f"{path}: there is no such file or folder; expected a T1 map.")
    name = path.absolute().name
    if path.is_file() and path.name.lower().endswith(VOLUME_SUFFIXES):
        return _read_volume_file(path, name)
    volume = read_dicom_volume(path)
    return T1Map(check_image(volume.image, name), name, volume.field_strength_tesla, volume.simulated)


def t1_map_from_array(
    t1_ms: np.ndarray,
    spacing_mm: Sequence[float] = (1.0, 1.0, 1.0),
    origin_mm: Sequence[float] = (0.0, 0.0, 0.0),
    direction: np.ndarray | None = None,
    *,
    name: str,
    field_strength_tesla: float | None = None,
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
    return T1Map(check_image(image, name), name, field_strength_tesla)


def check_image(image: sitk.Image, name: str) -> sitk.Image:
    """The image as 3-D float32 without its source's header keys, or ACNetError when it can't be a T1 map in ms.

    A 2-D image becomes one section. `name` stands for the image in the message.
    """
    _check_layout(image, name)
    if image.GetDepth() == 0:  # 2-D
        image = sitk.JoinSeries(image)
    image = sitk.Cast(image, sitk.sitkFloat32)  # leaves the header keys behind, which may name the patient
    _check_axes(image, name)
    _check_values(sitk.GetArrayViewFromImage(image), name)
    return image


def _read_volume_file(path: Path, name: str) -> T1Map:
    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise _unreadable(name) from error
    header = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    if name.lower().endswith((".nii", ".nii.gz")) and not _is_complete_nifti(path, header, image.GetNumberOfPixels()):
        raise _unreadable(name)
    return T1Map(
        check_image(image, name), name, _header_field_strength(header, name), simulated=header.get(SIMULATED_KEY) == "1"
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


def _header_field_strength(header: dict[str, str], name: str) -> float | None:
    text = header.get(FIELD_STRENGTH_KEY)
    try:
        return None if text is None else float(text)
    except ValueError as error:
        raise ACNetError(
            f"{name}: header key {FIELD_STRENGTH_KEY} is {text!r}; expected a number such as 1.5."
        ) from error


def _check_layout(image: sitk.Image, name: str) -> None:
    if image.GetDimension() not in {2, 3}:
        size = " x ".join(str(length) for length in image.GetSize())
        raise ACNetError(
            f"{name}: found a {image.GetDimension()}-D image of {size}; expected a 2-D or 3-D T1 map. "
            "Give the T1 map itself, not the series of images that it was computed from."
        )
    if image.GetNumberOfComponentsPerPixel() > 1 or "complex" in image.GetPixelIDTypeAsString():
        raise ACNetError(
            f"{name}: found {image.GetNumberOfComponentsPerPixel()} values a pixel ({image.GetPixelIDTypeAsString()}), "
            "a colour or vector image; expected one T1 in ms a pixel. Give the quantitative map, not its colour copy."
        )


def _check_axes(image: sitk.Image, name: str) -> None:
    axes = np.reshape(image.GetDirection(), (3, 3))
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-3):
        raise ACNetError(f"{name}: its axes are not perpendicular (a sheared image); expected a rectangular grid.")


def _check_values(t1_ms: np.ndarray, name: str) -> None:
    low, high = T1_RANGE_MS
    expected = f"expected T1 in ms, with a 99th percentile of {low:.0f} to {high:.0f} ms"
    not_finite = np.count_nonzero(~np.isfinite(t1_ms))
    if not_finite:
        raise ACNetError(f"{name}: found {not_finite} pixels that are no numbers (NaN or infinite); {expected}.")
    if t1_ms.min() == t1_ms.max():
        raise ACNetError(f"{name}: every pixel is {t1_ms.min():g}; {expected}.")
    positive = t1_ms[t1_ms > 0]
    if not positive.size:
        raise ACNetError(f"{name}: no pixel is above zero; {expected}.")
    if t1_ms.max() <= np.iinfo(np.uint8).max and np.array_equal(t1_ms, np.rint(t1_ms)):
        raise ACNetError(
            f"{name}: found whole numbers up to {t1_ms.max():g}, an 8-bit or colour-table picture; {expected}. "
            "Give the quantitative map, not its picture."
        )
    percentile = float(np.percentile(positive, 99))
    if not low <= percentile <= high:
        raise ACNetError(
            f"{name}: the 99th percentile of its positive pixels is {percentile:g}; {expected}. "
            "Give a native T1 map, converted to ms if it is in another unit."
        )

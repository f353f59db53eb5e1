"""Volume files: their pixels in the geometry of their header. Reading one never takes more than it promises."""

from __future__ import annotations

import os
import re
import zlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
import SimpleITK as sitk

from ACNetLib.dicom.images import scanner_name
from ACNetLib.dicom.origin import FIELD_STRENGTH
from ACNetLib.dicom.sequences import named_sequence
from ACNetLib.errors import ACNetError
from ACNetLib.t1map.checks import POST_CONTRAST_WARNING
from ACNetLib.volumes.dcm2niix import Sidecar, read_sidecar
from ACNetLib.volumes.header import (
    BETWEEN_WARNINGS,
    FIELD_STRENGTH_KEY,
    FITTED_KEY,
    SCANNER_KEY,
    SEQUENCE_KEY,
    SIMULATED_KEY,
    WARNINGS_KEY,
    DamagedFile,
    VolumeHeader,
    check_header,
    is_volume_file,
    slice_axis,
    told_warnings,
    unreadable,
    without_default_spacing,
)
from ACNetLib.volumes.meta import read_meta_header
from ACNetLib.volumes.nifti import read_nifti_header
from ACNetLib.volumes.nrrd import read_nrrd_header
from ACNetLib.volumes.told import another_image_in, tells_of_contrast, told_by_keys

READERS = {
    (".nrrd", ".nhdr"): read_nrrd_header,
    (".mha", ".mhd"): read_meta_header,
    (".nii", ".nii.gz"): read_nifti_header,
}
CHUNK_BYTES = 1 << 20
SPACING_TOLERANCE = 1e-3
TIME_KINDS = ("list", "time")
NUMBER = r"[0-9]+(\.[0-9]+)?"
NO_T1_MAP = (
    "its header, or the JSON file beside it, tells of another image ({found}); expected a native T1 map. Give that, or "
    "correct what is told where it is wrong."
)


def read_volume_header(path: Path) -> VolumeHeader:
    """The header of an NRRD, MetaImage or NIfTI file, checked. Raises ACNetError for another or a damaged file."""
    name = path.absolute().name
    if not os.path.isfile(path):
        raise ACNetError(f"{path}: there is no such file; expected an image.")
    if not is_volume_file(name):
        raise unreadable(name, "it is none of the known kinds")
    try:
        read = next(read for suffixes, read in READERS.items() if name.lower().endswith(suffixes))
        header = without_default_spacing(check_header(read(path)))
    except (DamagedFile, OSError) as error:
        raise unreadable(name, error) from error
    return _with_told(header, read_sidecar(path))


def _with_told(header: VolumeHeader, sidecar: Sidecar) -> VolumeHeader:
    """With what its keys and the JSON file repeat of DICOM headers; keys of ours come before them."""
    told = sidecar.told | told_by_keys(header.keys)
    keys = dict(header.keys)
    strength = told.get(FIELD_STRENGTH, "")
    if re.fullmatch(NUMBER, strength):
        keys.setdefault(FIELD_STRENGTH_KEY, strength)
    if "simulated" in told.get("ImageComments", "").lower():
        keys.setdefault(SIMULATED_KEY, "1")
    if tells_of_contrast(told):
        warnings = dict.fromkeys((POST_CONTRAST_WARNING, *told_warnings(keys.get(WARNINGS_KEY))))
        keys[WARNINGS_KEY] = BETWEEN_WARNINGS.join(warnings)
    fitted = {"SeriesDescription": keys.get(FITTED_KEY, "")}
    another = another_image_in(told)
    return replace(
        header,
        keys=keys,
        scanner=scanner_name(told.get("Manufacturer"), told.get("ManufacturerModelName")) or keys.get(SCANNER_KEY, ""),
        sequence=keys.get(SEQUENCE_KEY) or named_sequence([told, fitted]),
        refusal=sidecar.refusal or (NO_T1_MAP.format(found=another) if another else ""),
        is_converted=header.is_converted and not sidecar.is_known,
        warnings=(*header.warnings, *sidecar.warnings),
    )


def read_volume(path: Path, header: VolumeHeader) -> sitk.Image:
    """The volume of a header with its values scaled, as many-dimensional as it is, 3-D at least; what the header does
    not tell of its spacing is 1 mm. A sequence of one time point is that time point.

    Raises ACNetError for a damaged file, and for a sequence of more.
    """
    name = path.absolute().name
    if header.kind in TIME_KINDS and header.components > 1:
        raise ACNetError(
            f"{name}: found a sequence of {header.components} time points; expected one volume. Export the time point "
            "with the T1 map as a volume of its own."
        )
    values = read_values(path, header)
    if header.components == 1:
        values = values[0]
        image = sitk.GetImageFromArray(values.reshape((1,) * (3 - values.ndim) + values.shape), isVector=False)
    else:
        image = sitk.GetImageFromArray(np.moveaxis(values, 0, -1), isVector=True)
    if image.GetDimension() == 3:
        place_image(image, header)
    return image


def with_slices_last(image: sitk.Image) -> sitk.Image:
    """The same pixels in the same place with the slices along the third axis, wherever a file has them."""
    axis = slice_axis(image.GetSize())
    if axis == 2 or image.GetNumberOfComponentsPerPixel() > 1:
        return image
    return sitk.PermuteAxes(image, [each for each in range(3) if each != axis] + [axis])


def place_image(image: sitk.Image, header: VolumeHeader) -> None:
    """Give a 3-D image the geometry of the header."""
    image.SetSpacing([1.0 if spacing is None else spacing for spacing in header.spacing_mm])
    image.SetOrigin(header.origin_mm.tolist())
    image.SetDirection(header.direction.ravel().tolist())


def read_values(path: Path, header: VolumeHeader) -> np.ndarray:
    """(component, ..., row, column) values, scaled. Raises ACNetError for a file with less than it promises."""
    try:
        stored = np.frombuffer(_read_bytes(header), header.dtype)
    except (DamagedFile, OSError, zlib.error) as error:
        raise unreadable(path.absolute().name, error) from error
    shape = list(header.size)
    if header.components > 1 or header.kind:
        shape.insert(header.component_axis, header.components)
        values = np.moveaxis(stored.reshape(shape[::-1]), len(shape) - 1 - header.component_axis, 0)
    else:
        values = stored.reshape(shape[::-1])[np.newaxis]
    values = values.astype(header.dtype.newbyteorder("="), copy=False)
    if (header.slope, header.intercept) == (1.0, 0.0):
        return values
    return (values * np.float64(header.slope) + header.intercept).astype(np.float32)


def with_spacing(header: VolumeHeader, spacing_mm: Sequence[float], name: str) -> VolumeHeader:
    """The header with the spacing (columns, rows, slices) that a person gives where it tells none, the slices wherever
    the file has them.

    Raises ACNetError where neither tells it, and where both do and differ.
    """
    if not spacing_mm:
        if header.tells_spacing:
            return header
        raise ACNetError(
            f"{name}: its header does not tell the spacing of its pixels (exactly 1 mm along the body's axes is what "
            "software writes that knows none); expected it in mm, for nothing is guessed. Export it again with its "
            "geometry.",
            cli="Or give that of a T1 map between columns, rows and slices, as in --spacing 1.4,1.4,8, also where it "
            "is 1 mm.",
        )
    given: list[float | None] = [*spacing_mm, None][:3]
    given.insert(slice_axis(header.size), given.pop())
    pairs = list(zip(given, header.spacing_mm, strict=True))
    if any(each and known and abs(each - known) > SPACING_TOLERANCE * known for each, known in pairs):
        told = " x ".join("unknown" if each is None else f"{each:g}" for each in header.spacing_mm)
        raise ACNetError(
            f"{name}: its header says a spacing of {told} mm, you say {' x '.join(map(str, spacing_mm))} mm; "
            "expected the same. Leave the spacing to the header, or correct the header if it is wrong."
        )
    column, row, depth = (each if known is None else known for each, known in pairs)
    return with_spacing(replace(header, spacing_mm=(column, row, depth)), (), name)


def _read_bytes(header: VolumeHeader) -> bytearray:
    data, needed = header.data, header.byte_count
    with data.file.open("rb") as file:
        if data.compression and data.offset_is_inflated:
            return _inflate(file, data.offset + needed)[data.offset :]
        if data.offset < 0:
            file.seek(-needed, os.SEEK_END)
        else:
            file.seek(data.offset)
        pixels = _inflate(file, needed) if data.compression else bytearray(file.read(needed))
    if len(pixels) < needed:
        raise DamagedFile(f"it promises {needed} bytes of pixels and has {len(pixels)}")
    return pixels


def _inflate(file: BinaryIO, needed: int) -> bytearray:
    """So many bytes of what is compressed as zlib or gzip, in one piece or several; never more."""
    inflated = bytearray()
    engine, waiting = zlib.decompressobj(wbits=47), b""
    while len(inflated) < needed:
        waiting = waiting or file.read(CHUNK_BYTES)
        if not waiting:
            raise DamagedFile(f"it promises {needed} bytes and inflates to {len(inflated)}")
        inflated += engine.decompress(waiting, min(CHUNK_BYTES, needed - len(inflated)))
        waiting = engine.unconsumed_tail
        if engine.eof and len(inflated) < needed:
            waiting, engine = engine.unused_data, zlib.decompressobj(wbits=47)
    if not engine.eof:
        engine.decompress(waiting or file.read(CHUNK_BYTES), 1)  # comes to the checksum, and raises if it is wrong
    return inflated

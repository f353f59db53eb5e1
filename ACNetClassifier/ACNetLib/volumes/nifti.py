"""Headers of NIfTI files, versions 1 and 2 (nifti1.h and nifti2.h), and which of their two geometries is taken."""

from __future__ import annotations

import re
import zlib
from pathlib import Path
from typing import Literal

import numpy as np

from ACNetLib.volumes.dcm2niix import DESCRIPTION
from ACNetLib.volumes.header import (
    LARGEST_HEADER_BYTES,
    MOST_DIMENSIONS,
    DamagedFile,
    PixelData,
    Spacing,
    VolumeHeader,
    axes_of,
    lengths_in_space,
)

SIZES = {348: 1, 540: 2}
FIELDS = {
    1: [
        ("sizeof_hdr", "i4", 0), ("dim", "8i2", 40), ("datatype", "i2", 70), ("pixdim", "8f4", 76),
        ("vox_offset", "f4", 108), ("scl_slope", "f4", 112), ("scl_inter", "f4", 116), ("xyzt_units", "u1", 123),
        ("descrip", "S80", 148), ("qform_code", "i2", 252), ("sform_code", "i2", 254), ("quatern", "3f4", 256),
        ("qoffset", "3f4", 268), ("srow", "(3,4)f4", 280), ("magic", "S4", 344),
    ],
    2: [
        ("sizeof_hdr", "i4", 0), ("magic", "S4", 4), ("datatype", "i2", 12), ("dim", "8i8", 16), ("pixdim", "8f8", 104),
        ("vox_offset", "i8", 168), ("scl_slope", "f8", 176), ("scl_inter", "f8", 184), ("descrip", "S80", 240),
        ("qform_code", "i4", 344), ("sform_code", "i4", 348), ("quatern", "3f8", 352), ("qoffset", "3f8", 376),
        ("srow", "(3,4)f8", 400), ("xyzt_units", "i4", 500),
    ],
}  # fmt: skip
"""Name, type and place of the fields that are read."""
MAGIC = {1: b"n+1", 2: b"n+2"}
DTYPES = {
    **{2: "uint8", 4: "int16", 8: "int32", 16: "float32", 64: "float64", 256: "int8"},
    **{512: "uint16", 768: "uint32", 1024: "int64", 1280: "uint64"},
}
RGB, RGBA = 128, 2304
SPACE_UNITS_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""Codes of metre, millimetre and micrometre; 0 tells none."""
TO_LPS = np.diag([-1.0, -1.0, 1.0])
PERPENDICULAR = 1e-3
LARGEST_DIFFERENCE = 0.5  # pixels, between the places that the two geometries give a corner


def read_nifti_header(path: Path) -> VolumeHeader:
    """Raises DamagedFile for what is no NIfTI file, and for one whose numbers can't be."""
    is_compressed = path.name.lower().endswith(".gz")
    start = _start(path, is_compressed)
    version, order = _version(start)
    layout = FIELDS[version]
    dtype = np.dtype(
        {
            "names": [name for name, _, _ in layout],
            "formats": [kind for _, kind, _ in layout],
            "offsets": [place for _, _, place in layout],
            "itemsize": 348 if version == 1 else 540,
        }
    ).newbyteorder(order)
    header = np.frombuffer(start, dtype, count=1)[0]
    if not header["magic"].startswith(MAGIC[version]):
        raise DamagedFile("its header is not that of a single NIfTI file (.nii); pairs of files are not read")
    size, components = _size(header)
    direction, spacing, origin, warnings = _geometry(header, size)
    offset = float(header["vox_offset"])
    if not dtype.itemsize <= offset <= LARGEST_HEADER_BYTES or offset != int(offset):
        raise DamagedFile(f"its pixels are said to begin at byte {offset:g}")
    slope, intercept = float(header["scl_slope"]), float(header["scl_inter"])
    is_scaled = bool(np.isfinite(slope) and slope != 0)  # 0 and NaN stand for stored values that are final
    return VolumeHeader(
        size=size,
        dtype=_pixel_type(int(header["datatype"])).newbyteorder(order),
        data=PixelData(path, int(offset), "deflate" if is_compressed else "", offset_is_inflated=is_compressed),
        direction=direction,
        spacing_mm=spacing,
        origin_mm=origin,
        keys={},
        components=components,
        slope=slope if is_scaled else 1.0,
        intercept=intercept if is_scaled else 0.0,
        is_converted=bool(re.search(DESCRIPTION, header["descrip"])),
        warnings=warnings,
    )


def _start(path: Path, is_compressed: bool) -> bytes:
    with path.open("rb") as file:
        start = file.read(LARGEST_HEADER_BYTES if is_compressed else max(SIZES))
    if is_compressed:
        try:
            start = zlib.decompressobj(wbits=31).decompress(start, max(SIZES))
        except zlib.error as error:
            raise DamagedFile(f"it is not compressed as its name says: {error}") from error
    return start + bytes(max(SIZES) - len(start)) if len(start) >= min(SIZES) else b""


def _version(start: bytes) -> tuple[int, Literal["<", ">"]]:
    """Version and byte order, by the header's length in its first four bytes."""
    little, big = int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big")
    if little in SIZES:
        return SIZES[little], "<"
    if big in SIZES:
        return SIZES[big], ">"
    raise DamagedFile("it does not begin as a NIfTI file")


def _size(header: np.void) -> tuple[tuple[int, ...], int]:
    """Lengths of the axes without trailing ones, and values a pixel."""
    count, *lengths = (int(value) for value in header["dim"])
    if not 1 <= count <= MOST_DIMENSIONS or min(lengths[:count]) < 1:
        raise DamagedFile(f"it has {count} dimensions of {' x '.join(map(str, lengths))} pixels")
    return lengths_in_space(lengths[:count]), {RGB: 3, RGBA: 4}.get(int(header["datatype"]), 1)


def _pixel_type(code: int) -> np.dtype:
    if code in (RGB, RGBA):
        return np.dtype("uint8")
    if code not in DTYPES:
        raise DamagedFile(f"its pixels are of type {code}")
    return np.dtype(DTYPES[code])


def _geometry(header: np.void, size: tuple[int, ...]) -> tuple[np.ndarray, Spacing, np.ndarray, tuple[str, ...]]:
    """Axes, spacing and origin (LPS): the sform, or the qform where there is none or it is sheared; and warnings."""
    unit_mm = SPACE_UNITS_MM.get(int(header["xyzt_units"]) & 7, 1.0)
    pixdim = header["pixdim"].astype(float)
    warnings: list[str] = []
    sform = qform = None
    if header["sform_code"] > 0:
        rows = header["srow"].astype(float) * unit_mm
        sform = *axes_of(TO_LPS @ rows[:, :3]), TO_LPS @ rows[:, 3]
    if header["qform_code"] > 0:
        qform = _qform(header, pixdim, unit_mm)
    if sform is not None and qform is not None:
        apart = _difference(sform, qform, size)
        if apart > LARGEST_DIFFERENCE:
            taken, left = ("qform", "sform") if _is_sheared(sform[0]) else ("sform", "qform")
            warnings.append(
                f"Its two geometries, sform and qform, place it up to {apart:.1f} pixels apart: the {taken} was taken. "
                f"Software that takes the {left} shows it elsewhere."
            )
    chosen = qform if qform is not None and (sform is None or _is_sheared(sform[0])) else sform
    if chosen is not None:
        return *chosen, tuple(warnings)
    column, row, depth = (_told(value, unit_mm) for value in pixdim[1:4])
    return np.eye(3), (column, row, depth), np.zeros(3), ()


def _qform(header: np.void, pixdim: np.ndarray, unit_mm: float) -> tuple[np.ndarray, Spacing, np.ndarray]:
    b, c, d = header["quatern"].astype(float)
    squared = 1.0 - (b * b + c * c + d * d)
    if not squared > -1e-5:  # NaN is not above
        raise DamagedFile("the rotation of its qform is none")
    a = np.sqrt(max(0.0, squared))
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    rotation[:, 2] *= -1.0 if pixdim[0] < 0 else 1.0
    column, row, depth = (_told(value, unit_mm) for value in pixdim[1:4])
    origin = header["qoffset"].astype(float) * unit_mm
    return TO_LPS @ rotation, (column, row, depth), TO_LPS @ origin


def _told(pixdim: float, unit_mm: float) -> float | None:
    return None if pixdim == 0 or not np.isfinite(pixdim) else float(abs(pixdim) * unit_mm)


def _is_sheared(axes: np.ndarray) -> bool:
    return not np.allclose(axes.T @ axes, np.eye(3), atol=PERPENDICULAR)


def _difference(first: tuple, second: tuple, size: tuple[int, ...]) -> float:
    """How far apart the two place a corner, in pixels of the first."""
    lengths = np.array([*size[:3], 1, 1][:3]) - 1.0
    corners = np.array(np.meshgrid(*[(0.0, length) for length in lengths])).reshape(3, -1)
    places = []
    for axes, spacing, origin in (first, second):
        steps = axes * [1.0 if each is None else each for each in spacing]
        places.append(steps @ corners + np.reshape(origin, (3, 1)))
    pixel = min((each for each in first[1][:2] if each), default=1.0)
    return float(np.linalg.norm(places[0] - places[1], axis=0).max() / pixel)

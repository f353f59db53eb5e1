"""The T1 map of a scan, one slice of k-space in memory at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError
from ACNetLib.fitting.sequences import Sequence, fit_sequence, scheme_name
from ACNetLib.t1map.t1_map import Reading, T1Map, t1_map_from_image

from .k_space_file import KSpaceArray, open_k_space
from .reconstruction import reconstruct
from .scans import USUAL_THICKNESS_MM, Scan, ScanTables, oversampling, read_tables, spacing_mm

SEQUENCE: Sequence = "MOLLI"
"""What the challenges' mapping is, or a FLASH Look-Locker, whose correction is the same."""


FEWEST_TIMES = 3


@dataclass(frozen=True)
class Told:
    """What a person says of scans that don't tell it themselves. times_ms: (images, slices or 1). spacing_mm: between
    columns, rows and, if given, slices."""

    field_strength_tesla: float | None = None
    spacing_mm: tuple[float, ...] = ()
    times_ms: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class FittedScan:
    """A scan's map and the scheme of its inversions, such as "MOLLI 5(3)3"."""

    t1_map: T1Map
    sequence: str


def read_scan(scan: Scan, told: Told) -> FittedScan:
    """The T1 map of a scan. Raises ACNetError for a file, a table or a map that won't do, with the file's name.

    The challenges tell no positions: the map has an identity direction, its rows along the phase encoding.
    """
    tables = read_tables(scan)
    with open_k_space(scan.file) as file:
        times_ms = _times(scan, tables, told, file.inversions, file.slices)
        phase, readout = file.dataset.shape[-2:]
        spacing = _spacing(scan, spacing_mm(tables, readout, phase) or told.spacing_mm)
        sections = []
        for number in range(file.slices):
            place = f"{scan.file}, slice {number}"
            there = ~np.isnan(times_ms[:, number])
            times = times_ms[there, number]
            images = reconstruct(file.read_slice(number)[there], times, oversampling(tables), place)
            sections.append(fit_t1(images, times))
    image = sitk.GetImageFromArray(np.rint(np.stack(sections)).astype(np.float32))
    image.SetSpacing(spacing)
    reading = Reading(field_strength_tesla=told.field_strength_tesla)
    t1_map = t1_map_from_image(image, str(scan.file), scan.field_strength_tesla, reading=reading)
    first = times_ms[:, 0]
    return FittedScan(t1_map, scheme_name(SEQUENCE, first[~np.isnan(first)]))


def fit_t1(images: KSpaceArray, times_ms: NDArray[np.float64]) -> NDArray[np.float32]:
    """T1 in ms (rows, columns) of complex images (inversions, rows, columns); a fit that fails is 0.

    Their sign is that of the part in phase with the latest image, which has recovered.
    """
    latest = images[np.argmax(times_ms)]
    phase = np.conj(latest) / np.maximum(np.abs(latest), np.finfo(np.float32).tiny)
    signed = (images * phase).real
    return fit_sequence(signed, times_ms, SEQUENCE, signed=True).t1_ms.astype(np.float32)


def _times(scan: Scan, tables: ScanTables, told: Told, inversions: int, slices: int) -> NDArray[np.float64]:
    """(inversions, slices), NaN where an image has no time and is left out."""
    times = tables.times_ms if tables.times_ms is not None else told.times_ms
    if times is None:
        raise ACNetError(
            f"{scan.file}: found no inversion times beside it (T1map.csv, or rows TI in T1map_info.csv).",
            cli="Give them: --times FILE.",
        )
    if times.shape[1] not in {1, slices} and times.shape[1] < slices:
        raise ACNetError(f"{scan.file}: found inversion times of {times.shape[1]} slices; expected {slices}.")
    times = np.broadcast_to(times, (len(times), slices)) if times.shape[1] == 1 else times[:, :slices]
    counts = (~np.isnan(times)).sum(axis=0)
    if len(times) < inversions or (~np.isnan(times[inversions:])).any() or counts.min() < FEWEST_TIMES:
        raise ACNetError(
            f"{scan.file}: found {inversions} images and {counts.min()} inversion times; expected as many, and "
            f"{FEWEST_TIMES} or more."
        )
    return times[:inversions]


def _spacing(scan: Scan, spacing: tuple[float, ...]) -> tuple[float, float, float]:
    if not spacing:
        raise ACNetError(
            f"{scan.file}: its pixel size is not told (FOVx and FOVy in T1map_info.csv).",
            cli="Give it: --spacing COLUMN,ROW,SLICE in mm.",
        )
    column, row, *between = spacing
    return column, row, between[0] if between else USUAL_THICKNESS_MM

"""The T1 mapping scans in a folder of the CMRxRecon challenges, and the tables beside them.

The layouts are those of the challenges' public code (see `k_space_file`):

    2023        MultiCoil/Mapping/TrainingSet/FullSample/P001/T1map.mat, T1map.csv; AccFactor04/P001/T1map.mat
    2024        .../FullSample/P001/T1map.mat; UnderSample_Task1/P001/T1map_kus_Uniform8.mat
    2025        .../FullSample/Center001/Siemens_30T_Vida/P001/T1map.mat, T1map_info.csv
                TaskR2/.../UnderSample_TaskR2/Center001/Siemens_30T_Vida/P007/T1map_kus_Uniform8.mat

`T1map.csv` has a header and a row an image: a name such as TI1, then its inversion time in ms for each slice; a time of
0 or none belongs to no image. `T1map_info.csv` has a row a value: FOVx and FOVy (mm), ReadOutOversample,
SliceThickness; rows named TI are times as in `T1map.csv`. Neither tells where in the body a slice lies.
"""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ACNetLib.errors import ACNetError
from ACNetLib.fitting.times import FEWEST_TIMES, SHORTEST_SPAN_MS
from ACNetLib.folders import files_in

NAME = re.compile(r"(t1map(?:_sax)?)(?:_kus_[a-z]+(\d+))?\.mat", re.IGNORECASE)
"""Not T1mappost (after contrast), T1map_lax_4ch (long axis) or T1map_mask."""
SAMPLINGS = re.compile(r"(fullsample|undersample|accfactor)(?:\D*?(\d+)$)?", re.IGNORECASE)
SNAPSHOTS = ("ImgSnapshot",)
CENTER = re.compile(r"center\d+", re.IGNORECASE)
FIELD = re.compile(r"(?:^|_)(\d{2,3})T(?:_|$)")
"""In a scanner's name: 15T is 1.5, 30T is 3, 055T is 0.55."""
TIMES_ROW = re.compile(r"(ti|inversion ?times?)[ _]?\d*( ?\(.*\))?", re.IGNORECASE)
LARGEST_TABLE_BYTES = 1_000_000
LONGEST_TIME_MS = 60_000.0

LARGEST_FOV_MM = 500.0
"""Along the body's width no scanner images more: a longer FOVx is that of all samples, oversampling included."""
USUAL_OVERSAMPLING = 2.0
USUAL_THICKNESS_MM = 8.0


@dataclass(frozen=True)
class Scan:
    """One patient's T1 mapping. patient, center, scanner: as the folders are named, "" where there is no such folder.

    acceleration: 1 where all lines were measured.
    """

    file: Path
    patient: str
    center: str
    scanner: str
    group: str
    acceleration: int

    @property
    def key(self) -> tuple[str, str, str]:
        """Equal for all files of a patient: by centre and scanner, in sets without these by the set."""
        return (self.center or self.group, self.scanner, self.patient)

    @property
    def name(self) -> str:
        return " ".join(part for part in self.key if part)

    @property
    def field_strength_tesla(self) -> float | None:
        found = FIELD.search(self.scanner)
        return None if found is None else int(found[1]) / 10 ** (len(found[1]) - 1)


@dataclass(frozen=True)
class ScanTables:
    """times_ms: (images, slices or 1), NaN where an image has none. info: the values of `T1map_info.csv` by name."""

    times_ms: NDArray[np.float64] | None
    info: dict[str, float]


def find_scans(folder: Path) -> tuple[Scan, ...]:
    """Each patient's scan with the fewest lines left out, by name. Raises ACNetError when there is none."""
    chosen: dict[tuple[str, str, str], Scan] = {}
    for file in sorted(file for file in files_in(folder) if file.suffix == ".mat"):
        scan = _scan(file.relative_to(folder), file)
        if scan is not None and scan.acceleration < getattr(chosen.get(scan.key), "acceleration", math.inf):
            chosen[scan.key] = scan
    if not chosen:
        raise ACNetError(
            f"{folder}: found no T1map.mat; expected a folder of the CMRxRecon challenge, such as MultiCoil/Mapping."
        )
    return tuple(chosen[key] for key in sorted(chosen))


def _scan(relative: Path, file: Path) -> Scan | None:
    name = NAME.fullmatch(file.name)
    if name is None or len(relative.parts) < 2:
        return None
    *above, patient = relative.parts[:-1]
    center = scanner = ""
    if len(above) >= 2 and CENTER.fullmatch(above[-2]):
        *above, center, scanner = above
    sampling = next((found for part in reversed(above) if (found := SAMPLINGS.match(part))), None)
    group = next((part for part in reversed(above) if part.lower().endswith("set")), "")
    if name[2]:
        acceleration = int(name[2])
    elif sampling is not None and sampling[1].lower() == "accfactor":
        acceleration = int(sampling[2] or 2)
    else:
        acceleration = 1
    return Scan(file, patient, center, scanner, group, acceleration)


def read_tables(scan: Scan) -> ScanTables:
    """What stands beside the k-space, or in the folder of its snapshots. Raises ACNetError for what is no table."""
    times, info = None, dict[str, float]()
    name = NAME.fullmatch(scan.file.name)
    assert name is not None
    for stem in (name[1], f"{name[1]}_info"):
        path = next((path for path in _places(scan.file, f"{stem}.csv") if path.is_file()), None)
        if path is not None:
            of_images, values = _read_table(path, is_times=not stem.endswith("_info"))
            times = of_images if of_images is not None else times
            info |= values
    return ScanTables(times, info)


def read_times(path: Path) -> NDArray[np.float64]:
    """Inversion times in ms of a table like `T1map.csv`, (images, slices or 1). Raises ACNetError if it has none."""
    times, _ = _read_table(path, is_times=True)
    if times is None:
        raise ACNetError(f"{path}: found no inversion times; expected a header and a row an image, as TI1,100,120.")
    return times


def _places(file: Path, name: str) -> list[Path]:
    """Beside the file, and where its folder of the same patient keeps the snapshots (2024)."""
    parts = file.parent.parts
    twins = [
        Path(*parts[:index], snapshots, *parts[index + 1 :])
        for index, part in enumerate(parts)
        if SAMPLINGS.match(part)
        for snapshots in SNAPSHOTS
    ]
    return [folder / name for folder in (file.parent, *twins)]


def _read_table(path: Path, is_times: bool) -> tuple[NDArray[np.float64] | None, dict[str, float]]:
    try:
        if path.stat().st_size > LARGEST_TABLE_BYTES:
            raise ACNetError(f"{path}: it has {path.stat().st_size} bytes; expected a small table.")
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"), newline=""), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ACNetError(f"{path}: no table in UTF-8; expected CSV.") from error
    times, info = [], dict[str, float]()
    for number, cells in enumerate(rows):
        label = cells[0].strip() if cells else ""
        values = [_number(cell) for cell in cells[1:]]
        if TIMES_ROW.fullmatch(label) or (is_times and number > 0 and label):
            times.append(values)
        elif values and math.isfinite(values[0]):
            info[label.partition("(")[0].strip()] = values[0]
    return _table_of_times(times, path), info


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _table_of_times(rows: list[list[float]], path: Path) -> NDArray[np.float64] | None:
    """One row an image; a single row is of all images."""
    if len(rows) == 1:
        rows = [[value] for value in rows[0]]
    if not rows or not max(map(len, rows)):
        return None
    times = np.full((len(rows), max(map(len, rows))), np.nan)
    for row, values in zip(times, rows, strict=True):
        row[: len(values)] = values
    times[times == 0] = np.nan
    times = times[:, ~np.isnan(times).all(axis=0)]
    if not times.size:
        return None
    is_short = len(times) >= FEWEST_TIMES and np.ptp(times[~np.isnan(times)]) < SHORTEST_SPAN_MS
    if is_short or (times < 0).any() or (times > LONGEST_TIME_MS).any():
        raise ACNetError(
            f"{path}: found inversion times of {np.nanmin(times):g} to {np.nanmax(times):g}; expected ms, "
            f"{SHORTEST_SPAN_MS:g} or more from the first to the last."
        )
    return times


def oversampling(tables: ScanTables) -> float:
    """How many times the field of view the readout covers: 2 where the set does not tell it, as in all that do."""
    found = tables.info.get("ReadOutOversample", USUAL_OVERSAMPLING)
    return found if 1 <= found <= 8 else USUAL_OVERSAMPLING


def spacing_mm(tables: ScanTables, readout: int, phase: int) -> tuple[float, float, float] | None:
    """mm between columns, rows and slices of the image of all samples; None where the tables don't tell.

    The readout is cut and not resampled, so its pixel is its whole field of view by its samples.
    """
    fov_x, fov_y = tables.info.get("FOVx", 0.0), tables.info.get("FOVy", 0.0)
    if not (fov_x > 0 and fov_y > 0):
        return None
    whole_x = fov_x if fov_x > LARGEST_FOV_MM else fov_x * oversampling(tables)
    thickness = tables.info.get("SliceThickness", 0.0)
    return whole_x / readout, fov_y / phase, thickness if thickness > 0 else USUAL_THICKNESS_MM

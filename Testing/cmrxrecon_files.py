"""Simulated T1 mapping k-space in the files and folders of the CMRxRecon challenges, as `kspace/scans` tells them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import sigpy
from numpy.typing import NDArray
from sigpy.mri import birdcage_maps

from ACNetTrainerLib.simulation.patient import Label, draw_patient
from ACNetTrainerLib.simulation.section import SimulatedSection, simulate_section
from ACNetTrainerLib.simulation.sequences import Timing, sequence_signals, true_t1_ms

TIMING = Timing(sequence="MOLLI 4(1)3(1)2")
"""What the challenges' Siemens scanners measure."""
T2_MS = 45.0
SEED = 3
CENTRAL_LINES = 20
OVERSAMPLING = 2
K_SPACE_TYPE = np.dtype([("real", "<f4"), ("imag", "<f4")])
MATLAB_HEADER = b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Mon Jan  6 12:00:00 2025 HDF5 schema 1.00 ."


@dataclass(frozen=True)
class View:
    """What of a simulated section is scanned, to save time. every: how many of its pixels are one here. around: pixels
    a side around the heart; 0 for all."""

    every: int = 1
    around: int = 0

    def of(self, values: NDArray[Any], section: SimulatedSection) -> NDArray[Any]:
        if self.around:
            middle = [int(at) - self.around // 2 for at in section.truth.lv_center]
            first_column, first_row = (
                min(max(first, 0), length - self.around)
                for first, length in zip(middle, values.shape[::-1], strict=True)
            )
            values = values[first_row : first_row + self.around, first_column : first_column + self.around]
        return values[:: self.every, :: self.every]


WHOLE, COARSE, HEART = View(), View(every=2), View(around=112)


@dataclass(frozen=True, eq=False)
class SimulatedScan:
    """k_space: (inversions, slices, coils, phase, readout). truth: the section whose scan it is, of each slice."""

    k_space: NDArray[np.complex64]
    times_ms: NDArray[np.float64]
    pixel_mm: float
    view: View
    truth: tuple[SimulatedSection, ...] = field(repr=False)

    def myocardium(self, number: int = 0) -> NDArray[np.bool_]:
        return self.view.of(self.truth[number].truth.myocardium, self.truth[number])

    def true_t1_ms(self, number: int = 0) -> NDArray[np.float32]:
        return self.view.of(self.truth[number].truth.t1_ms, self.truth[number])


def simulate_scan(
    index: int,
    label: Label,
    *,
    levels: Sequence[str] = ("mid",),
    coils: int = 8,
    noise: float = 0.004,
    view: View = WHOLE,
) -> SimulatedScan:
    """A patient of the simulation at 3 T. noise: SD of real and imaginary part, of the fully relaxed signal."""
    patient = draw_patient(SEED, index, label, 3.0)
    sections = tuple(simulate_section(patient, level) for level in levels)
    rng = np.random.default_rng([SEED, index])
    slices = [_k_space(section, coils, noise, view, rng) for section in sections]
    pixel_mm = patient.scan.acquisition.pixel_mm * view.every
    return SimulatedScan(np.stack(slices, axis=1), TIMING.inversion_times_ms, pixel_mm, view, sections)


def _k_space(
    section: SimulatedSection, coils: int, noise: float, view: View, rng: np.random.Generator
) -> NDArray[np.complex64]:
    truth = section.truth
    tissues = section.patient.scan.tissues.values()
    nearest = np.abs(truth.t1_ms[..., None] - np.array([tissue.t1_ms for tissue in tissues])).argmin(axis=-1)
    density = np.array([tissue.relative_signal for tissue in tissues], np.float32)[nearest]
    density[truth.myocardium | truth.cavity] = 1  # lung has a like T1
    t1_ms, density = view.of(truth.t1_ms, section), view.of(density, section)
    signals = sequence_signals(np.maximum(true_t1_ms(t1_ms, T2_MS), 100), T2_MS, TIMING) * density
    rows, columns = t1_ms.shape
    wide = (rows, OVERSAMPLING * columns)
    images = sigpy.resize(signals, (len(signals), *wide))[:, None] * birdcage_maps((coils, *wide), r=1.2)
    k_space = sigpy.fft(images, axes=(-2, -1))
    spread = rng.standard_normal((2, *k_space.shape), np.float32) * np.float32(noise)
    return np.asarray(k_space + spread[0] + 1j * spread[1], np.complex64)


def lines_of(scan: SimulatedScan, acceleration: int, interleaved: bool = False) -> NDArray[np.bool_]:
    """The challenges' masks Uniform and ktUniform: (inversions, phase), every n-th line and the central ones."""
    images, phase = scan.k_space.shape[0], scan.k_space.shape[3]
    lines = np.zeros((images, phase), bool)
    for image in range(images):
        lines[image, image % acceleration if interleaved else 0 :: acceleration] = True
    lines[:, phase // 2 - CENTRAL_LINES // 2 : phase // 2 + CENTRAL_LINES // 2] = True
    return lines


def undersampled(scan: SimulatedScan, lines: NDArray[np.bool_]) -> NDArray[np.complex64]:
    return scan.k_space * lines[:, None, None, :, None]


def write_k_space(path: Path, k_space: NDArray[np.complex64], variable: str = "kspace") -> Path:
    """As MATLAB's `save(..., '-v7.3')` does: single precision, compressed in chunks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs = np.empty(k_space.shape, K_SPACE_TYPE)
    pairs["real"], pairs["imag"] = k_space.real, k_space.imag
    with h5py.File(path, "w", userblock_size=512) as file:
        dataset = file.create_dataset(variable, data=pairs, chunks=(1, 1, 1, *k_space.shape[3:]), compression=1)
        dataset.attrs["MATLAB_class"] = np.bytes_("single")
    with path.open("rb+") as bytes_of:
        bytes_of.write(MATLAB_HEADER.ljust(124) + b"\x00\x02IM")
    return path


def write_times(path: Path, times_ms: NDArray[np.float64], slices: int) -> Path:
    header = ",".join(["", *(f"Slice{number + 1}" for number in range(slices))])
    rows = [",".join([f"TI{number + 1}", *[f"{time:g}"] * slices]) for number, time in enumerate(times_ms)]
    path.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    return path


def write_info(path: Path, scan: SimulatedScan) -> Path:
    phase, readout = scan.k_space.shape[3:]
    fields = {
        "FOVx(mm)": scan.pixel_mm * readout / OVERSAMPLING,
        "FOVy(mm)": scan.pixel_mm * phase,
        "ReconMatrix_X": readout // OVERSAMPLING,
        "ReconMatrix_Y": phase,
        "ReadOutOversample": OVERSAMPLING,
        "SliceThickness": 8,
        "SliceNum": scan.k_space.shape[1],
    }
    path.write_text("".join(f"{name},{value}\n" for name, value in fields.items()), encoding="utf-8")
    return path


def write_scan(folder: Path, scan: SimulatedScan) -> Path:
    """A patient's folder of 2025: k-space, inversion times and what else is told of the scan."""
    write_k_space(folder / "T1map.mat", scan.k_space)
    write_times(folder / "T1map.csv", scan.times_ms, scan.k_space.shape[1])
    write_info(folder / "T1map_info.csv", scan)
    return folder

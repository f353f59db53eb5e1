"""An exam as it is usually planned: base, mid and apex of the shipped simulated patient, each a series of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from ACNetLib.sample_data import sample_cases
from dicom_files import write_image

TILTS_DEGREES = (0.0, 0.3, 0.0)
SHIFTS_MM = (0.0, 2.0, 0.0)
HEIGHTS_MM = (0.0, 14.0, 32.0)
"""Of base, mid and apex along the first one's normal, away from the base: gaps of 14 and 18 mm."""
SERIES = (3, 5, 7)


def write_exam(folder: Path, tilts_degrees: tuple[float, ...] = TILTS_DEGREES, **attributes: Any) -> Path:
    """Three DICOM files with the pixels of the sample with DCM, tilted around their rows and shifted along them."""
    for index in range(3):
        write_slice(folder / f"series-{SERIES[index]}.dcm", index, tilts_degrees[index], **attributes)
    return folder


def write_slice(file: Path, index: int, tilt_degrees: float = 0.0, beside_mm: float = 0.0, **attributes: Any) -> Path:
    """One of the three, 0 the base. tilt_degrees: around its middle row. beside_mm: farther towards the apex."""
    names = ("base", "mid", "apex")
    base, source = (pydicom.dcmread(sample_cases()[1].folder / f"{name}.dcm") for name in ("base", names[index]))
    row, column = np.reshape(base.ImageOrientationPatient, (2, 3)).astype(float)
    normal = np.cross(row, column)
    apex = pydicom.dcmread(sample_cases()[1].folder / "apex.dcm")
    away = np.sign(np.dot(np.subtract(apex.ImagePositionPatient, base.ImagePositionPatient), normal)) * normal
    angle = np.radians(tilt_degrees)
    tilted = np.cos(angle) * column + np.sin(angle) * normal
    half = (source.Rows - 1) / 2 * float(source.PixelSpacing[0])
    position = np.array(base.ImagePositionPatient, float) + half * (column - tilted)
    position += (HEIGHTS_MM[index] + beside_mm) * away + SHIFTS_MM[index] * row
    return write_image(
        file,
        source.pixel_array,
        position.tolist(),
        (*row, *tilted),
        (float(source.PixelSpacing[0]), float(source.PixelSpacing[1])),
        **{"series": SERIES[index], "ImageComments": "Simulated T1 map", **attributes},
    )


def write_sample(folder: Path, sample: Path, patient: str) -> None:
    """A sample's files as somebody else's, with names that say nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, file in enumerate(sorted(sample.iterdir())):
        dataset = pydicom.dcmread(file)
        dataset.PatientID, dataset.PatientName = patient, f"{patient}^Anna"
        dataset.StudyInstanceUID = f"1.2.3.{sum(map(ord, patient))}"
        dataset.save_as(folder / f"{patient[-1]}{number}")

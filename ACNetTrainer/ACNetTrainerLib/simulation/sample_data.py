"""The sample that ships with the classifier: a typical simulated normal and a typical simulated DCM patient."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFont

from ACNetLib.files import atomic_path, write_text_atomically
from ACNetLib.sample_data import SAMPLE_TABLE_NAME
from ACNetLib.t1map.section import SectionGrid
from ACNetLib.t1map.t1_map import DISPLAY_WINDOW_MS, FIELD_STRENGTH_KEY, SIMULATED_KEY, T1Map, read_t1_map

from .cohort import Cohort, map_image, simulate_cohort
from .dicom.series import write_dicom_series
from .patient import Label, draw_patient
from .section import LEVEL_NAMES, simulate_section

SAMPLE_SEED = 7
"""Not the seed of any cohort for training or evaluation; of its patients two whose surroundings look as usual."""
SAMPLE_PATIENTS: tuple[tuple[str, Label, int], ...] = (
    ("ACNetSimulatedNormal", "normal", 890),
    ("ACNetSimulatedDCM", "dcm", 553),
)
FIELD_STRENGTH_TESLA = 1.5
SAMPLE_CASES = 12
"""Patients of the small case library, half of them with DCM; one section each."""
THUMBNAIL_PIXELS, THUMBNAIL_MM = 256, 160.0
"""The Sample Data module scales thumbnails of about 260 pixels to its buttons."""


def write_sample_data(folder: Path, thumbnails: Path) -> None:
    """Write a DICOM folder and an NRRD file for each patient, and the table that tells their labels and centres.

    The pictures for the Sample Data module's buttons go into the folder `thumbnails`.
    """
    table = []
    for name, label, index in SAMPLE_PATIENTS:
        patient = draw_patient(SAMPLE_SEED, index, label, FIELD_STRENGTH_TESLA).as_one_series()
        sections = [simulate_section(patient, level) for level in LEVEL_NAMES]
        images = [map_image(section) for section in sections]
        write_dicom_series(folder / name, sections, images)
        middle = LEVEL_NAMES.index("mid")
        center_pixel = (*sections[middle].truth.lv_center.tolist(), 0.0)
        center = images[middle].TransformContinuousIndexToPhysicalPoint(center_pixel)
        t1_map = read_t1_map(folder / name)
        volume = folder / f"{name}.nrrd"
        write_t1_map(t1_map, volume)
        with atomic_path(thumbnails / f"{name}.png") as temporary:
            thumbnail(t1_map, center).save(temporary)
        table.append(
            {
                "name": name,
                "label": label,
                "center_mm": np.round(center, 2).tolist(),
                "volume": volume.name,
                "sha256": sha256(volume.read_bytes()).hexdigest(),
            }
        )
    write_text_atomically(folder / SAMPLE_TABLE_NAME, json.dumps(table, indent=2) + "\n")


def write_sample_cases(folder: Path) -> None:
    """Write the small case library that ships with the trainer, for its self-test and for trying it out."""
    simulate_cohort(Cohort(SAMPLE_CASES, 0.5, FIELD_STRENGTH_TESLA, SAMPLE_SEED), folder, levels=("mid",))
    for noiseless_map in (folder / "truth").glob("*-t1.nrrd"):  # the masks are enough
        noiseless_map.unlink()


def write_t1_map(t1_map: T1Map, path: Path) -> None:
    """Write a simulated map in whole ms with the keys that `read_t1_map` and Slicer's volume node keep."""
    image = sitk.Cast(t1_map.image, sitk.sitkUInt16)
    image.SetMetaData(FIELD_STRENGTH_KEY, f"{t1_map.field_strength_tesla:g}")
    image.SetMetaData(SIMULATED_KEY, "1")
    with atomic_path(path) as temporary:
        sitk.WriteImage(image, str(temporary), useCompression=True)


def thumbnail(t1_map: T1Map, center_mm: Sequence[float]) -> Image.Image:
    """The middle section around a point (LPS mm), grey, marked as simulated."""
    around = SectionGrid.around(t1_map, t1_map.section_count // 2, center_mm)
    grid = replace(around, size=THUMBNAIL_PIXELS, spacing_mm=THUMBNAIL_MM / THUMBNAIL_PIXELS)
    low, high = DISPLAY_WINDOW_MS
    gray = np.clip((grid.crop(t1_map).t1_ms - low) / (high - low), 0, 1) * 255
    picture = Image.fromarray(gray.astype(np.uint8))
    ImageDraw.Draw(picture).text(
        (THUMBNAIL_PIXELS / 2, THUMBNAIL_PIXELS - 8),
        "SIMULATED",
        fill=255,
        font=ImageFont.load_default(24),
        anchor="ms",
        stroke_width=3,
        stroke_fill=0,
    )
    return picture

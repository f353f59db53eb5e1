"""The sample that ships with the classifier: a typical simulated normal and a typical simulated DCM patient."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from ACNetLib.files import write_text_atomically
from ACNetLib.sample_data import SAMPLE_TABLE_NAME

from .cohort import map_image
from .dicom import write_dicom_series
from .patient import Label, draw_patient
from .section import LEVEL_NAMES, simulate_section

SAMPLE_SEED = 7
"""Not the seed of any cohort for training or judging."""
SAMPLE_PATIENTS: tuple[tuple[str, Label, int], ...] = (
    ("ACNetSimulatedNormal", "normal", 5),
    ("ACNetSimulatedDCM", "dcm", 7),
)


def write_sample_data(folder: Path, field_strength_tesla: float = 1.5) -> None:
    """Write a DICOM folder for each patient, and the table that tells their labels and centres."""
    table = []
    for name, label, index in SAMPLE_PATIENTS:
        patient = draw_patient(SAMPLE_SEED, index, label, field_strength_tesla)
        sections = [simulate_section(patient, level) for level in LEVEL_NAMES]
        images = [map_image(section) for section in sections]
        write_dicom_series(folder / name, sections, images)
        middle = LEVEL_NAMES.index("mid")
        center_pixel = (*sections[middle].truth.lv_center.tolist(), 0.0)
        center = images[middle].TransformContinuousIndexToPhysicalPoint(center_pixel)
        table.append({"name": name, "label": label, "center_mm": np.round(center, 2).tolist()})
    write_text_atomically(folder / SAMPLE_TABLE_NAME, json.dumps(table, indent=2) + "\n")

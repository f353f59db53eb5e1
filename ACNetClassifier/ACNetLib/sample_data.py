"""The shipped sample: simulated T1 maps of one normal and one DCM patient, as a scanner would write them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ACNetLib.resources import resources_folder

SAMPLE_DATA_FOLDER = resources_folder() / "SampleData"
SAMPLE_TABLE_NAME = "ACNetSampleData.json"


@dataclass(frozen=True)
class SampleCase:
    """A simulated patient: T1 map as a DICOM folder and as one file, truth, centre of the left ventricle (LPS mm).

    sha256: of the one file.
    """

    name: str
    folder: Path
    volume: Path
    sha256: str
    label: str
    center_mm: tuple[float, float, float]


def sample_cases() -> tuple[SampleCase, ...]:
    table = json.loads((SAMPLE_DATA_FOLDER / SAMPLE_TABLE_NAME).read_text(encoding="utf-8"))
    return tuple(
        SampleCase(
            name=row["name"],
            folder=SAMPLE_DATA_FOLDER / row["name"],
            volume=SAMPLE_DATA_FOLDER / row["volume"],
            sha256=row["sha256"],
            label=row["label"],
            center_mm=tuple(row["center_mm"]),
        )
        for row in table
    )

"""Cohorts of this make, written as case libraries with their truth, the same files that `simulation` writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from ACNetLib.files import require_empty_folder
from ACNetLib.image_files import write_image
from ACNetLib.t1map.t1_map import FIELD_STRENGTH_KEY, SIMULATED_KEY
from ACNetLib.ventricle.labels import ventricle_labels
from ACNetLib.ventricle.measures import measure_section, septal_arc
from ACNetLib.worker_pool import worker_pool

from ..cases.library import SIMULATED, Case, masks_file
from ..simulation.truth import TruthRow, write_tables
from .hearts import LEVEL_NAMES, FloatArray, Kind
from .mesh import read_mesh
from .patients import Patient, draw_patient, with_ventricles_of
from .scan import stored
from .sections import Section, draw_section

SCANNER_FACTOR_SD = 0.04


@dataclass(frozen=True)
class Cohort:
    """Which patients. disease: None for normal and DCM in equal numbers, or the one that all have.

    scanner_factor: of every T1, the whole cohort is from one scanner; None draws it from the seed. mesh: file whose
    ventricles the normal hearts have.
    """

    patients: int
    field_strength_tesla: float
    seed: int
    disease: Kind | None = None
    scanner_factor: float | None = None
    mesh: Path | None = None

    @property
    def factor(self) -> float:
        if self.scanner_factor is not None:
            return self.scanner_factor
        return 1 + SCANNER_FACTOR_SD * float(np.clip(np.random.default_rng([self.seed, 2]).normal(), -2, 2))

    def kind(self, index: int) -> Kind:
        """Pairs of a normal heart and one with DCM in either order: a patient stays the same in a larger cohort."""
        if self.disease is not None:
            return self.disease
        first_is_normal = np.random.default_rng([self.seed, index // 2, 3]).random() < 0.5
        return "normal" if (index % 2 == 0) == first_is_normal else "dcm"

    def patient(self, index: int) -> Patient:
        patient = draw_patient(self.seed, index, self.kind(index), self.field_strength_tesla, self.factor)
        if self.mesh is None or patient.heart.kind != "normal":
            return patient
        return with_ventricles_of(read_mesh(self.mesh), patient)


def simulate_abroad(cohort: Cohort, folder: Path) -> None:
    """Write the cohort to `folder`: cases.csv, truth.csv, images/ and truth/.

    A case library knows two labels: other diseases than DCM are labelled normal there, for the question is whether a
    model takes them for DCM. Raises ACNetError when `folder` holds anything already.
    """
    require_empty_folder(folder)
    for name in ("images", "truth"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with worker_pool() as pool:
        count = cohort.patients
        written = pool.map(_write_patient, [cohort] * count, range(count), [folder] * count, chunksize=2)
        write_tables(folder, written, count)


def _write_patient(cohort: Cohort, index: int, folder: Path) -> tuple[list[Case], list[TruthRow]]:
    patient = cohort.patient(index)
    cases, rows = [], []
    for level, level_name in enumerate(LEVEL_NAMES):
        with threadpool_limits(1):
            section = draw_section(patient, level)
        case = f"{patient.name}-{level_name}"
        file = f"images/{case}.nrrd"
        masks = ventricle_labels(section.myocardium, section.cavity, section.insertion_points)
        for path, values in (
            (file, whole_ms(section.t1_ms)),
            (masks_file(case), masks),
            (f"truth/{case}-t1.nrrd", whole_ms(section.true_t1_ms)),
        ):
            image = stored(patient.scan.place(values, level), patient.scan.storage)
            image.SetMetaData(FIELD_STRENGTH_KEY, f"{patient.field_strength_tesla:g}")
            image.SetMetaData(SIMULATED_KEY, "1")
            write_image(image, folder / path)
        cases.append(_case(patient, section, level, case, file))
        rows.append(_truth_row(patient, section, level, case))
    return cases, rows


def whole_ms(t1_ms: FloatArray) -> np.ndarray:
    """T1 as scanners store it."""
    return np.rint(np.clip(t1_ms, 0, 4095)).astype(np.uint16)


def _position(patient: Patient, level: int, pixel: FloatArray) -> tuple[float, float, float]:
    """LPS mm of a (column, row) point, to the micrometre."""
    plain = patient.scan.place(np.zeros((patient.scan.rows, patient.scan.columns), np.uint8), level)
    x, y, z = plain.TransformContinuousIndexToPhysicalPoint((*pixel.tolist(), 0.0))
    return round(x, 3), round(y, 3), round(z, 3)


def _case(patient: Patient, section: Section, level: int, case: str, file: str) -> Case:
    center = np.array([index.mean() for index in np.nonzero(section.cavity)[::-1]])
    label = "dcm" if patient.heart.kind == "dcm" else "normal"
    position = _position(patient, level, center)
    return Case(case, patient.name, file, label, *position, patient.field_strength_tesla, SIMULATED)


def _truth_row(patient: Patient, section: Section, level: int, case: str) -> TruthRow:
    septum = section.myocardium & septal_arc(section.cavity, section.insertion_points)
    pixel_mm = patient.scan.pixel_mm
    t1_ms = whole_ms(section.t1_ms).astype(np.float32)
    measures = measure_section(t1_ms, section.myocardium, section.cavity, septum, (pixel_mm, pixel_mm))
    anterior, inferior = (_position(patient, level, point) for point in section.insertion_points)
    return TruthRow(
        case,
        patient.name,
        LEVEL_NAMES[level],
        "female" if patient.heart.is_female else "male",
        round(patient.heart.severity, 3),
        round(patient.focus_rise_ms, 1),
        round(60_000 / patient.sequence.heartbeat_ms, 1),
        round(patient.sequence.noise, 4),
        round(measures.septal_t1_ms, 2),
        round(measures.cavity_area_mm2, 1),
        round(measures.wall_thickness_mm, 3),
        *anterior,
        *inferior,
    )

"""Cohorts of simulated patients, written as a case library with their truth, and on request as DICOM."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from threadpoolctl import threadpool_limits

from ACNetLib.files import require_empty_folder
from ACNetLib.image_files import image_like, write_image
from ACNetLib.t1map.t1_map import FIELD_STRENGTH_KEY, SIMULATED_KEY
from ACNetLib.worker_pool import worker_pool

from ..cases.library import Case, masks_file
from .anatomy import SLICE_THICKNESS_MM
from .dicom.series import write_dicom_series
from .patient import Label, Patient, draw_patient, with_walls_of_another_population
from .section import LEVEL_NAMES, SimulatedSection, measure_with_truth, simulate_section
from .truth import TruthRow, write_tables


@dataclass(frozen=True)
class Cohort:
    """Which patients: the same values always give the same cohort. Who is normal is drawn anew for another size.

    varied_walls: the same patients, the walls of each thinner or thicker, as those of other populations are.
    """

    patients: int
    normal_fraction: float
    field_strength_tesla: float
    seed: int
    varied_walls: bool = False

    def labels(self) -> list[Label]:
        """One label a patient, mixed; the number of normals is exact."""
        normals = round(self.patients * self.normal_fraction)
        order = np.random.default_rng(self.seed).permutation(self.patients)
        return ["normal" if rank < normals else "dcm" for rank in order]

    def draw(self) -> Iterator[Patient]:
        for index, label in enumerate(self.labels()):
            patient = draw_patient(self.seed, index, label, self.field_strength_tesla)
            yield with_walls_of_another_population(patient) if self.varied_walls else patient


def simulate_cohort(
    cohort: Cohort, folder: Path, dicom: str | None = None, levels: tuple[str, ...] = LEVEL_NAMES
) -> None:
    """Write the cohort to `folder`: cases.csv, truth.csv, images/, truth/ and, on request, dicom/.

    `dicom` is the flavour to write, one of `dicom.FLAVOURS`. Raises ACNetError when `folder` holds anything already.
    """
    require_empty_folder(folder)
    for name in ("images", "truth", *(("dicom",) if dicom else ())):
        (folder / name).mkdir(parents=True, exist_ok=True)
    with worker_pool() as pool:
        jobs = ((patient, folder, dicom, levels) for patient in cohort.draw())
        write_tables(folder, pool.map(_write_patient, *zip(*jobs, strict=True), chunksize=2), cohort.patients)


def _write_patient(
    patient: Patient, folder: Path, dicom: str | None, levels: tuple[str, ...]
) -> tuple[list[Case], list[TruthRow]]:
    if dicom:
        patient = patient.as_one_series()
    with threadpool_limits(1):
        sections = [simulate_section(patient, level) for level in levels]
    cases, rows = [], []
    for section in sections:
        case = f"{patient.name}-{section.level}"
        image = map_image(section)
        file = f"images/{case}.nrrd"
        write_image(image, folder / file)
        write_image(image_like(image, section.truth.labels), folder / masks_file(case))
        write_image(image_like(image, _stored(section.truth.t1_ms)), folder / "truth" / f"{case}-t1.nrrd")
        cases.append(_case(section, case, file, image))
        rows.append(_truth_row(section, case, image))
    if dicom:
        images = [map_image(section) for section in sections]
        write_dicom_series(folder / "dicom" / patient.name, sections, images, dicom, with_other_images=True)
    return cases, rows


def map_image(section: SimulatedSection) -> sitk.Image:
    """The section's map as scanners store it, whole ms, in its place in the patient (LPS)."""
    return placed_map(section.t1_ms, section.patient, section.level)


def placed_map(t1_ms: np.ndarray, patient: Patient, level: str) -> sitk.Image:
    """Any T1 map (rows, columns) of the plane of the patient's section `level`, as `map_image` gives that section's."""
    scan = patient.scan
    image = sitk.GetImageFromArray(_stored(t1_ms)[np.newaxis])
    pixel_mm = scan.acquisition.pixel_mm
    # The normal points to the base.
    along = -patient.distance_mm(LEVEL_NAMES.index(level))
    middle = (np.array([scan.acquisition.columns, scan.acquisition.rows]) - 1) / 2 * pixel_mm
    origin = np.array(scan.center_mm) + scan.axes @ np.array([-middle[0], -middle[1], along])
    image.SetSpacing((pixel_mm, pixel_mm, SLICE_THICKNESS_MM))
    image.SetOrigin(origin.tolist())
    image.SetDirection(scan.axes.ravel().tolist())
    image.SetMetaData(FIELD_STRENGTH_KEY, f"{patient.field_strength_tesla:g}")
    image.SetMetaData(SIMULATED_KEY, "1")
    return image


def _stored(t1_ms: np.ndarray) -> np.ndarray:
    return np.rint(t1_ms).astype(np.uint16)


def _position(image: sitk.Image, pixel: np.ndarray) -> tuple[float, float, float]:
    """LPS mm of a (column, row) point, to the micrometre."""
    x, y, z = image.TransformContinuousIndexToPhysicalPoint((*pixel.tolist(), 0.0))
    return round(x, 3), round(y, 3), round(z, 3)


def _case(section: SimulatedSection, case: str, file: str, image: sitk.Image) -> Case:
    return Case(
        case,
        section.patient.name,
        file,
        section.patient.label,
        *_position(image, section.truth.lv_center),
        section.patient.field_strength_tesla,
        "simulated",
    )


def _truth_row(section: SimulatedSection, case: str, image: sitk.Image) -> TruthRow:
    patient, truth = section.patient, section.truth
    measures = measure_with_truth(section)
    anterior, inferior = (_position(image, point) for point in truth.insertion_points)
    return TruthRow(
        case,
        patient.name,
        section.level,
        patient.sex,
        round(patient.severity, 3),
        round(patient.myocardium.fibrosis[0], 1),
        round(patient.scan.acquisition.timing.heart_rate_bpm, 1),
        round(patient.scan.acquisition.noise, 4),
        round(measures.septal_t1_ms, 2),
        round(measures.cavity_area_mm2, 1),
        round(measures.wall_thickness_mm, 3),
        *anterior,
        *inferior,
    )

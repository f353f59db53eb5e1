"""Slices whose left ventricle is known, of any heart; slices without one, and slices whose heart an edge cuts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ACNetLib.image_files import image_like
from ACNetLib.t1map.t1_map import Reading, T1Map, t1_map_from_image
from ACNetLib.ventricle.labels import LabelArray
from ACNetLib.ventricle.segments import read_segmentation
from ACNetLib.worker_pool import worker_pool

from ..cases.library import Case, CaseLibrary, masks_file
from ..cases.table import Row
from ..evaluation.truth_table import read_truth_table, rows_of_cases
from ..simulation.cohort import map_image, placed_map
from ..simulation.diseases import DISEASES, draw_diseased_patient
from ..simulation.patient import draw_patient
from ..simulation.section import LEVEL_NAMES, simulate_section, simulate_section_without_heart

THROUGH_HEART_MM = (-10.0, 15.0)
"""Where an edge cuts a heart so that its ventricle must not count as found, see `cut_by_edge`."""
HEARTLESS_SEED_OFFSET, OTHER_HEARTS_SEED_OFFSET = 1_000_003, 2_000_003
"""Keep the bodies without a heart, and those with another disease, apart from every cohort's patients."""


@dataclass(frozen=True, eq=False)
class LabelledSection:
    """A T1 map of one section and its true ventricle.

    labels: (rows, columns), those of ACNetLib.ventricle.labels; all 0 where there is no heart. center_mm: of the left
    ventricle, LPS (3,); None where there is no heart.
    """

    t1_map: T1Map
    labels: LabelArray
    center_mm: NDArray[np.float64] | None
    level: str

    @property
    def label_image(self) -> sitk.Image:
        return image_like(self.t1_map.image, self.labels)


def read_labelled_sections(library: CaseLibrary, cases: Sequence[Case]) -> list[LabelledSection]:
    """Sections of a simulated library with its true masks. Raises ACNetError when the library has none."""
    table = read_truth_table(library.folder, ("case", "level"))
    rows = rows_of_cases(table, cases)
    return [_read(library, case, row) for case, row in zip(cases, rows, strict=True)]


def _read(library: CaseLibrary, case: Case, truth: Row) -> LabelledSection:
    t1_map = library.t1_map(case)
    labels = sitk.GetArrayFromImage(read_segmentation(library.folder / masks_file(case.case)))[0]
    return LabelledSection(t1_map, labels, np.array(case.center_mm), truth.cells["level"])


def sections_of_other_hearts(count: int, field_strength_tesla: float, seed: int) -> list[LabelledSection]:
    """Simulated slices of hearts that are neither normal nor DCM: the diseases in turn, another patient each time. The
    localizer has to find them too.
    """
    jobs = [(index, field_strength_tesla, seed + OTHER_HEARTS_SEED_OFFSET) for index in range(count)]
    with worker_pool() as pool:
        return list(pool.map(_section_of_other_heart, *zip(*jobs, strict=True), chunksize=4))


def _section_of_other_heart(index: int, field_strength_tesla: float, seed: int) -> LabelledSection:
    patient = draw_diseased_patient(seed, index, DISEASES[index % len(DISEASES)], field_strength_tesla)
    level = LEVEL_NAMES[index // len(DISEASES) % len(LEVEL_NAMES)]
    with threadpool_limits(1):
        section = simulate_section(patient, level)
    image, truth = map_image(section), section.truth
    t1_map = _map(image, f"{patient.name}-{patient.label}", field_strength_tesla)
    center_mm = np.array(image.TransformContinuousIndexToPhysicalPoint((*truth.lv_center.tolist(), 0.0)))
    return LabelledSection(t1_map, truth.labels, center_mm, level)


def _map(image: sitk.Image, name: str, field_strength_tesla: float) -> T1Map:
    return t1_map_from_image(image, name, field_strength_tesla, simulated=True, reading=Reading(post_contrast=True))


def sections_without_heart(count: int, field_strength_tesla: float, seed: int) -> list[LabelledSection]:
    """Simulated sections of bodies at a level without heart: another body each time, the levels in turn."""
    jobs = [(index, field_strength_tesla, seed + HEARTLESS_SEED_OFFSET) for index in range(count)]
    with worker_pool() as pool:
        return list(pool.map(_section_without_heart, *zip(*jobs, strict=True), chunksize=4))


def _section_without_heart(index: int, field_strength_tesla: float, seed: int) -> LabelledSection:
    patient = draw_patient(seed, index, "normal", field_strength_tesla)
    level = LEVEL_NAMES[index % len(LEVEL_NAMES)]
    with threadpool_limits(1):
        image = placed_map(simulate_section_without_heart(patient, level), patient, level)
    name = f"{patient.name}-no-heart"
    t1_map = _map(image, name, field_strength_tesla)
    return LabelledSection(t1_map, np.zeros(t1_map.array.shape[1:], np.uint8), None, level)


def cut_by_edge(section: LabelledSection, angle_rad: float, distance_mm: float) -> LabelledSection:
    """The section as if the image ended at a straight line: `distance_mm` from the ventricle's centre, seen from it in
    the direction `angle_rad` (from the row axis towards the column axis). Beyond it T1 and labels are 0.
    """
    assert section.center_mm is not None
    image = section.t1_map.image
    column, row, _ = image.TransformPhysicalPointToContinuousIndex(section.center_mm.tolist())
    column_mm, row_mm, _ = image.GetSpacing()
    rows, columns = np.indices(section.labels.shape)
    along = (columns - column) * column_mm * np.cos(angle_rad) + (rows - row) * row_mm * np.sin(angle_rad)
    kept = along <= distance_mm
    cut = np.where(kept, section.t1_map.array, np.float32(0))
    return replace(
        section,
        t1_map=replace(section.t1_map, image=image_like(image, cut)),
        labels=np.where(kept, section.labels, 0).astype(np.uint8),
    )

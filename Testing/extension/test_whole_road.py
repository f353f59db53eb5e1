"""From the shipped DICOM sample to the label overlay on the heart, by a click in the unchanged module's panel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util

from ACNetLib.inference.attention import ATTENTION_MAPS
from ACNetLib.inference.record import StudyRecord
from ACNetLib.sample_data import SampleCase, sample_cases
from ACNetLib.scene.display import VENTRICLE
from ACNetLib.scene.input import t1_map_from_volume_node
from ACNetLib.scene.output import add_t1_map, find_result
from ACNetLib.scene.table import read_record
from ACNetLib.t1map.t1_map import T1Map, read_t1_map
from ACNetTrainerLib.simulation.cohort import map_image
from ACNetTrainerLib.simulation.patient import draw_patient
from ACNetTrainerLib.simulation.sample_data import SAMPLE_PATIENTS, SAMPLE_SEED
from ACNetTrainerLib.simulation.section import LEVEL_NAMES, SectionTruth, simulate_section
from repository import REPOSITORY
from slicer_host import load_module, wait_until

MODULE_FILE = REPOSITORY / "ACNetClassifier" / "ACNetClassifier.py"

LARGEST_OFFSET_MM = 4.0
SMALLEST_OVERLAP = 0.85
"""Of the ventricle as it was found with the true one: Dice coefficient."""


@pytest.fixture(scope="module", params=sample_cases(), ids=lambda case: case.name)
def a_sample(request: pytest.FixtureRequest) -> SampleCase:
    return request.param


@dataclass(frozen=True, eq=False)
class Result:
    """What the scene held after Apply. labels: of the attention maps and of the ventricle. backgrounds, overlays: the
    volumes of the slice views."""

    volume: str
    t1_map: T1Map
    labels: dict[str, np.ndarray]
    study: StudyRecord
    combined: str
    backgrounds: list[str]
    overlays: list[str]


@pytest.fixture(scope="module")
def a_result(host: None, a_sample: SampleCase) -> Result:
    """After nothing but the T1 map was chosen and Apply was clicked."""
    return click(a_sample, with_point=False)


@pytest.fixture(scope="module")
def a_result_around_a_point(host: None, a_sample: SampleCase) -> Result:
    """The same with a control point in the left ventricle."""
    return click(a_sample, with_point=True)


def click(sample: SampleCase, with_point: bool) -> Result:
    slicer.mrmlScene.Clear(0)
    module = load_module(MODULE_FILE)
    module.enter()
    ui: Any = module.widget.panel.ui
    volume = add_t1_map(read_t1_map(sample.folder), slicer.mrmlScene)
    ui.volumeSelector.setCurrentNode(volume)
    if with_point:
        center = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "left ventricle")
        left, posterior, superior = sample.center_mm
        center.AddControlPoint(-left, -posterior, superior)
        ui.centerSelector.setCurrentNode(center)
    ui.applyButton.click()
    wait_until(lambda: ui.applyButton.text == "Apply")
    nodes, said = find_result(volume, slicer.mrmlScene), ui.statusLabel.text
    try:
        assert nodes is not None, said
        composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
        return Result(
            volume.GetID(),
            t1_map_from_volume_node(nodes.t1_volume),
            {name: slicer.util.arrayFromVolume(node).copy() for name, node in nodes.labels.items()},
            read_record(nodes.table),
            nodes.labels["combined"].GetID(),
            [composite.GetBackgroundVolumeID() for composite in composites],
            [composite.GetLabelVolumeID() for composite in composites],
        )
    finally:
        module.unload()
        slicer.mrmlScene.Clear(0)


@pytest.fixture(scope="module")
def the_truth(a_sample: SampleCase) -> dict[float, SectionTruth]:
    """The truth of each section of the sample, by the section's position along the normal (mm)."""
    label, index = next((label, index) for name, label, index in SAMPLE_PATIENTS if name == a_sample.name)
    patient = draw_patient(SAMPLE_SEED, index, label, 1.5).as_one_series()
    sections = [simulate_section(patient, level) for level in LEVEL_NAMES]
    return {_height(map_image(section).GetOrigin(), patient.scan.axes[:, 2]): section.truth for section in sections}


def _height(position: Any, normal: np.ndarray) -> float:
    return float(np.dot(position, normal))


def _truth_of(t1_map: T1Map, section: int, the_truth: dict[float, SectionTruth]) -> SectionTruth:
    origin = t1_map.image.TransformIndexToPhysicalPoint((0, 0, section))
    height = _height(origin, t1_map.normal)
    return min(the_truth.items(), key=lambda item: abs(item[0] - height))[1]


def check_overlay(
    result: Result, the_truth: dict[float, SectionTruth], point_mm: Sequence[float] | None = None
) -> None:
    """Every attention map covers the true left ventricle of every section, in the middle: the ventricle's, or the given
    point's on that section."""
    t1_map = result.t1_map
    pixel_mm = t1_map.image.GetSpacing()[0]
    for name in ATTENTION_MAPS:
        labels = result.labels[name]
        assert labels.shape == t1_map.array.shape
        for section in range(t1_map.section_count):
            truth = _truth_of(t1_map, section, the_truth)
            covered = labels[section] > 0
            assert covered[truth.myocardium | truth.cavity].all()
            overlay_center = np.array([points.mean() for points in np.nonzero(covered)[::-1]])
            middle = truth.lv_center
            if point_mm is not None:
                on_section = t1_map.project(point_mm, section).tolist()
                middle = np.array(t1_map.image.TransformPhysicalPointToContinuousIndex(on_section)[:2])
            assert np.linalg.norm(overlay_center - middle) * pixel_mm < LARGEST_OFFSET_MM


def test_the_heart_is_found_and_the_overlay_lies_on_it(a_result: Result, the_truth: dict[float, SectionTruth]) -> None:
    check_overlay(a_result, the_truth)


def test_around_a_control_point_the_overlay_lies_on_the_heart_too(
    a_result_around_a_point: Result, the_truth: dict[float, SectionTruth], a_sample: SampleCase
) -> None:
    check_overlay(a_result_around_a_point, the_truth, a_sample.center_mm)
    assert a_result_around_a_point.study.maps[0].center_source == "point"


def test_the_ventricle_as_found_is_the_true_one(a_result: Result, the_truth: dict[float, SectionTruth]) -> None:
    t1_map, found = a_result.t1_map, a_result.labels[VENTRICLE] > 0
    for section in range(t1_map.section_count):
        truth = _truth_of(t1_map, section, the_truth)
        true = truth.myocardium | truth.cavity
        dice = 2 * np.count_nonzero(found[section] & true) / (found[section].sum() + true.sum())
        assert dice > SMALLEST_OVERLAP


def test_the_overlay_is_shown_over_the_map_in_every_slice_view(a_result: Result) -> None:
    assert set(a_result.backgrounds) == {a_result.volume}
    assert set(a_result.overlays) == {a_result.combined}


def test_the_verdict_is_what_the_sample_is_labelled(a_result: Result, a_sample: SampleCase) -> None:
    study = a_result.study
    rows = study.sections
    assert study.verdict == a_sample.label
    assert study.maps[0].simulated
    assert study.model.simulated
    assert study.maps[0].center_source == "localizer"
    assert study.maps[0].field_strength_tesla == pytest.approx(1.5, abs=0.1)
    assert len(rows) == 3
    assert all(0.0 < row.confidence < 1.0 and row.known_measures.septal_t1_ms > 900 for row in rows)

"""From the shipped DICOM sample to the label overlay on the heart, by a click in the unchanged module's panel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import slicer.util

from ACNetLib.attention import ATTENTION_MAPS
from ACNetLib.sample_data import SampleCase, sample_cases
from ACNetLib.scene import ResultNodes, add_t1_map, find_result, read_summary, t1_map_from_volume_node
from ACNetLib.t1map import T1Map, read_t1_map
from ACNetTrainerLib.simulation.cohort import map_image
from ACNetTrainerLib.simulation.patient import draw_patient
from ACNetTrainerLib.simulation.sample_data import SAMPLE_PATIENTS, SAMPLE_SEED
from ACNetTrainerLib.simulation.section import LEVEL_NAMES, SectionTruth, simulate_section

MODULE_FILE = Path(__file__).parent.parent / "ACNetClassifier" / "ACNetClassifier.py"

MIDDLE = 1
# The control point lies in the middle section: there the overlay is centred to a pixel. Base and apex are cut around
# the same point, from which the ventricle's tilted axis drifts away.
LARGEST_OFFSET_MM, LARGEST_DRIFT_MM = 1.5, 8.0

pytestmark = pytest.mark.usefixtures("host")


@pytest.fixture(params=sample_cases(), ids=lambda case: case.name)
def a_sample(request: pytest.FixtureRequest) -> SampleCase:
    return request.param


@pytest.fixture
def a_result(a_sample: SampleCase) -> Iterator[ResultNodes]:
    """The nodes in the scene after Apply was clicked with the shipped model and a control point in the ventricle."""
    from slicer_host import load_module, wait_until

    slicer.mrmlScene.Clear(0)
    module = load_module(MODULE_FILE)
    module.enter()
    ui: Any = module.widget.panel.ui
    volume = add_t1_map(read_t1_map(a_sample.folder), slicer.mrmlScene)
    center = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "left ventricle")
    left, posterior, superior = a_sample.center_mm
    center.AddControlPoint(-left, -posterior, superior)
    ui.volumeSelector.setCurrentNode(volume)
    ui.centerSelector.setCurrentNode(center)
    ui.applyButton.click()
    wait_until(lambda: find_result(volume, slicer.mrmlScene) is not None)
    nodes = find_result(volume, slicer.mrmlScene)
    assert nodes is not None
    yield nodes
    module.unload()
    slicer.mrmlScene.Clear(0)


@pytest.fixture
def the_truth(a_sample: SampleCase) -> dict[float, SectionTruth]:
    """The truth of each section of the sample, by the section's position along the normal (mm)."""
    label, index = next((label, index) for name, label, index in SAMPLE_PATIENTS if name == a_sample.name)
    patient = draw_patient(SAMPLE_SEED, index, label, 1.5)
    sections = [simulate_section(patient, level) for level in LEVEL_NAMES]
    return {_height(map_image(section).GetOrigin(), patient.scan.axes[:, 2]): section.truth for section in sections}


def _height(position: Any, normal: np.ndarray) -> float:
    return float(np.dot(position, normal))


def _truth_of(t1_map: T1Map, section: int, the_truth: dict[float, SectionTruth]) -> SectionTruth:
    origin = t1_map.image.TransformIndexToPhysicalPoint((0, 0, section))
    height = _height(origin, t1_map.normal)
    return min(the_truth.items(), key=lambda item: abs(item[0] - height))[1]


def test_the_overlay_lies_on_the_heart(a_result: ResultNodes, the_truth: dict[float, SectionTruth]) -> None:
    t1_map = t1_map_from_volume_node(a_result.t1_volume)
    pixel_mm = t1_map.image.GetSpacing()[0]
    for name in ATTENTION_MAPS:
        labels = slicer.util.arrayFromVolume(a_result.labels[name])
        assert labels.shape == t1_map.array.shape
        for section in range(t1_map.section_count):
            truth = _truth_of(t1_map, section, the_truth)
            covered = labels[section] > 0
            heart = truth.myocardium | truth.cavity
            assert covered[heart].all()
            overlay_center = np.array([points.mean() for points in np.nonzero(covered)[::-1]])
            distance_mm = np.linalg.norm(overlay_center - truth.lv_center) * pixel_mm
            assert distance_mm < (LARGEST_OFFSET_MM if section == MIDDLE else LARGEST_DRIFT_MM)


def test_the_overlay_is_shown_over_the_map_in_every_slice_view(a_result: ResultNodes) -> None:
    composites = slicer.util.getNodesByClass("vtkMRMLSliceCompositeNode")
    assert composites
    for composite in composites:
        assert composite.GetBackgroundVolumeID() == a_result.t1_volume.GetID()
        assert composite.GetLabelVolumeID() == a_result.labels["combined"].GetID()


def test_the_panel_decides_as_the_sample_is_labelled(a_result: ResultNodes, a_sample: SampleCase) -> None:
    study, rows = read_summary(a_result.table)
    assert study.decision == a_sample.label
    assert study.simulated_map
    assert study.simulated_model
    assert study.center_source == "given"
    assert len(rows) == 3

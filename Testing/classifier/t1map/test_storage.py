"""The same voxels in space give the same answer, however they are stored: shipped models on the shipped samples."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.inference import load_pipeline
from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.probability import log_odds_of
from ACNetLib.inference.result import StudyResult
from ACNetLib.models.store import SHIPPED_MODELS_FOLDER
from ACNetLib.sample_data import SampleCase, sample_cases
from ACNetLib.t1map.t1_map import read_t1_map
from made_up_maps import STORAGES, stored_otherwise

SAMPLES = sample_cases()


@cache
def the_classifier() -> Classifier:
    localizer = SHIPPED_MODELS_FOLDER / "localizer-simulated.safetensors"
    return load_pipeline(SHIPPED_MODELS_FOLDER / "acnet-simulated-1.5T.safetensors", localizer, "cpu")


@cache
def as_shipped(sample: SampleCase) -> StudyResult:
    return the_classifier().classify(read_t1_map(sample.volume))


def by_place(volume: np.ndarray, image: sitk.Image, like: sitk.Image) -> np.ndarray:
    """Values (slice, row, column) of an image in the order in which another image stores the same voxels."""
    values = sitk.GetImageFromArray(volume)
    values.CopyInformation(image)
    return sitk.GetArrayFromImage(sitk.Resample(values, like, sitk.Transform(), sitk.sitkNearestNeighbor))


def check_same(result: StudyResult, expected: StudyResult) -> None:
    normal = expected.images[0].t1_map.normal
    heights = [[np.dot(each.center_lps_mm, normal) for each in study.sections] for study in (result, expected)]
    pairs = zip(np.argsort(heights[0]), np.argsort(heights[1]), strict=True)
    for ours, theirs in ((result.sections[i], expected.sections[j]) for i, j in pairs):
        assert ours.log_odds_dcm == pytest.approx(theirs.log_odds_dcm, abs=0.02)
        assert np.linalg.norm(np.subtract(ours.center_lps_mm, theirs.center_lps_mm)) < 0.2
        assert ours.known_measures.septal_t1_ms == pytest.approx(theirs.known_measures.septal_t1_ms, abs=0.5)
        assert ours.shape.relative_wall == pytest.approx(theirs.shape.relative_wall, abs=0.005)
        assert ours.shape.rv_to_lv == pytest.approx(theirs.shape.rv_to_lv, abs=0.01)
        assert ours.warnings == theirs.warnings
    assert log_odds_of(result.probability_dcm) == pytest.approx(log_odds_of(expected.probability_dcm), abs=0.02)
    for name, bands in result.images[0].bands.items():
        same_order = by_place(bands, result.images[0].t1_map.image, expected.images[0].t1_map.image)
        assert np.mean(same_order != expected.images[0].bands[name]) < 1e-4
    ventricle = by_place(result.images[0].ventricle, result.images[0].t1_map.image, expected.images[0].t1_map.image)
    assert np.mean(ventricle != expected.images[0].ventricle) < 1e-4


@pytest.mark.parametrize("storage", STORAGES, ids=str)
def test_the_eight_ways_to_store_a_slice_give_one_answer(storage: tuple[bool, bool, bool], tmp_path: Path) -> None:
    """Each sample in four of them, with every change alone or together with another."""
    sample = SAMPLES[sum(storage) % 2]
    file = tmp_path / "map.nrrd"
    sitk.WriteImage(stored_otherwise(sitk.ReadImage(str(sample.volume)), *storage), str(file))
    check_same(the_classifier().classify(read_t1_map(file)), as_shipped(sample))


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_dicom_and_a_bottom_up_nifti_of_it_give_one_answer(sample: SampleCase, tmp_path: Path) -> None:
    """As dcm2niix writes it: rows bottom-up, the first slice lowest, which the affine says."""
    dicom = read_t1_map(sample.folder)
    rows_up = stored_otherwise(dicom.image, columns_reversed=False, rows_reversed=True, exchanged=False)
    file = tmp_path / "map.nii.gz"
    sitk.WriteImage(rows_up, str(file))
    nifti = replace(read_t1_map(file), field_strength_tesla=1.5)
    check_same(the_classifier().classify(nifti), the_classifier().classify(dicom))


@pytest.mark.parametrize(("axes", "across"), [("RAS", 0), ("SLA", 1)])
def test_a_nifti_on_the_closest_axes_of_the_body_gives_the_same_answer_in_the_same_place(
    axes: str, across: int, tmp_path: Path
) -> None:
    """As nibabel, FSL and MONAI store it: the slices then lie along the first or the second axis."""
    sample = SAMPLES[1]
    reoriented = sitk.DICOMOrient(sitk.ReadImage(str(sample.volume)), axes)
    assert reoriented.GetSize().index(3) == across
    file = tmp_path / "map.nii.gz"
    sitk.WriteImage(reoriented, str(file))
    check_same(the_classifier().classify(replace(read_t1_map(file), field_strength_tesla=1.5)), as_shipped(sample))

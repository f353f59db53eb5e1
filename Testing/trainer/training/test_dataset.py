"""Training samples: functions of (seed, epoch, index) alone, the same for both classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.errors import ACNetError
from ACNetLib.t1map.section import TOWARDS_BASE, IntensityScaling, SectionGrid, anatomical_axes
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetTrainerLib.cases.library import Case, CaseLibrary
from ACNetTrainerLib.training.batches import EpochBatches, InOrder
from ACNetTrainerLib.training.dataset import CaseDataset, EpochSampler, RandomChanges
from ACNetTrainerLib.training.recipe import Augmentation

SCALING = IntensityScaling("fixed_window", 0.0, 2550.0)  # 10 ms an intensity step
NOTHING = Augmentation(rotation_degrees=0.0, shift_mm=0.0, scale=0.0, noise_ms=0.0)
EVERYTHING = Augmentation(rotation_degrees=180.0, shift_mm=6.0, scale=0.03, noise_ms=30.0, t1_scale=0.1, mirror=0.25)
CENTER_MM = (10.0, -20.0, 30.0)
SLOPE = (3.0, 2.0)  # ms a mm along columns and rows


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> CaseLibrary:
    """One T1 map for all cases: a plane, 1300 ms at the heart, so that any change of the grid can be read off it."""
    folder = tmp_path_factory.mktemp("library")
    rows, columns = np.mgrid[:200, :220]
    image = sitk.GetImageFromArray((1300 + SLOPE[0] * (columns - 110) + SLOPE[1] * (rows - 100))[np.newaxis])
    # Stored along the anatomical axes, so that columns and rows of the map are those of its sections.
    normal = TOWARDS_BASE / np.linalg.norm(TOWARDS_BASE)
    across, down = anatomical_axes(normal)
    image.SetDirection(np.column_stack([across, down, normal]).ravel().tolist())
    image.SetOrigin((np.array(CENTER_MM) - 110 * across - 100 * down).tolist())
    sitk.WriteImage(sitk.Cast(image, sitk.sitkFloat32), str(folder / "plane.nrrd"))
    cases = tuple(
        Case(f"c{i}", f"p{i}", "plane.nrrd", "dcm" if i < 2 else "normal", *CENTER_MM, 1.5, "a") for i in range(8)
    )
    return CaseLibrary(folder, cases)


def a_dataset(library: CaseLibrary, augmentation: Augmentation | None, seed: int = 1) -> CaseDataset:
    return CaseDataset(library, library.cases, SCALING, RandomChanges(augmentation, seed) if augmentation else None)


def sample_ms(dataset: CaseDataset, epoch: int, index: int, draw: int = 0) -> np.ndarray:
    return dataset[epoch, index, draw][0][0].numpy() * 10.0


def plane_through(t1_ms: np.ndarray) -> tuple[float, float, float]:
    """Mean, and slope along columns and along rows."""
    rows, columns = np.mgrid[:128, :128] - 63.5
    return (
        float(t1_ms.mean()),
        float((t1_ms * columns).mean() / (columns**2).mean()),
        float((t1_ms * rows).mean() / (rows**2).mean()),
    )


def test_a_sample_is_the_crop_around_the_centre_and_its_class(library: CaseLibrary) -> None:
    dataset = a_dataset(library, None)
    section, label = dataset[0, 0, 0]
    assert section.shape == (1, 128, 128)
    assert plane_through(section[0].numpy() * 10) == pytest.approx((1300, *SLOPE), rel=1e-3)
    assert [dataset[0, index, 0][1] for index in range(8)] == [1, 1, 0, 0, 0, 0, 0, 0]
    assert len(dataset) == 8
    assert label == 1


def test_a_slice_is_turned_as_its_case_says(library: CaseLibrary) -> None:
    turned = replace(library, cases=tuple(replace(case, turn_degrees=30.0) for case in library.cases))
    for dataset in (a_dataset(turned, None), a_dataset(turned, None).as_inference_sees_them(2)):
        _, across, down = plane_through(sample_ms(dataset, 0, 1))
        assert np.degrees(np.arctan2(SLOPE[1], SLOPE[0]) - np.arctan2(down, across)) == pytest.approx(30.0, abs=0.1)


def test_the_same_cases_can_be_seen_with_all_t1_times_a_factor(library: CaseLibrary) -> None:
    dataset = a_dataset(library, None)
    np.testing.assert_allclose(sample_ms(dataset.with_t1_times(1.1), 0, 3), 1.1 * sample_ms(dataset, 0, 3), rtol=1e-4)
    assert plane_through(sample_ms(dataset, 0, 3))[0] == pytest.approx(1300, rel=1e-3)


def test_a_section_beyond_the_map_is_trained_on_as_inference_sees_it(library: CaseLibrary) -> None:
    case = replace(library.cases[0], center_l_mm=library.cases[0].center_l_mm + 75.0)
    t1_map = read_t1_map(library.path(case))
    grid = library.grid(case, t1_map)
    assert grid.crop(t1_map).outside_fraction > 0.05
    dataset = CaseDataset(library, [case], SCALING)
    np.testing.assert_allclose(sample_ms(dataset, 0, 0), np.minimum(grid.filled(t1_map), 2550), atol=0.01)


def test_without_augmentation_every_epoch_is_the_same(library: CaseLibrary) -> None:
    for dataset in (a_dataset(library, None), a_dataset(library, NOTHING)):
        np.testing.assert_array_equal(sample_ms(dataset, 0, 3), sample_ms(dataset, 7, 3))


def test_a_sample_depends_on_seed_epoch_index_and_draw_and_on_nothing_else(library: CaseLibrary) -> None:
    dataset = a_dataset(library, EVERYTHING)
    first = sample_ms(dataset, 4, 2)
    for epoch, index, draw in [(4, 3, 0), (0, 0, 0), (5, 2, 0), (4, 2, 1)]:  # what ran before does not matter
        assert not np.array_equal(sample_ms(dataset, epoch, index, draw), first)
    np.testing.assert_array_equal(sample_ms(dataset, 4, 2), first)
    np.testing.assert_array_equal(sample_ms(a_dataset(library, EVERYTHING), 4, 2), first)
    assert not np.array_equal(sample_ms(a_dataset(library, EVERYTHING, seed=2), 4, 2), first)


def test_a_rotation_is_the_section_seen_from_a_rotated_grid(library: CaseLibrary) -> None:
    dataset = a_dataset(library, replace(NOTHING, rotation_degrees=20.0))
    t1_map = read_t1_map(library.path(library.cases[0]))
    angles = []
    for epoch in range(20):
        section = sample_ms(dataset, epoch, 0)
        _, across, down = plane_through(section)
        angles.append(float(np.degrees(np.arctan2(SLOPE[1], SLOPE[0]) - np.arctan2(down, across))))
        turned = SectionGrid.around(t1_map, 0, CENTER_MM).turned(angles[-1])
        np.testing.assert_allclose(section, turned.crop(t1_map).t1_ms, atol=0.2)
    assert max(np.abs(angles)) <= 20
    assert min(angles) < -8
    assert max(angles) > 8


def test_a_shift_moves_the_centre_within_its_limit(library: CaseLibrary) -> None:
    dataset = a_dataset(library, replace(NOTHING, shift_mm=6.0))
    planes = np.array([plane_through(sample_ms(dataset, epoch, 0)) for epoch in range(30)])
    np.testing.assert_allclose(planes[:, 1:], [SLOPE] * 30, rtol=1e-3)
    changes = planes[:, 0] - 1300
    assert abs(changes).max() <= 6 * sum(SLOPE)
    assert changes.min() < -6
    assert changes.max() > 6


def test_a_scale_stretches_the_section_within_its_limit(library: CaseLibrary) -> None:
    dataset = a_dataset(library, replace(NOTHING, scale=0.1))
    planes = np.array([plane_through(sample_ms(dataset, epoch, 0)) for epoch in range(30)])
    factors = planes[:, 1] / SLOPE[0]
    np.testing.assert_allclose(planes[:, 2] / SLOPE[1], factors, rtol=1e-3)
    np.testing.assert_allclose(planes[:, 0], 1300, rtol=1e-3)
    assert 0.9 <= factors.min() < 0.96
    assert 1.04 < factors.max() <= 1.1


def test_a_full_turn_takes_every_angle(library: CaseLibrary) -> None:
    dataset = a_dataset(library, replace(NOTHING, rotation_degrees=180.0))
    planes = [plane_through(sample_ms(dataset, epoch, 0)) for epoch in range(60)]
    angles = np.degrees([np.arctan2(down, across) for _, across, down in planes])
    assert np.histogram(angles, bins=6, range=(-180, 180))[0].min() >= 3
    np.testing.assert_allclose([np.hypot(*plane[1:]) for plane in planes], np.hypot(*SLOPE), rtol=1e-3)


def test_a_share_of_the_sections_is_seen_upside_down_their_septum_staying_to_the_left(library: CaseLibrary) -> None:
    dataset = a_dataset(library, replace(NOTHING, mirror=0.25))
    planes = np.array([plane_through(sample_ms(dataset, epoch, 0)) for epoch in range(80)])
    is_mirrored = planes[:, 2] < 0
    assert 10 <= is_mirrored.sum() <= 30
    np.testing.assert_allclose(planes[:, 1], SLOPE[0], rtol=1e-3)
    np.testing.assert_allclose(planes[:, 2], np.where(is_mirrored, -SLOPE[1], SLOPE[1]), rtol=1e-3)


def test_all_t1_of_a_section_changes_by_one_factor_of_the_given_standard_deviation(library: CaseLibrary) -> None:
    dataset, plain = a_dataset(library, replace(NOTHING, t1_scale=0.1)), sample_ms(a_dataset(library, None), 0, 0)
    factors = []
    for epoch in range(60):
        section = sample_ms(dataset, epoch, 0)
        factors.append(float(section.mean() / plain.mean()))
        np.testing.assert_allclose(section, factors[-1] * plain, rtol=1e-4)
    assert 0.7 <= min(factors) < 0.9
    assert 1.1 < max(factors) <= 1.3
    assert np.std(factors) == pytest.approx(0.1, abs=0.03)


@pytest.mark.parametrize("balanced", [True, False])
def test_a_small_library_is_drawn_until_an_epoch_has_its_least_steps(library: CaseLibrary, balanced: bool) -> None:
    is_dcm = [case.is_dcm for case in library.cases]
    sampler = EpochSampler(is_dcm, 1, balanced, fewest=40)
    batches = EpochBatches(a_dataset(library, EVERYTHING), 4, sampler)
    keys = sampler.keys(3)
    assert (len(sampler), len(batches), len(set(keys))) == (40, 10, 40)
    counts = np.bincount([index for _, index, _ in keys])
    expected = np.where(is_dcm, 10, [3.33] * 8) if balanced else np.full(8, 5)
    assert np.abs(counts - expected).max() < 1
    drawn = [(index, draw) for _, index, draw in keys if index == 0]
    assert sorted(drawn) == [(0, draw) for draw in range(counts[0])]


def test_noise_is_added_in_ms_up_to_its_limit(library: CaseLibrary) -> None:
    dataset = a_dataset(library, replace(NOTHING, noise_ms=30.0))
    plain = sample_ms(a_dataset(library, None), 0, 0)
    strengths = [float((sample_ms(dataset, epoch, 0) - plain).std()) for epoch in range(30)]
    assert max(strengths) < 31
    assert max(strengths) > 20
    assert min(strengths) < 10


def test_both_classes_are_augmented_alike(library: CaseLibrary) -> None:
    swapped = tuple(replace(case, label="normal" if case.is_dcm else "dcm") for case in library.cases)
    first, second = a_dataset(library, EVERYTHING), a_dataset(replace(library, cases=swapped), EVERYTHING)
    for index in range(8):
        np.testing.assert_array_equal(sample_ms(first, 3, index), sample_ms(second, 3, index))
        assert first[3, index, 0][1] != second[3, index, 0][1]


def test_a_balanced_epoch_draws_half_of_each_class(library: CaseLibrary) -> None:
    sampler = EpochSampler([case.is_dcm for case in library.cases], seed=1, balanced=True)
    for epoch in range(5):
        keys = sampler.keys(epoch)
        assert {key[0] for key in keys} == {epoch}
        drawn = Counter(index for _, index, _ in keys)
        assert len(keys) == 8
        assert [drawn[0], drawn[1]] == [2, 2], "the two DCM cases are drawn equally often"
        assert sum(drawn[index] for index in range(2, 8)) == 4
        assert max(drawn[index] for index in range(2, 8)) == 1, "no normal is drawn twice while another waits"
        assert len(set(keys)) == len(keys), "each copy has randomness of its own"
    seen = {index for epoch in range(12) for _, index, _ in sampler.keys(epoch)}
    assert seen == set(range(8)), "every case has its turn"


def test_an_unbalanced_epoch_draws_every_case_once(library: CaseLibrary) -> None:
    sampler = EpochSampler([case.is_dcm for case in library.cases], seed=1, balanced=False)
    assert sorted(sampler.keys(2)) == [(2, index, 0) for index in range(8)]


@pytest.mark.parametrize("balanced", [False, True])
def test_the_order_follows_from_seed_and_epoch(library: CaseLibrary, balanced: bool) -> None:
    sampler = EpochSampler([case.is_dcm for case in library.cases], seed=1, balanced=balanced)
    orders = [[index for _, index, _ in sampler.keys(epoch)] for epoch in (0, 1, 2)]
    assert orders[0] != orders[1] != orders[2]
    assert [
        index for _, index, _ in EpochSampler([case.is_dcm for case in library.cases], 1, balanced).keys(2)
    ] == orders[2]
    assert [
        index for _, index, _ in EpochSampler([case.is_dcm for case in library.cases], 2, balanced).keys(2)
    ] != orders[2]


def test_evaluation_takes_every_case_once_in_the_order_of_the_table(library: CaseLibrary) -> None:
    dataset = a_dataset(library, None)
    batches = list(InOrder(dataset, 3))
    assert [label for _, labels in batches for label in labels.tolist()] == [1, 1, 0, 0, 0, 0, 0, 0]
    assert [sections.shape for sections, _ in batches] == [(3, 1, 128, 128), (3, 1, 128, 128), (2, 1, 128, 128)]


def refused(library: CaseLibrary, cases: Sequence[Case]) -> str:
    with pytest.raises(ACNetError) as error:
        CaseDataset(library, cases, SCALING)
    return str(error.value)


@pytest.mark.parametrize("shift_mm", [(-115.0, 0.0, 0.0), (0.0, 105.0, 0.0), (1e6, 0.0, 0.0)])
def test_a_centre_outside_of_the_map_is_refused_by_the_name_of_the_case(
    library: CaseLibrary, shift_mm: tuple[float, float, float]
) -> None:
    axes = np.reshape(sitk.ReadImage(str(library.folder / "plane.nrrd")).GetDirection(), (3, 3))
    left, posterior, superior = (CENTER_MM + axes @ np.array(shift_mm)).tolist()  # along the map's columns and rows
    case = replace(library.cases[0], center_l_mm=left, center_p_mm=posterior, center_s_mm=superior)
    assert "the centre of case 'c0' lies outside its map 'plane.nrrd'" in refused(library, [case])


def test_a_file_with_several_sections_is_refused(library: CaseLibrary, tmp_path: Path) -> None:
    plane = sitk.ReadImage(str(library.folder / "plane.nrrd"))
    section = sitk.GetArrayFromImage(plane)
    stack = sitk.GetImageFromArray(np.concatenate([section, section + 1]))
    stack.SetSpacing(plane.GetSpacing())
    sitk.WriteImage(stack, str(tmp_path / "stack.nrrd"))
    case = replace(library.cases[0], file="stack.nrrd")
    assert "found 2 slices; expected one" in refused(CaseLibrary(tmp_path, (case,)), [case])


def test_a_file_that_is_no_t1_map_is_refused_by_name(library: CaseLibrary, tmp_path: Path) -> None:
    (tmp_path / "broken.nrrd").write_text("no image")
    case = replace(library.cases[0], file="broken.nrrd")
    assert "broken.nrrd" in refused(CaseLibrary(tmp_path, (case,)), [case])

"""Training and evaluating the localizer: its sections, its augmentation, and a training from nothing to a file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from ACNetLib.errors import ACNetError
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.networks.localizer import Localizer, LocalizerModel, load_localizer, localizer_grid
from ACNetLib.t1map.section import IntensityScaling, SectionGrid
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import (
    CAVITY_LABEL,
    MYOCARDIUM_LABEL,
    SEPTUM_LABEL,
    Ventricle,
    center_of_labels,
    is_myocardium,
)
from ACNetTrainerLib.cases.library import CaseLibrary, read_case_library
from ACNetTrainerLib.localization.evaluation import (
    dice,
    evaluate_localizer,
    mirrored,
    smaller,
    turned_by_90_degrees,
    with_noise,
)
from ACNetTrainerLib.localization.sections import (
    LabelledSection,
    cut_by_edge,
    read_labelled_sections,
    sections_of_other_hearts,
    sections_without_heart,
)
from ACNetTrainerLib.localization.threshold import (
    LOWEST_THRESHOLD,
    NEVER_FOUND,
    confidence_threshold,
    is_found,
    threshold_for_share,
)
from ACNetTrainerLib.localization.training import OPTIMIZATION, LocalizerDataset, augmented, train_localizer
from ACNetTrainerLib.training.loop import Place
from conftest import acnet_train

CPU = DeviceChoice("cpu", "asked for")
QUICK = replace(OPTIMIZATION, epochs=2, batch_size=4, validation_fraction=0.3)


@pytest.fixture(scope="module")
def labelled(simulated_library: CaseLibrary) -> list[LabelledSection]:
    return read_labelled_sections(simulated_library, simulated_library.cases[:3])


def test_sections_come_with_cavity_wall_and_septum(labelled: list[LabelledSection]) -> None:
    assert [section.level for section in labelled] == ["base", "mid", "apex"]
    for section in labelled:
        assert set(np.unique(section.labels)) == {0, MYOCARDIUM_LABEL, CAVITY_LABEL, SEPTUM_LABEL}
        septum = (section.labels == SEPTUM_LABEL).sum() / is_myocardium(section.labels).sum()
        assert 0.1 < septum < 0.4  # three fifths of the arc between the insertion points
        # The septum is on the side of the right ventricle, at lower columns.
        assert np.nonzero(section.labels == SEPTUM_LABEL)[1].mean() < np.nonzero(section.labels)[1].mean() - 4


def test_a_library_without_truth_is_refused(simulated_library: CaseLibrary, tmp_path: Path) -> None:
    with pytest.raises(ACNetError, match=r"no truth\.csv found; expected a row of measures"):
        read_labelled_sections(CaseLibrary(tmp_path, simulated_library.cases), simulated_library.cases[:1])


def test_sections_without_a_heart_are_bodies_of_their_own(labelled: list[LabelledSection]) -> None:
    first, second = sections_without_heart(2, 1.5, seed=1)
    assert first.center_mm is None
    assert not first.labels.any()
    assert first.t1_map.field_strength_tesla == 1.5
    assert first.t1_map.array.shape != second.t1_map.array.shape or (first.t1_map.array != second.t1_map.array).any()


@pytest.mark.parametrize("angle_degrees", [0.0, 90.0, 200.0])
def test_an_edge_leaves_nothing_beyond_it(labelled: list[LabelledSection], angle_degrees: float) -> None:
    section = labelled[1]
    cut = cut_by_edge(section, np.deg2rad(angle_degrees), 5.0)
    assert section.center_mm is not None
    image = section.t1_map.image
    column, row, _ = image.TransformPhysicalPointToContinuousIndex(section.center_mm.tolist())
    rows, columns = np.indices(section.labels.shape)
    angle = np.deg2rad(angle_degrees)
    beyond = ((columns - column) * np.cos(angle) + (rows - row) * np.sin(angle)) * image.GetSpacing()[0] > 5.0
    assert not cut.t1_map.array[0][beyond].any()
    assert not cut.labels[beyond].any()
    np.testing.assert_array_equal(cut.t1_map.array[0][~beyond], section.t1_map.array[0][~beyond])


def test_a_training_section_depends_on_seed_epoch_and_index_alone(labelled: list[LabelledSection]) -> None:
    data = LocalizerDataset(labelled, IntensityScaling(), augment=True, seed=1)
    again = LocalizerDataset(labelled, IntensityScaling(), augment=True, seed=1)
    first = data[(3, 1, 0)]
    data[(4, 0, 0)]
    assert torch.equal(first[0], again[(3, 1, 0)][0])
    assert torch.equal(first[1], again[(3, 1, 0)][1])
    assert not torch.equal(first[0], data[(4, 1, 0)][0])


def test_labels_move_with_the_picture_when_a_section_is_augmented(labelled: list[LabelledSection]) -> None:
    """Blood stays bright under its label, whichever way the section is turned, shifted, scaled and mirrored."""
    for seed in range(6):
        t1_ms, labels = augmented(labelled[1], np.random.default_rng(seed))
        assert t1_ms.shape == labels.shape == (192, 192)
        assert np.median(t1_ms[labels == CAVITY_LABEL]) > np.median(t1_ms[is_myocardium(labels)]) + 200


@pytest.mark.parametrize(
    ("change", "factor"),
    [(turned_by_90_degrees, 1.0), (mirrored, 1.0), (partial(smaller, factor=0.5), 0.5)],
)
def test_a_turned_mirrored_or_smaller_section_has_its_centre_and_labels_where_its_heart_is(
    labelled: list[LabelledSection], change: Callable[[LabelledSection], LabelledSection], factor: float
) -> None:
    section = labelled[1]
    changed = change(section)
    assert changed.t1_map.image.GetSpacing()[0] == pytest.approx(factor * section.t1_map.image.GetSpacing()[0])
    assert changed.center_mm is not None
    column, row, _ = changed.t1_map.image.TransformPhysicalPointToContinuousIndex(changed.center_mm.tolist())
    found_row, found_column = (index.mean() for index in np.nonzero(changed.labels == CAVITY_LABEL))
    assert (row, column) == pytest.approx((found_row, found_column), abs=1.5)
    original = section.t1_map.array[0][section.labels == CAVITY_LABEL]
    assert changed.t1_map.array[0][changed.labels == CAVITY_LABEL].mean() == pytest.approx(original.mean())


def test_noise_has_the_strength_asked_for(labelled: list[LabelledSection]) -> None:
    noisy = with_noise(labelled[0], 100.0, np.random.default_rng(1))
    difference = noisy.t1_map.array - labelled[0].t1_map.array
    assert difference[labelled[0].t1_map.array > 500].std() == pytest.approx(100, rel=0.05)


def test_the_threshold_is_that_of_the_first_look(labelled: list[LabelledSection]) -> None:
    (center_mm,) = (center_of_labels(section.labels, section.t1_map, 0) for section in labelled[:1])

    class OneLook(Localizer):
        """Finds the ventricle; has no threshold of its own by which it could look closer."""

        def __init__(self) -> None: ...

        def look(self, t1_map: T1Map, grids: Sequence[SectionGrid]) -> tuple[Ventricle, ...]:
            return (Ventricle(0, center_mm, 0.7),)

    assert confidence_threshold(OneLook(), [(labelled[:1], 1.0)]) == 0.7


def test_dice_counts_the_overlap() -> None:
    left, right = np.array([True, True, False, False]), np.array([False, True, True, False])
    assert dice(left, left) == 1
    assert dice(left, right) == 0.5
    assert dice(left, ~left) == 0
    assert dice(np.zeros(4, bool), np.zeros(4, bool)) == 1


@pytest.fixture(scope="module")
def trained(simulated_library: CaseLibrary, tmp_path_factory: pytest.TempPathFactory) -> LocalizerModel:
    folder = tmp_path_factory.mktemp("localizer")
    return train_localizer([simulated_library], 12, "quick", Place(folder, CPU), optimization=QUICK)


def test_a_training_gives_a_localizer_with_a_complete_card(trained: LocalizerModel) -> None:
    card = trained.card
    assert (card.name, card.simulated, card.field_strengths_tesla) == ("quick", True, (1.5,))
    assert 0 < card.confidence_threshold < 1
    assert card.training["training"]["patients_dcm"] + card.training["validation"]["patients_dcm"] == 6
    assert card.training["sections_without_heart"] == 2


def test_the_threshold_is_the_lowest_at_which_99_percent_are_found() -> None:
    confidences, found = np.linspace(1.0, 0.5, 101), np.ones(101, bool)
    assert threshold_for_share(confidences, found, np.ones(101)) == 0.5
    found[[99, 100]] = False
    assert threshold_for_share(confidences, found, np.ones(101)) == confidences[99]
    assert threshold_for_share(confidences, ~found, np.ones(101)) == NEVER_FOUND
    assert threshold_for_share(confidences - 0.4, np.ones(101), np.ones(101)) == LOWEST_THRESHOLD


def test_a_slice_of_a_kind_of_which_many_were_tried_counts_for_less() -> None:
    """A tenth of the slices without a heart is taken for one with confidence, whether ten of them were tried or 100."""
    hearts = np.linspace(0.9, 0.6, 100)
    thresholds = []
    for tried in (10, 100):
        without = np.where(np.arange(tried) % 10 == 9, 0.701, 0.0)
        confidences, found = np.concatenate([hearts, without]), np.repeat([True, False], [100, tried])
        weights = np.repeat([1 / 100, 0.2 / tried], [100, tried])
        thresholds.append(threshold_for_share(confidences, found, weights))
    assert thresholds == pytest.approx([0.702, 0.702], abs=0.002)


def test_a_hypertrophic_heart_that_is_outlined_right_is_found() -> None:
    """Its thick septum moves the middle of its outline, which the localizer tells, from the cavity's."""
    section = sections_of_other_hearts(1, 1.5, seed=1)[0]
    assert section.center_mm is not None
    middle_mm = center_of_labels(section.labels, section.t1_map, 0)
    assert is_found(Ventricle(0, middle_mm), section)
    assert not is_found(Ventricle(0, middle_mm + np.array([0.0, 10.5, 0.0])), section)
    assert not is_found(Ventricle(0, middle_mm), replace(section, center_mm=None))


def test_a_training_of_other_cases_does_not_go_on_in_the_same_folder(
    simulated_library: CaseLibrary, tmp_path: Path
) -> None:
    (tmp_path / "settings.json").write_text("{}")
    with pytest.raises(ACNetError, match="unfinished training of other cases"):
        train_localizer([simulated_library], 12, "quick", Place(tmp_path, CPU), optimization=QUICK)


def test_an_evaluation_holds_errors_regions_measures_and_odd_images(
    trained: LocalizerModel, simulated_library: CaseLibrary
) -> None:
    few = CaseLibrary(simulated_library.folder, simulated_library.cases[:6])
    metrics = evaluate_localizer(trained, [few], CPU)
    assert metrics["simulated"] is True
    values = metrics["1.5 T"]
    assert values["sections"] == 6
    assert 0 <= values["not_found_fraction"] <= 1
    assert values["mean_position"]["center_error_median_mm"] > 0
    assert set(values["dice"]) == {"base", "mid", "apex"}
    assert set(values["odd_images"]) == {
        "as it is",
        "noise of 100 ms",
        "noise of 200 ms",
        "noise of 300 ms",
        "turned by 90 degrees",
        "mirrored",
        "of three quarters of the size",
        "of half the size",
        "heart cut by the image's edge",
        "no heart in the image",
    }


def test_the_grid_of_a_training_section_is_that_of_inference(labelled: list[LabelledSection]) -> None:
    t1_map = labelled[0].t1_map
    image, labels = LocalizerDataset(labelled, IntensityScaling(), augment=False, seed=0)[(0, 0, 0)]
    expected = localizer_grid(t1_map, 0).crop(t1_map).t1_ms
    np.testing.assert_allclose(image[0].numpy(), np.clip(expected / 2500, 0, 1) * 255, atol=1e-3)
    assert labels.shape == (192, 192)


def test_the_commands_train_judge_and_save_a_localizer_with_its_metrics(
    simulated_library: CaseLibrary, trained: LocalizerModel, tmp_path: Path
) -> None:
    from ACNetLib.networks.localizer import save_localizer

    save_localizer(trained, tmp_path / "quick.safetensors")
    small = tmp_path / "few"
    small.mkdir()
    for name in ("images", "truth", "truth.csv"):
        (small / name).symlink_to(simulated_library.folder / name)
    rows = (simulated_library.folder / "cases.csv").read_text().splitlines()
    (small / "cases.csv").write_text("\n".join(rows[:4]) + "\n")
    assert len(read_case_library(small).cases) == 3
    code, said, error = acnet_train(
        [
            *("evaluate-localizer", tmp_path / "quick.safetensors", small),
            *("--output", tmp_path / "metrics.json", "--save-model", tmp_path / "judged.safetensors"),
        ]
    )
    assert code == 0, error
    assert "of simulated patients" in said
    record = json.loads((tmp_path / "metrics.json").read_text())
    assert record["command"].startswith("acnet-train evaluate-localizer")
    assert load_localizer(tmp_path / "judged.safetensors").card.metrics["1.5 T"] == record["1.5 T"]

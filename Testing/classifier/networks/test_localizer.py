"""Finding the left ventricle: the network, its file, what counts as found, and the shipped one on the sample."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from ACNetLib.errors import ACNetError
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.header import METADATA_KEY
from ACNetLib.models.model import Model, load_model, save_model
from ACNetLib.models.store import default_localizer
from ACNetLib.networks.localizer import (
    CLASSES,
    CLOSER_SPACINGS_MM,
    GRID_SPACING_MM,
    SURE_CONFIDENCE,
    Localizer,
    LocalizerCard,
    LocalizerModel,
    LocalizerNetwork,
    closed_fraction,
    find_ventricle,
    load_localizer,
    localizer_grid,
    read_localizer_card,
    save_localizer,
)
from ACNetLib.sample_data import SampleCase, sample_cases
from ACNetLib.t1map.section import SectionGrid
from ACNetLib.t1map.t1_map import T1Map, read_t1_map
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL, Ventricle

CPU = DeviceChoice("cpu", "asked for")
ROWS, COLUMNS = 150, 170  # of conftest's oblique map
ROW, COLUMN = 80, 60


def labels_of_a_ventricle(row: int = ROW, column: int = COLUMN, radius: int = 20) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    distance = np.hypot(rows - row, columns - column)
    wall = (distance >= radius) & (distance < radius + 8)
    return np.select(
        [distance < radius, wall & (columns < column), wall], [CAVITY_LABEL, SEPTUM_LABEL, MYOCARDIUM_LABEL], 0
    ).astype(np.uint8)


def said(labels: NDArray[np.uint8], probability: float = 0.9) -> NDArray[np.float32]:
    """Probabilities (4, rows, columns) of a network that says these labels, equally sure everywhere."""
    others = (1 - probability) / (CLASSES - 1)
    one_hot = np.arange(CLASSES)[:, np.newaxis, np.newaxis] == labels
    return np.where(one_hot, probability, others).astype(np.float32)


@pytest.fixture
def a_localizer() -> LocalizerModel:
    torch.manual_seed(3)
    card = LocalizerCard("untrained", simulated=True, confidence_threshold=0.6, field_strengths_tesla=(1.5, 3.0))
    return LocalizerModel(LocalizerNetwork().eval(), card)


def test_the_network_says_a_class_for_every_pixel() -> None:
    network = LocalizerNetwork().eval()
    with torch.inference_mode():
        logits = network(torch.rand(2, 1, 192, 192) * 255)
    assert logits.shape == (2, CLASSES, 192, 192)
    assert sum(parameter.numel() for parameter in network.parameters()) == 401_024  # as Documentation/localizer.md says


def test_every_weight_of_the_network_has_a_say() -> None:
    network = LocalizerNetwork()
    network(torch.rand(2, 1, 192, 192) * 255).square().mean().backward()
    assert [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()] == []


def test_the_network_sees_the_whole_section_from_each_of_its_pixels() -> None:
    network = LocalizerNetwork().eval()
    image = torch.rand(1, 1, 192, 192, requires_grad=True)
    (255 * network(image * 255)[0, :, 96, 96]).sum().backward()
    assert image.grad is not None
    rows, columns = np.nonzero(image.grad[0, 0].abs().numpy() > 0)
    assert rows.min() < 40
    assert rows.max() > 150
    assert columns.min() < 40
    assert columns.max() > 150


def test_a_localizer_comes_back_from_its_file(a_localizer: LocalizerModel, tmp_path: Path) -> None:
    path = tmp_path / "localizer.safetensors"
    save_localizer(a_localizer, path)
    loaded = load_localizer(path)
    assert replace(loaded.card, weights_sha256="") == a_localizer.card
    assert read_localizer_card(path) == loaded.card
    image = torch.rand(1, 1, 192, 192) * 255
    with torch.inference_mode():
        assert torch.equal(loaded.network(image), a_localizer.network(image))


def test_a_classifier_is_no_localizer_and_the_other_way_round(
    a_localizer: LocalizerModel, a_model: Model, tmp_path: Path
) -> None:
    save_localizer(a_localizer, tmp_path / "localizer.safetensors")
    save_model(a_model, tmp_path / "classifier.safetensors")
    with pytest.raises(ACNetError, match=r"classifier\.safetensors: it holds a classifier; expected a localizer"):
        load_localizer(tmp_path / "classifier.safetensors")
    with pytest.raises(ACNetError, match=r"localizer\.safetensors: it holds a localizer; expected a classifier"):
        load_model(tmp_path / "localizer.safetensors")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"confidence_threshold": 1.5}, "field confidence_threshold"),
        ({"grid_size": 128}, "field grid_size"),
        ({"grid_spacing_mm": 1.0}, "field grid_spacing_mm"),
        ({"intensity": 3}, "wrong type"),
        ({"field_strengths_tesla": ["a"]}, "wrong type"),
        ({"field_strengths_tesla": []}, "field field_strengths_tesla"),
        ({"colour": "blue"}, "colour"),
    ],
)
def test_a_card_that_makes_no_sense_is_refused(
    a_localizer: LocalizerModel, tmp_path: Path, change: dict[str, object], named: str
) -> None:
    path = tmp_path / "localizer.safetensors"
    save_localizer(a_localizer, path)
    with safe_open(path, framework="pt") as file:
        card = json.loads(file.metadata()[METADATA_KEY])
    save_file(load_file(path), path, metadata={METADATA_KEY: json.dumps({**card, **change})})
    with pytest.raises(ACNetError, match=rf"^localizer\.safetensors: .*{named}"):
        load_localizer(path)


def test_the_grid_of_the_network_covers_a_whole_section(an_oblique_t1_map: T1Map) -> None:
    grid = localizer_grid(an_oblique_t1_map, 1)
    np.testing.assert_allclose(grid.center_mm, an_oblique_t1_map.section_center(1))
    crop = grid.crop(an_oblique_t1_map)
    assert crop.t1_ms.shape == (192, 192)
    assert (~crop.outside).sum() * 4 == pytest.approx(ROWS * 1.6 * COLUMNS * 1.4, rel=0.02)


def test_a_ventricle_is_found_where_the_network_says_it_is(an_oblique_t1_map: T1Map) -> None:
    ventricle = find_ventricle(said(labels_of_a_ventricle()), an_oblique_t1_map, 1)
    expected = an_oblique_t1_map.image.TransformIndexToPhysicalPoint((COLUMN, ROW, 1))
    np.testing.assert_allclose(ventricle.center_mm, expected, atol=1e-6)
    assert ventricle.section == 1
    assert ventricle.confidence == pytest.approx(0.9)
    np.testing.assert_array_equal(ventricle.labels, labels_of_a_ventricle())


def test_of_two_ventricles_the_larger_one_is_taken(an_oblique_t1_map: T1Map) -> None:
    both = np.maximum(labels_of_a_ventricle(), labels_of_a_ventricle(120, 140, 8))
    ventricle = find_ventricle(said(both), an_oblique_t1_map, 0)
    np.testing.assert_array_equal(ventricle.labels, labels_of_a_ventricle())


def test_where_nothing_is_said_nothing_is_found(an_oblique_t1_map: T1Map) -> None:
    ventricle = find_ventricle(said(np.zeros((ROWS, COLUMNS), np.uint8)), an_oblique_t1_map, 0)
    assert ventricle.confidence == 0
    assert ventricle.labels is None


def test_an_unsure_network_is_less_confident(an_oblique_t1_map: T1Map) -> None:
    assert find_ventricle(said(labels_of_a_ventricle(), 0.6), an_oblique_t1_map, 0).confidence == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("edge", "expected"), [(8.0, 6.8), (2.5, 1.35)], ids=["wall of 12 mm", "2 mm are left of a thin one"]
)
def test_what_may_well_be_background_is_no_wall(an_oblique_t1_map: T1Map, edge: float, expected: float) -> None:
    """The background's probability rises from 0 to 1 over eight pixels of 1.5 mm, with a half at the edge."""
    rows, columns = np.mgrid[:ROWS, :COLUMNS]
    from_cavity = np.hypot(rows - ROW, columns - COLUMN) - 20
    background = np.clip(0.5 + (from_cavity - edge) / 8, 0, 1)
    is_wall = from_cavity >= 0
    classes = np.stack([is_wall & (columns >= COLUMN), ~is_wall, is_wall & (columns < COLUMN)])
    probabilities = np.stack([background, *(classes * (1 - background))]).astype(np.float32)
    labels = find_ventricle(probabilities, an_oblique_t1_map, 0).labels
    assert labels is not None
    assert np.sqrt((labels != 0).sum() / np.pi) - 20 == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(("first_row", "low", "high"), [(0, 1, 1), (70, 0.6, 0.8), (80, 0.4, 0.65)])
def test_a_ventricle_that_the_edge_cuts_is_open(first_row: int, low: float, high: float) -> None:
    """Its middle is at row 80, its cavity begins at row 60; rows before the first are not in the image."""
    labels = labels_of_a_ventricle()
    labels[:first_row] = 0
    assert low <= closed_fraction(labels, (1.0, 1.0)) <= high


@pytest.mark.parametrize("spacing_mm", [(1.5, 1.5), (2.0, 1.0), (1.0, 2.0)])
def test_a_wall_that_is_open_over_a_quarter_is_so_whatever_the_pixels_shape(spacing_mm: tuple[float, float]) -> None:
    rows, columns = np.indices((150, 150)) - 75.0
    down_mm, across_mm = rows * spacing_mm[0], columns * spacing_mm[1]
    from_center_mm, angle = np.hypot(down_mm, across_mm), np.arctan2(down_mm, across_mm)
    labels = np.where(from_center_mm < 35, MYOCARDIUM_LABEL, 0).astype(np.uint8)
    labels[(from_center_mm > 25) & (np.abs(angle) < np.pi / 4)] = 0
    labels[from_center_mm < 25] = CAVITY_LABEL
    assert closed_fraction(labels, spacing_mm) == pytest.approx(0.75, abs=0.05)


@pytest.mark.parametrize("case", sample_cases(), ids=lambda case: case.name)
def test_the_shipped_localizer_finds_the_ventricle_of_the_shipped_sample(case: SampleCase) -> None:
    model = load_localizer(default_localizer())
    t1_map = read_t1_map(case.folder)
    ventricles = Localizer(model, CPU).locate(t1_map)
    assert all(ventricle.confidence >= model.card.confidence_threshold for ventricle in ventricles)
    middle = ventricles[1]
    assert np.linalg.norm(middle.center_mm - t1_map.project(case.center_mm, 1)) < 4


@pytest.mark.parametrize("factor", [0.7, 0.5])
@pytest.mark.parametrize("case", sample_cases(), ids=lambda case: case.name)
def test_a_ventricle_of_a_childs_size_is_found_where_it_is(case: SampleCase, factor: float) -> None:
    """The same pixels, but smaller: down to half their size."""
    t1_map = read_t1_map(case.folder)
    small = sitk.Image(t1_map.image)
    column_mm, row_mm, slice_mm = small.GetSpacing()
    small.SetSpacing((factor * column_mm, factor * row_mm, slice_mm))
    localizer = Localizer(load_localizer(default_localizer()), CPU)
    whole, found = localizer.locate(t1_map), localizer.locate(replace(t1_map, image=small))
    for expected, ventricle in zip(whole, found, strict=True):
        assert ventricle.confidence >= localizer.confidence_threshold
        expected_pixel = t1_map.image.TransformPhysicalPointToContinuousIndex(expected.center_mm.tolist())
        pixel = small.TransformPhysicalPointToContinuousIndex(ventricle.center_mm.tolist())
        np.testing.assert_allclose(pixel[:2], expected_pixel[:2], atol=2.0)
        assert np.sum(ventricle.labels == CAVITY_LABEL) == pytest.approx(
            np.sum(expected.labels == CAVITY_LABEL), rel=0.15
        )


class SomeSlices(Localizer):
    """Finds ventricles on the slices it is told, each with this confidence by pixels of these sizes, at `PLACE_MM`."""

    confidence_threshold = 0.6
    PLACE_MM = (10.0, -20.0, 5.0)

    def __init__(self, seen: dict[int, dict[float, float]]) -> None:
        self.seen, self.looks = seen, list[tuple[int, float, tuple[float, ...]]]()

    def look(self, t1_map: T1Map, grids: Sequence[SectionGrid]) -> tuple[Ventricle, ...]:
        self.looks += [(grid.section, grid.spacing_mm, grid.center_mm) for grid in grids]
        return tuple(
            Ventricle(grid.section, np.array(self.PLACE_MM), self.seen[grid.section].get(grid.spacing_mm, 0.1))
            for grid in grids
        )


def confidences(localizer: Localizer, t1_map: T1Map) -> list[float]:
    return [each.confidence for each in localizer.locate(t1_map)]


NEAR, NEAREST = CLOSER_SPACINGS_MM


def test_a_slice_on_which_no_ventricle_is_found_is_looked_at_closer_around_its_middle(three_slices: T1Map) -> None:
    localizer = SomeSlices({2: {NEAR: SURE_CONFIDENCE}, 0: {NEAR: SURE_CONFIDENCE - 0.01}, 1: {GRID_SPACING_MM: 0.95}})
    ventricles = localizer.locate(three_slices, [2, 0, 1])
    assert [each.section for each in ventricles] == [2, 0, 1]
    assert [each.confidence for each in ventricles] == [SURE_CONFIDENCE, 0.1, 0.95]
    first, closer = localizer.looks[:3], localizer.looks[3:]
    assert [look[:2] for look in first] == [(section, GRID_SPACING_MM) for section in (2, 0, 1)]
    assert [look[:2] for look in closer] == [(2, NEAR), (0, NEAR), (0, NEAREST)]
    for section, _, center_mm in closer:
        np.testing.assert_allclose(center_mm, three_slices.section_center(section))


def test_a_ventricle_that_is_found_but_not_surely_is_looked_at_closer_around_its_centre(three_slices: T1Map) -> None:
    localizer = SomeSlices(
        {
            0: {GRID_SPACING_MM: 0.7, NEAR: 0.94},
            1: {GRID_SPACING_MM: 0.89, NEAR: 0.8, NEAREST: 0.93},
            2: {GRID_SPACING_MM: 0.7, NEAR: 0.89, NEAREST: 0.8},
        }
    )
    assert confidences(localizer, three_slices) == [0.94, 0.93, 0.7]
    assert localizer.looks[3:] == [
        (section, spacing_mm, SomeSlices.PLACE_MM)
        for section, spacing_mm in ((0, NEAR), (1, NEAR), (2, NEAR), (1, NEAREST), (2, NEAREST))
    ]


def test_closer_up_no_ventricle_is_found_that_a_higher_threshold_refuses(three_slices: T1Map) -> None:
    class Strict(SomeSlices):
        confidence_threshold = 0.95

    localizer = Strict({0: {NEAR: 0.94}, 1: {NEAR: 0.96}, 2: {GRID_SPACING_MM: 0.94}})
    assert confidences(localizer, three_slices) == [0.1, 0.96, 0.94]


def test_where_every_ventricle_is_surely_found_no_slice_is_looked_at_twice(three_slices: T1Map) -> None:
    localizer = SomeSlices({section: {GRID_SPACING_MM: SURE_CONFIDENCE} for section in range(3)})
    localizer.locate(three_slices)
    assert [look[:2] for look in localizer.looks] == [(section, GRID_SPACING_MM) for section in range(3)]

"""The network sees each slice with its septum to the left, and the record says how it was turned."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.model import Model
from ACNetLib.t1map.section import SectionGrid, to_intensity
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL, Ventricle
from conftest import Finder

CPU = DeviceChoice("cpu", "asked for")
TURNS_DEGREES = (40.0, -75.0)


def heart(t1_map: T1Map, section: int) -> NDArray[np.float64]:
    return np.array(t1_map.image.TransformIndexToPhysicalPoint((60, 80, section)))


def found(t1_map: T1Map) -> tuple[Ventricle, ...]:
    rows, columns = np.mgrid[: t1_map.array.shape[1], : t1_map.array.shape[2]]
    radius = np.hypot(rows - 80, columns - 60)
    wall, is_septum = (radius >= 18) & (radius < 24), columns < 50
    labels = np.select([radius < 18, wall & is_septum, wall], [CAVITY_LABEL, SEPTUM_LABEL, MYOCARDIUM_LABEL], 0)
    return tuple(
        Ventricle(section, heart(t1_map, section), 0.9, labels.astype(np.uint8), TURNS_DEGREES[section])
        for section in (0, 1)
    )


def network_log_odds(model: Model, t1_map: T1Map, section: int, turn_degrees: float) -> float:
    grid = SectionGrid.around(t1_map, section, heart(t1_map, section), turn_degrees)
    intensity = torch.from_numpy(to_intensity(grid.crop(t1_map).t1_ms, model.card.intensity))[None, None]
    with torch.inference_mode():
        logits = model.network.eval()(intensity).logits
    return float(logits[0, 1] - logits[0, 0])


def test_each_slice_is_turned_as_its_own_septum_asks_for(a_model: Model, an_oblique_t1_map: T1Map) -> None:
    study = Classifier(a_model, Finder(found(an_oblique_t1_map)), CPU).classify(an_oblique_t1_map)
    assert tuple(section.turn_degrees for section in study.sections) == TURNS_DEGREES
    for section, turn_degrees in zip(study.sections, TURNS_DEGREES, strict=True):
        expected = network_log_odds(a_model, an_oblique_t1_map, section.section, turn_degrees)
        np.testing.assert_allclose(section.network_log_odds[0], expected, atol=1e-4)
        grid = section.grid(an_oblique_t1_map)
        assert grid == SectionGrid.around(
            an_oblique_t1_map, section.section, heart(an_oblique_t1_map, section.section), turn_degrees
        )


def test_a_moved_slice_stays_turned_as_long_as_its_centre_lies_in_the_ventricle(
    a_model: Model, an_oblique_t1_map: T1Map
) -> None:
    classifier = Classifier(a_model, Finder(found(an_oblique_t1_map)), CPU)
    study = classifier.classify(an_oblique_t1_map)
    inside = heart(an_oblique_t1_map, 1) + 5 * an_oblique_t1_map.row_axis
    outside = heart(an_oblique_t1_map, 1) + 45 * an_oblique_t1_map.row_axis
    moved_out = classifier.move_section(study, 1, outside)
    assert classifier.move_section(study, 1, inside).sections[1].turn_degrees == TURNS_DEGREES[1]
    assert moved_out.sections[1].turn_degrees == 0.0
    assert classifier.move_section(moved_out, 1, inside).sections[1].turn_degrees == TURNS_DEGREES[1]

"""The third answer on patients whom no training knows: who gets it, and what the score makes of images that are none.

Who gets it is asked of the whole software. The score alone is asked of images: each slice of a library is changed in
one respect at a time, and its score has to be higher than that of the same patients' slices as they are. It was fitted
on none of these, but its form was chosen with such images in sight.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from ACNetLib.errors import ACNetError
from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNet
from ACNetLib.t1map.section import SectionGrid
from ACNetLib.t1map.t1_map import T1Map

from ..cases.library import LABELS, CaseLibrary
from ..evaluation.metrics import FloatArray, auroc, bootstrap
from ..localization.evaluation import smaller_map
from ..localization.sections import LabelledSection, sections_without_heart
from .answers import answer, maps_of_patients, summary
from .image_shifts import SHIFTS, Shift, as_it_is
from .simulated_crops import MapArray, outside_scores

NO_HEART = "no_heart"
SMALL = 2 / 3
"""Of the size of an adult's heart: a child's, which no model knows."""
LEVELS = 3
"""Slices of a study without a heart."""

Studies = dict[str, MapArray]
"""The crops (slices, 128, 128) in ms of each patient."""


def verdicts(classifier: Classifier, library: CaseLibrary, others: Sequence[CaseLibrary]) -> dict[str, Any]:
    """What the whole software answers the library's patients, by label, the same as if they were children, and those of
    others, by folder."""
    of_labels = {label: replace(library, cases=tuple(c for c in library.cases if c.label == label)) for label in LABELS}
    groups = {**of_labels, **{other.folder.name: other for other in others}}
    studies = {name: maps_of_patients(group) for name, group in groups.items()}
    small = {f"small_{label}": map(_as_children, maps_of_patients(group)) for label, group in of_labels.items()}
    return {
        name: summary([answer(classifier, t1_maps) for t1_maps in of_group])
        for name, of_group in (studies | small).items()
    }


def _as_children(t1_maps: Sequence[T1Map]) -> list[T1Map]:
    return [smaller_map(t1_map, SMALL) for t1_map in t1_maps]


def judge_shifts(model: Model, library: CaseLibrary, seed: int, device: DeviceChoice) -> dict[str, Any]:
    """The outside score by image shift: AUROC of the study's score, shifted studies against the same ones as they are,
    with its interval over patients. Raises ACNetError for a model without a score.
    """
    if not isinstance(model.network, ACNet) or model.network.outside_score is None:
        raise ACNetError(f"model {model.card.name}: it has no outside score; expected one (acnet-train fit-outside).")
    usual = _studies(library, as_it_is, seed)
    shifted = {name: list(_studies(library, shift, seed).values()) for name, shift in SHIFTS.items()}
    field = library.cases[0].field_strength_tesla
    shifted[NO_HEART] = _without_heart(sections_without_heart(LEVELS * len(usual), field, seed))

    def scores(studies: Iterable[MapArray]) -> FloatArray:
        return np.array([np.mean(outside_scores(model, crops, device)) for crops in studies])

    as_they_are = scores(usual.values())
    return {name: shift_values(as_they_are, scores(each), name in SHIFTS) for name, each in shifted.items()}


def _studies(library: CaseLibrary, shift: Shift, seed: int) -> Studies:
    crops: dict[str, list[MapArray]] = {}
    for index, case in enumerate(library.cases):
        t1_map = library.t1_map(case)
        grid = library.grid(case, t1_map)
        crops.setdefault(case.patient, []).append(shift(t1_map, grid, np.random.default_rng([seed, index])))
    return {patient: np.stack(slices) for patient, slices in crops.items()}


def _without_heart(sections: Sequence[LabelledSection]) -> list[MapArray]:
    """Around the image's centre, near which hearts lie."""
    maps = [section.t1_map for section in sections]
    crops = [SectionGrid.around(each, 0, tuple(each.section_center(0).tolist())).crop(each).t1_ms for each in maps]
    return [np.stack(crops[start : start + LEVELS]) for start in range(0, len(crops), LEVELS)]


def shift_values(usual: FloatArray, shifted: FloatArray, same_patients: bool) -> dict[str, Any]:
    """The AUROC of patients' scores (n,) with the change against those as they are, with its interval.

    same_patients: whether a row of either is the same patient's, who is drawn into a resample with both or not.
    """
    if not same_patients:
        is_shifted = np.repeat([False, True], [len(usual), len(shifted)])
        return {"auroc": asdict(bootstrap(auroc, np.concatenate([usual, shifted]), is_shifted).rounded())}

    def shifted_above_usual(pairs: FloatArray, _: object) -> float:
        return auroc(pairs.T.ravel(), np.repeat([False, True], len(pairs)))

    pairs = np.stack([usual, shifted], axis=1)
    return {"auroc": asdict(bootstrap(shifted_above_usual, pairs, np.zeros(len(pairs), bool)).rounded())}

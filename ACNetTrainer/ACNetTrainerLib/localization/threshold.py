"""From which confidence on the localizer's ventricle counts as found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from ACNetLib.networks.localizer import Localizer, localizer_grid
from ACNetLib.ventricle.labels import Ventricle, center_of_labels

from .evaluation import ACCEPTED_CENTER_ERROR_MM
from .sections import THROUGH_HEART_MM, LabelledSection, cut_by_edge

ACCEPTED_SHARE = 0.99
LOWEST_THRESHOLD = 0.3
NEVER_FOUND = 0.99
"""The threshold of a localizer that finds no ventricle."""
CUT_SHARE = 0.05
"""So often a slice with a heart counts as cut by an edge as well: about as often as a clinic sees it."""


def confidence_threshold(localizer: Localizer, kinds: Iterable[tuple[Sequence[LabelledSection], float]]) -> float:
    """The lowest confidence from which on 99 % of the ventricles are found to 10 mm, among hearts whole and cut and
    slices without a heart.

    kinds: slices of a kind, and how much they count for together beside the others.
    """
    confidences, found, weights = list[float](), list[bool](), list[float]()
    for sections, share in kinds:
        for index, section in enumerate(sections):
            tried = [(section, 1.0)]
            if section.center_mm is not None:
                rng = np.random.default_rng([0, index])
                cut = cut_by_edge(section, rng.uniform(0, 2 * np.pi), rng.uniform(*THROUGH_HEART_MM))
                tried.append((cut, CUT_SHARE))
            for seen, weight in tried:
                (ventricle,) = localizer.look(seen.t1_map, [localizer_grid(seen.t1_map, 0)])
                confidences.append(ventricle.confidence)
                found.append(is_found(ventricle, section))
                weights.append(weight * share / len(sections))
    return threshold_for_share(confidences, found, weights)


def is_found(ventricle: Ventricle, section: LabelledSection) -> bool:
    """By the middle of its outline, as the localizer tells it: a wall that is thick on one side moves it from the
    cavity's."""
    if section.center_mm is None:
        return False
    center_mm = center_of_labels(section.labels, section.t1_map, 0)
    return float(np.linalg.norm(ventricle.center_mm - center_mm)) <= ACCEPTED_CENTER_ERROR_MM


def threshold_for_share(confidences: ArrayLike, found: ArrayLike, weights: ArrayLike) -> float:
    """The lowest threshold at which ACCEPTED_SHARE of what is accepted is found, and at least LOWEST_THRESHOLD."""
    confidences, found, weights = np.asarray(confidences), np.asarray(found, float), np.asarray(weights, float)
    order = np.argsort(-confidences, kind="stable")
    share = np.cumsum((found * weights)[order]) / np.cumsum(weights[order])
    enough = np.flatnonzero(share >= ACCEPTED_SHARE)
    if enough.size == 0:
        return NEVER_FOUND
    return float(np.clip(confidences[order[enough[-1]]], LOWEST_THRESHOLD, NEVER_FOUND))

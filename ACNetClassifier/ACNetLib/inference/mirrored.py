"""A map whose file does not tell how it lies in the body may be stored as its mirror image, and no heart is the mirror
image of another: its slices are seen both ways, so that the order of rows and columns has no say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ACNetLib.inference.pooling import Pooling
from ACNetLib.inference.probability import sigmoid
from ACNetLib.inference.sections import ClassifiedSection
from ACNetLib.inference.verdict import verdict
from ACNetLib.t1map.section import anatomical_axes
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import Ventricle

MAYBE_MIRRORED = (
    "Its file does not tell whether its slices are mirror images: each was classified both ways, and the "
    "probability is that of the mean. With the geometry in the file it may differ."
)


def mirrored(t1_map: T1Map) -> T1Map:
    """The same pixels with the row axis reversed in space."""
    image = sitk.Image(t1_map.image)
    image.SetDirection((_mirror(t1_map) @ np.reshape(image.GetDirection(), (3, 3))).ravel().tolist())
    return replace(t1_map, image=image)


def mirrored_ventricle(ventricle: Ventricle, t1_map: T1Map) -> Ventricle:
    """A ventricle of the map where it lies on `mirrored`."""
    mirror, origin = _mirror(t1_map), np.array(t1_map.image.GetOrigin())
    row, column = anatomical_axes(t1_map.normal)
    turn = math.radians(ventricle.turn_degrees)
    to_lateral = mirror @ (math.cos(turn) * row + math.sin(turn) * column)
    return replace(
        ventricle,
        center_mm=origin + mirror @ (ventricle.center_mm - origin),
        turn_degrees=math.degrees(math.atan2(float(to_lateral @ column), float(to_lateral @ row))),
    )


def mean_of_both(one: ClassifiedSection, other: ClassifiedSection, pooling: Pooling) -> ClassifiedSection:
    """The first with what the network says of both: log odds, evidence and its score of being unlike the training."""
    network_log_odds = _means(one.record.network_log_odds, other.record.network_log_odds)
    log_odds = pooling.log_odds(network_log_odds[:1])
    probability = sigmoid(log_odds)
    record = replace(
        one.record,
        network_log_odds=network_log_odds,
        log_odds_dcm=log_odds,
        probability_dcm=probability,
        verdict=verdict(probability, pooling.uncertain_range),
        outside_score=fmean((one.record.outside_score, other.record.outside_score)),
    )
    evidence = np.float32(0.5) * (one.images.evidence + other.images.evidence)
    return ClassifiedSection(record, replace(one.images, evidence=evidence))


def _mirror(t1_map: T1Map) -> NDArray[np.float64]:
    """(3, 3)."""
    return np.eye(3) - 2 * np.outer(t1_map.row_axis, t1_map.row_axis)


def _means(first: Sequence[float], second: Sequence[float]) -> tuple[float, ...]:
    return tuple(fmean(pair) for pair in zip(first, second, strict=True))

"""Sections simulated on the spot, cropped as a case library's are, and a network's log odds of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.model import Model
from ACNetLib.t1map.section import SectionGrid, to_intensity
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import septum_turn_degrees

from ..simulation.cohort import placed_map
from ..simulation.patient import Patient
from ..simulation.section import LEVEL_NAMES, SimulatedSection, simulate_section

MapArray = NDArray[np.float32]


def crop_around_truth(section: SimulatedSection, t1_ms: MapArray | None = None) -> MapArray:
    """The section's map, or another map of its plane, around the true LV centre, (128, 128) in ms.

    Its septum lies to the left. Unlike a map from a file it is not checked: that it is a poor map may be the point.
    """
    patient = section.patient
    placed = placed_map(section.t1_ms if t1_ms is None else t1_ms, patient, section.level)
    center_mm = placed.TransformContinuousIndexToPhysicalPoint((*section.truth.lv_center.tolist(), 0.0))
    image = sitk.Cast(placed, sitk.sitkFloat32)
    t1_map = T1Map(image, f"{patient.name}-{section.level}", patient.field_strength_tesla, simulated=True)
    turn_degrees = septum_turn_degrees(section.truth.labels, t1_map) or 0.0
    return SectionGrid.around(t1_map, 0, center_mm, turn_degrees).crop(t1_map).t1_ms


def patient_crops(patient: Patient) -> MapArray:
    """The patient's slices, each around the true LV centre, (3, 128, 128) in ms."""
    with threadpool_limits(1):
        return np.stack([crop_around_truth(simulate_section(patient, level)) for level in LEVEL_NAMES])


def log_odds_dcm(model: Model, crops_ms: MapArray, device: DeviceChoice) -> NDArray[np.float64]:
    """Uncalibrated log odds (N,) of crops (N, 128, 128) in ms."""
    logits = network_output(model, crops_ms, device).logits.double().cpu().numpy()
    return logits[:, 1] - logits[:, 0]


def outside_scores(model: Model, crops_ms: MapArray, device: DeviceChoice) -> list[float]:
    """How unlike the training's hearts each crop (N, 128, 128) in ms is to a network with such a score."""
    scores: list[float] = network_output(model, crops_ms, device).outside.double().cpu().tolist()
    return scores


def network_output(model: Model, crops_ms: MapArray, device: DeviceChoice) -> Any:
    """What the network says of crops (N, 128, 128) in ms, all in one batch."""
    network = model.network.to(device.device).eval()
    with torch.inference_mode():
        return network(torch.from_numpy(to_intensity(crops_ms, model.card.intensity))[:, None].to(device.device))

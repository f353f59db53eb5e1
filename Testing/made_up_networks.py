"""Networks whose answer a test decides, and classifiers with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from ACNetLib.inference.classifier import Classifier
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.record import SectionRecord
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNetOutput
from ACNetLib.t1map.section import SectionGrid
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import CAVITY_LABEL, MYOCARDIUM_LABEL, SEPTUM_LABEL, Ventricle
from conftest import Finder

CPU = DeviceChoice("cpu", "asked for")

Network = TypeVar("Network", bound=nn.Module)


class StandIn(nn.Module):
    """A network whose answer is a function of the sections (B, 1, 128, 128): log odds (B,) and masks (B, C, 32, 32)."""

    def __init__(self, answer: Callable[[Tensor], tuple[Tensor, Tensor]]) -> None:
        super().__init__()
        self._answer = answer

    def forward(self, x: Tensor) -> ACNetOutput:
        log_odds, mask = self._answer(x)
        evidence = (log_odds / 32**2)[:, None, None].expand(-1, 32, 32)
        return ACNetOutput(torch.stack([torch.zeros_like(log_odds), log_odds], dim=1), (mask, mask), evidence)


def normalized(network: Network, x: Tensor) -> Network:
    """In evaluation mode, after its normalization has seen a batch."""
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0
    with torch.no_grad():
        network.train()(x)
    return network.eval()


def a_classifier(
    model: Model,
    answer: Callable[[Tensor], tuple[Tensor, Tensor]] | None = None,
    finder: Finder | None = None,
    **card: Any,
) -> Classifier:
    network: Any = model.network if answer is None else StandIn(answer)
    return Classifier(Model(network, replace(model.card, **card)), finder or Finder(), CPU)


def flat(value: float, log_odds: float = 0.0) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    return lambda x: (torch.full((len(x),), log_odds), torch.full((len(x), 4, 32, 32), value))


def grid_of(section: SectionRecord, t1_map: T1Map) -> SectionGrid:
    return SectionGrid.around(t1_map, section.section, section.center_lps_mm)


def sigmoid(value: float) -> float:
    return float(1 / (1 + np.exp(-value)))


def heart_of(t1_map: T1Map, section: int = 0) -> np.ndarray:
    """Where conftest's oblique map has its bright heart, LPS mm."""
    return np.array(t1_map.image.TransformIndexToPhysicalPoint((60, 80, section)))


def found_by_localizer(t1_map: T1Map, section: int, confidence: float) -> Ventricle:
    """Conftest's bright heart as cavity, a ring around it as wall, its part towards lower columns as septum."""
    rows, columns = np.mgrid[:150, :170]
    radius = np.hypot(rows - 80, columns - 60)
    labels = np.select(
        [radius < 20, (radius < 27) & (columns < 45), radius < 27], [CAVITY_LABEL, SEPTUM_LABEL, MYOCARDIUM_LABEL], 0
    )
    return Ventricle(section, heart_of(t1_map, section), confidence, labels.astype(np.uint8))


class WatchedFinder(Finder):
    """Remembers the maps that it was shown."""

    def locate(self, t1_map: T1Map, sections: Sequence[int] | None = None) -> tuple[Ventricle, ...]:
        self.shown = t1_map
        return super().locate(t1_map, sections)


def finder_of_the_heart(t1_map: T1Map, confidences: tuple[float, float] = (0.9, 0.9)) -> WatchedFinder:
    return WatchedFinder(tuple(found_by_localizer(t1_map, section, confidences[section]) for section in (0, 1)))


NORMAL_MS = (990.0, 30.0)
"""What the model of these tests has learned to be normal."""

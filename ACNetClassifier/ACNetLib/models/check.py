"""Whether a model file works: read in full, then its network run once on a section that is always the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ACNetLib.errors import ACNetError
from ACNetLib.models.card import ModelCard, read_card
from ACNetLib.models.header import CLASSIFIER, LOCALIZER, read_card_values
from ACNetLib.models.model import load_model
from ACNetLib.networks.localizer import LocalizerCard, load_localizer, read_localizer_card
from ACNetLib.t1map.section import IntensityScaling, to_intensity

CAVITY_RADIUS_MM, WALL_RADIUS_MM = 24.0, 33.0
BLOOD_MS, MYOCARDIUM_MS, AROUND_MS = 1600.0, 1000.0, 600.0


def check_model(path: Path) -> ModelCard | LocalizerCard:
    """The card of a classifier or localizer that works. Raises ACNetError with the reason for one that does not."""
    card: ModelCard | LocalizerCard
    if _kind(path) == CLASSIFIER:
        model = load_model(path)
        card = model.card
        with torch.inference_mode():
            logits = model.network(_section(card.section_size, card.section_spacing_mm, card.intensity)).logits
    else:
        localizer = load_localizer(path)
        card = localizer.card
        with torch.inference_mode():
            logits = localizer.network(_section(card.grid_size, card.grid_spacing_mm, card.intensity))
    if not torch.isfinite(logits).all():
        raise ACNetError(f"{path.name}: on a trial slice its network gives no numbers; train the model again.")
    return card


def read_any_card(path: Path) -> ModelCard | LocalizerCard:
    """The card of a classifier or localizer, without reading the weights. Raises ACNetError like `check_model`."""
    return read_card(path) if _kind(path) == CLASSIFIER else read_localizer_card(path)


def _kind(path: Path) -> str:
    kind = read_card_values(path).get("kind")
    if kind not in (CLASSIFIER, LOCALIZER):
        raise ACNetError(f"{path.name}: it holds a network of kind {kind!r}; expected a {CLASSIFIER} or {LOCALIZER}.")
    return kind


def _section(size: int, spacing_mm: float, intensity: IntensityScaling) -> Tensor:
    """(1, 1, size, size) intensities of a ring of myocardium around blood."""
    radius_mm = spacing_mm * np.hypot(*(np.mgrid[:size, :size] - (size - 1) / 2))
    t1_ms = np.select([radius_mm < CAVITY_RADIUS_MM, radius_mm < WALL_RADIUS_MM], [BLOOD_MS, MYOCARDIUM_MS], AROUND_MS)
    return torch.from_numpy(to_intensity(t1_ms, intensity))[None, None]

"""The network that finds the left ventricle on a whole T1-map section, and its file.

Bottom-up top-down from ACNet's blocks, at 2 mm or closer: its classes are background, non-septal wall, cavity and
septum, so the same network gives the centre of the crop and the regions for T1, whichever way the section is turned or
mirrored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, distance_transform_edt, label, map_coordinates
from torch import Tensor, nn
from torch.nn import functional as F

from ACNetLib.errors import ACNetError
from ACNetLib.inference.device import DeviceChoice, infer
from ACNetLib.models.card import INTENDED_USE
from ACNetLib.models.header import (
    FORMAT_VERSION,
    LOCALIZER,
    CardValues,
    check_card_fields,
    check_field_values,
    read_card_values,
)
from ACNetLib.models.weights import load_weights, read_weights, write_weights
from ACNetLib.networks.acnet import MAXIMUM_INTENSITY, ResidualUnit, convolution_unit, preactivated_convolution
from ACNetLib.t1map.section import IntensityScaling, SectionGrid, to_intensity
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.endocardium import LEAST_WALL_MM, with_visible_cavity
from ACNetLib.ventricle.labels import (
    CAVITY_LABEL,
    LabelArray,
    Ventricle,
    center_of_labels,
    is_myocardium,
    septum_turn_degrees,
)

GRID_SIZE, GRID_SPACING_MM = 192, 2.0
"""Wide enough for a whole section: 384 mm."""
CLOSER_SPACINGS_MM = (4 / 3, 1.0)
"""A slice whose ventricle is not surely found is looked at again, closer: a small one, an apex or a child's, then has
the size that the network knows."""
SURE_CONFIDENCE = 0.9
"""From here on a ventricle is surely found, and needs no closer look; what is found closer up must be as sure: there,
other organs look more like a ventricle, too. Chosen on bodies without a heart other than those measured, and on smaller
hearts."""
CLASSES = 4
"""Background and the labels of ACNetLib.ventricle.labels."""
OUTSIDE_SHARE = 0.35
"""From this probability of the background on, a pixel is none of the wall's: with that of the likeliest class the outer
edge lay 0.3 to 0.6 mm too far out, at home and abroad."""
RAYS = 64
BATCH_SIZE = 8


class LocalizerNetwork(nn.Module):
    """(B, 1, 192, 192) intensities in [0, 255] -> (B, 4, 192, 192) logits.

    Four strides bring 192 x 192 to the 12 x 12 at which each position sees the whole heart; on the way up a residual
    unit stands on every skip connection, as in ACNet's mask branch. The last step up, from 4 mm to 2 mm, is a pixel
    shuffle: units at full size would cost more than all the others.
    """

    WIDTHS = (32, 64, 128, 128)

    def __init__(self) -> None:
        super().__init__()
        pairs = list(zip(self.WIDTHS, self.WIDTHS[1:], strict=False))
        self.stem = nn.Sequential(
            convolution_unit("batch", 1, self.WIDTHS[0], stride=2), ResidualUnit(self.WIDTHS[0], "batch")
        )
        self.down = nn.ModuleList(
            nn.Sequential(
                convolution_unit("batch", narrow, wide, stride=2),
                ResidualUnit(wide, "batch"),
                ResidualUnit(wide, "batch"),
            )
            for narrow, wide in pairs
        )
        self.skip = nn.ModuleList(ResidualUnit(narrow, "batch") for narrow, _ in pairs)
        self.narrow = nn.ModuleList(preactivated_convolution("batch", wide, narrow, 1) for narrow, wide in pairs)
        self.up = nn.ModuleList(ResidualUnit(narrow, "batch") for narrow, _ in pairs)
        self.head = nn.Sequential(preactivated_convolution("batch", self.WIDTHS[0], 4 * CLASSES, 3), nn.PixelShuffle(2))

    def forward(self, x: Tensor) -> Tensor:
        levels = [self.stem(x / MAXIMUM_INTENSITY)]
        for down in self.down:
            levels.append(down(levels[-1]))
        up = levels.pop()
        for level, skip, narrow, unit in zip(
            reversed(levels), reversed(self.skip), reversed(self.narrow), reversed(self.up), strict=True
        ):
            up = F.interpolate(narrow(up), size=level.shape[-2:], mode="bilinear", align_corners=False)
            up = unit(up + skip(level))
        return self.head(up)


@dataclass(frozen=True)
class LocalizerCard:
    """What must travel with the localizer's weights.

    confidence_threshold: below it a section's ventricle counts as not found at the first look. training, metrics: for
    people to read.
    """

    name: str
    simulated: bool
    confidence_threshold: float
    field_strengths_tesla: tuple[float, ...]
    intensity: IntensityScaling = field(default_factory=IntensityScaling)
    grid_size: int = GRID_SIZE
    grid_spacing_mm: float = GRID_SPACING_MM
    training: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    licence: str = "Apache-2.0"
    intended_use: str = INTENDED_USE
    weights_sha256: str = ""
    kind: str = LOCALIZER
    format_version: int = FORMAT_VERSION


@dataclass(frozen=True)
class LocalizerModel:
    """A localizer's network in evaluation mode and its card."""

    network: LocalizerNetwork
    card: LocalizerCard


def save_localizer(model: LocalizerModel, path: Path) -> None:
    """Write the file in one piece. The same weights and card always give the same bytes."""
    write_weights(model.network, asdict(model.card), path)


def load_localizer(path: Path) -> LocalizerModel:
    """Read and check a localizer's file. Raises ACNetError when it is none of ours, damaged or of another network."""
    values, tensors = read_weights(path)
    card = _card(values, Path(path).name)
    network = LocalizerNetwork()
    load_weights(network, tensors, card.weights_sha256, Path(path).name)
    return LocalizerModel(network.eval(), card)


def read_localizer_card(path: Path) -> LocalizerCard:
    """The card alone, without reading the weights. Raises ACNetError like `load_localizer`."""
    return _card(read_card_values(path), Path(path).name)


def _card(values: CardValues, name: str) -> LocalizerCard:
    check_card_fields(values, LOCALIZER, (item.name for item in fields(LocalizerCard)), name)
    try:
        values["intensity"] = IntensityScaling(**values["intensity"])
        values["field_strengths_tesla"] = tuple(values["field_strengths_tesla"])
        card = LocalizerCard(**values)
        problems = {
            "confidence_threshold": not 0 < card.confidence_threshold < 1,
            "field_strengths_tesla": not _are_field_strengths(card.field_strengths_tesla),
            "grid_size": card.grid_size != GRID_SIZE,
            "grid_spacing_mm": card.grid_spacing_mm != GRID_SPACING_MM,
        }
    except (AttributeError, TypeError) as error:
        raise ACNetError(
            f"{name}: a field of its model card has the wrong type ({error}). Copy the file again."
        ) from error
    check_field_values(card, problems, name)
    return card


def _are_field_strengths(values: tuple[float, ...]) -> bool:
    return bool(values) and all(0 < value < math.inf for value in values)


class Localizer:
    """A localizer on a device, ready to find ventricles."""

    def __init__(self, model: LocalizerModel, device: DeviceChoice) -> None:
        self._network = model.network.eval()
        self._card = model.card
        self._device = device

    @property
    def name(self) -> str:
        return self._card.name

    @property
    def confidence_threshold(self) -> float:
        return self._card.confidence_threshold

    def locate(self, t1_map: T1Map, sections: Sequence[int] | None = None) -> tuple[Ventricle, ...]:
        """The ventricle of every section of the map, or of these, found or not: its confidence says which."""
        sections = range(t1_map.section_count) if sections is None else sections
        first = self.look(t1_map, [localizer_grid(t1_map, section) for section in sections])
        ventricles = {each.section: each for each in first}
        sure = max(SURE_CONFIDENCE, self.confidence_threshold)
        for spacing_mm in CLOSER_SPACINGS_MM:
            unsure = [each for each in ventricles.values() if each.confidence < sure]
            closer = self.look(t1_map, [self._closer_grid(t1_map, each, spacing_mm) for each in unsure])
            ventricles |= {each.section: each for each in closer if each.confidence >= sure}
        return tuple(ventricles[section] for section in sections)

    def look(self, t1_map: T1Map, grids: Sequence[SectionGrid]) -> tuple[Ventricle, ...]:
        """The ventricle on each of these grids of the map, of 192 x 192 pixels."""
        probabilities = (
            classes
            for start in range(0, len(grids), BATCH_SIZE)
            for classes in self._run(np.stack([grid.crop(t1_map).t1_ms for grid in grids[start : start + BATCH_SIZE]]))
        )
        return tuple(
            find_ventricle(grid.restore(classes, t1_map), t1_map, grid.section)
            for grid, classes in zip(grids, probabilities, strict=True)
        )

    def _closer_grid(self, t1_map: T1Map, ventricle: Ventricle, spacing_mm: float) -> SectionGrid:
        """Around the ventricle where it counts as found, else around the section's middle."""
        grid = localizer_grid(t1_map, ventricle.section, spacing_mm)
        found = ventricle.confidence >= self.confidence_threshold
        return replace(grid, center_mm=tuple(ventricle.center_mm.tolist())) if found else grid

    def _run(self, t1_ms: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities (S, 4, 192, 192) of sections (S, 192, 192) in ms."""
        intensity = torch.from_numpy(to_intensity(t1_ms, self._card.intensity))[:, None]
        logits, self._device = infer(self._network, intensity, self._device, half=True)
        return logits.float().softmax(dim=1).cpu().numpy()


def localizer_grid(t1_map: T1Map, section: int, spacing_mm: float = GRID_SPACING_MM) -> SectionGrid:
    """The whole section at 2 mm, or its middle at less."""
    grid = SectionGrid.around(t1_map, section, t1_map.section_center(section))
    return replace(grid, spacing_mm=spacing_mm, size=GRID_SIZE)


def find_ventricle(probabilities: NDArray[np.float32], t1_map: T1Map, section: int) -> Ventricle:
    """The largest connected ventricle of class probabilities (4, rows, columns) on the map's grid, with the edge of its
    cavity where the map shows it.

    Its confidence is the mean probability of its pixels being what they are likeliest, times the share of directions in
    which the cavity is closed by myocardium: a ventricle that the image's edge cuts is open. 0 where there is none.
    """
    labels = probabilities.argmax(axis=0).astype(np.uint8)
    labels = _largest_part(labels)
    if not (labels == CAVITY_LABEL).any():
        return Ventricle(section, t1_map.section_center(section), confidence=0.0)
    sure = np.take_along_axis(probabilities, labels[np.newaxis].astype(np.intp), axis=0)[0][labels != 0].mean()
    column_mm, row_mm, _ = t1_map.image.GetSpacing()
    confidence = float(sure) * closed_fraction(labels, (row_mm, column_mm))
    labels = _within_outer_edge(labels, probabilities[0], (row_mm, column_mm))
    labels = with_visible_cavity(t1_map.array[section], labels, (row_mm, column_mm))
    center_mm, turn_degrees = center_of_labels(labels, t1_map, section), septum_turn_degrees(labels, t1_map) or 0.0
    return Ventricle(section, center_mm, confidence, labels, turn_degrees)


def closed_fraction(labels: LabelArray, spacing_mm: tuple[float, float]) -> float:
    """In which share of directions from the cavity's centre myocardium lies beyond the cavity. spacing_mm: of rows, of
    columns."""
    center = [index.mean() for index in np.nonzero(labels == CAVITY_LABEL)]
    angles = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
    steps = np.arange(0.0, float(np.hypot(*labels.shape)), 0.5)
    row_mm, column_mm = (each / min(spacing_mm) for each in spacing_mm)
    rows = center[0] + np.outer(np.sin(angles) / row_mm, steps)
    columns = center[1] + np.outer(np.cos(angles) / column_mm, steps)
    wall = is_myocardium(labels).astype(np.uint8)
    return float(map_coordinates(wall, [rows, columns], order=0, mode="constant").any(axis=1).mean())


def _within_outer_edge(
    labels: LabelArray, background: NDArray[np.float32], spacing_mm: tuple[float, float]
) -> LabelArray:
    """Without the wall's outermost pixels that may well be background. Of a thin wall LEAST_WALL_MM stay, and a pixel.

    background: its probability, of each pixel. spacing_mm: of rows, of columns.
    """
    from_cavity_mm = distance_transform_edt(labels != CAVITY_LABEL, sampling=spacing_mm)
    outside = (background >= OUTSIDE_SHARE) & (from_cavity_mm > max(LEAST_WALL_MM, *spacing_mm))
    return _largest_part(np.where(outside, 0, labels).astype(np.uint8))


def _largest_part(labels: LabelArray) -> LabelArray:
    parts, count = label(labels != 0)
    if count == 0:
        return labels
    sizes = np.bincount(parts.ravel())[1:]
    return np.where(binary_fill_holes(parts == 1 + int(sizes.argmax())) & (labels != 0), labels, 0).astype(np.uint8)

"""Cases as a torch data set whose every sample is a function of (seed, epoch, case, draw) and of nothing else."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import torch
from numpy.typing import NDArray
from torch import Tensor

from ACNetLib.errors import ACNetError
from ACNetLib.t1map.section import IntensityScaling, SectionGrid, to_intensity
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.labels import is_myocardium

from ..cases.library import Case, CaseLibrary
from .augmentation import random_grid, vary_t1
from .recipe import Augmentation

SampleKey = tuple[int, int, int]
"""Epoch, index of a case, and draw: how often the epoch has drawn that case before, to balance the classes."""


@dataclass(frozen=True)
class RandomChanges:
    """What differs between the draws of a training section; the draws follow from the seed."""

    largest: Augmentation
    seed: int


class CaseDataset:
    """Sections (1, 128, 128) in [0, 255] and their class, 0 normal or 1 DCM. The T1 maps are kept in memory.

    Without `changes` the epoch does not matter. with_walls: each sample has a third part, (128, 128): 1 on the
    myocardium, 0 elsewhere, NaN where the library has no masks of the case. Raises ACNetError for a T1 map that can't
    be read, that holds more than one section or that the case's centre lies outside of, and for masks that can't be
    read.
    """

    def __init__(
        self,
        library: CaseLibrary,
        cases: Sequence[Case],
        intensity: IntensityScaling,
        changes: RandomChanges | None = None,
        with_walls: bool = False,
    ) -> None:
        self.cases = tuple(cases)
        self._maps: list[T1Map] = [section_of_case(library, case) for case in self.cases]
        self._grids = [library.grid(case, t1_map) for case, t1_map in zip(self.cases, self._maps, strict=True)]
        self._masks = [library.masks(case) for case in self.cases] if with_walls else None
        self._intensity = intensity
        self._changes = changes
        self._t1_factor = 1.0

    @property
    def sections_with_walls(self) -> int:
        return sum(masks is not None for masks in self._masks or ())

    def as_inference_sees_them(self, every: int) -> CaseDataset:
        """One in so many of the cases, without augmentation and walls; their T1 maps are not read again."""
        other = copy.copy(self)
        other.cases, other._maps, other._grids = self.cases[::every], self._maps[::every], self._grids[::every]
        other._changes = other._masks = None
        return other

    def with_t1_times(self, factor: float) -> CaseDataset:
        """The same cases as from a site where all T1 is so many times as long; their T1 maps are not read again."""
        other = copy.copy(self)
        other._t1_factor = factor
        return other

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, key: SampleKey) -> tuple[Tensor, ...]:
        epoch, index, draw = key
        case, t1_map, grid = self.cases[index], self._maps[index], self._grids[index]
        if self._changes is None:
            t1_ms = grid.filled(t1_map)
        else:
            rng = np.random.default_rng([self._changes.seed, epoch, index, draw])
            grid = random_grid(grid, self._changes.largest, rng)
            t1_ms = vary_t1(grid.filled(t1_map), self._changes.largest, rng)
        section = torch.from_numpy(to_intensity(self._t1_factor * t1_ms, self._intensity))[None]
        label = torch.tensor(int(case.is_dcm))
        return (section, label) if self._masks is None else (section, label, _wall(self._masks[index], grid))


def section_of_case(library: CaseLibrary, case: Case) -> T1Map:
    """A case's T1 map. Raises ACNetError for one that can't be read, or that the case's centre lies outside of."""
    t1_map = library.t1_map(case)
    index = t1_map.image.TransformPhysicalPointToIndex(t1_map.project(case.center_mm, 0).tolist())
    if not all(0 <= position < size for position, size in zip(index, t1_map.image.GetSize(), strict=True)):
        raise ACNetError(
            f"{library.folder}: the centre of case '{case.case}' lies outside its map '{case.file}'; "
            "expected the LV centre in LPS mm."
        )
    return t1_map


def _wall(masks: sitk.Image | None, grid: SectionGrid) -> Tensor:
    if masks is None:
        return torch.full((grid.size, grid.size), torch.nan)
    return torch.from_numpy(is_myocardium(grid.sample(masks)).astype(np.float32))


class EpochSampler:
    """The cases of each epoch in an order that follows from (seed, epoch).

    As many samples as cases, or `fewest`: a small library is then drawn again and again, each draw with randomness of
    its own. balanced: half of the samples are of each class.
    """

    def __init__(self, is_dcm: Sequence[bool] | NDArray[np.bool_], seed: int, balanced: bool, fewest: int = 0) -> None:
        self._is_dcm = np.asarray(is_dcm)
        self._seed = seed
        self._balanced = balanced
        self._samples = max(len(self._is_dcm), fewest)

    def __len__(self) -> int:
        return self._samples

    def keys(self, epoch: int) -> list[SampleKey]:
        rng = np.random.default_rng([self._seed, epoch])
        order = rng.permutation(len(self._is_dcm))
        if self._balanced:
            halves = [
                np.resize(order[self._is_dcm[order] == is_dcm], count)
                for is_dcm, count in ((False, (self._samples + 1) // 2), (True, self._samples // 2))
            ]
            order = rng.permutation(np.concatenate(halves))
        elif self._samples > len(order):
            order = rng.permutation(np.resize(order, self._samples))
        drawn = Counter[int]()
        keys: list[SampleKey] = []
        for index in order.tolist():
            keys.append((epoch, index, drawn[index]))
            drawn[index] += 1
        return keys

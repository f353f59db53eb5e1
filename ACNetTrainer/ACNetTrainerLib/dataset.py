"""Cases as a torch data set whose every sample is a function of (seed, epoch, case) and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from ACNetLib.errors import ACNetError
from ACNetLib.section import IntensityScaling, SectionGrid, to_intensity
from ACNetLib.t1map import T1Map, read_t1_map

from .augmentation import add_noise, random_grid
from .cases import Case, CaseLibrary
from .recipe import Augmentation

SampleKey = tuple[int, int]
"""Epoch and index of a case."""


class CaseDataset(Dataset[tuple[Tensor, int]]):
    """Sections (1, 128, 128) in [0, 255] and their class, 0 normal or 1 DCM. The T1 maps are kept in memory.

    Without `augmentation` the epoch does not matter. Raises ACNetError for a T1 map that can't be read, that holds
    more than one section or that the case's centre lies outside of.
    """

    def __init__(
        self,
        library: CaseLibrary,
        cases: Sequence[Case],
        intensity: IntensityScaling,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        self.cases = tuple(cases)
        self._maps: list[T1Map] = [_read_section(library, case) for case in self.cases]
        self._intensity = intensity
        self._augmentation = augmentation
        self._seed = seed

    def __len__(self) -> int:
        return len(self.cases)

    def __getitem__(self, key: SampleKey) -> tuple[Tensor, int]:
        epoch, index = key
        case, t1_map = self.cases[index], self._maps[index]
        grid = SectionGrid.around(t1_map, 0, case.center_mm)
        if self._augmentation is None:
            t1_ms = grid.crop(t1_map).t1_ms
        else:
            rng = np.random.default_rng([self._seed, epoch, index])
            t1_ms = random_grid(grid, self._augmentation, rng).crop(t1_map).t1_ms
            t1_ms = add_noise(t1_ms, self._augmentation, rng)
        return torch.from_numpy(to_intensity(t1_ms, self._intensity))[None], int(case.is_dcm)


def _read_section(library: CaseLibrary, case: Case) -> T1Map:
    t1_map = read_t1_map(library.path(case))
    if t1_map.section_count != 1:
        raise ACNetError(
            f"{library.path(case)}: found {t1_map.section_count} sections; expected one. "
            "Give each section a file and a row of its own."
        )
    index = t1_map.image.TransformPhysicalPointToIndex(t1_map.project(case.center_mm, 0).tolist())
    if not all(0 <= position < size for position, size in zip(index, t1_map.image.GetSize(), strict=True)):
        raise ACNetError(
            f"{library.folder}: the centre of case '{case.case}' lies outside its map '{case.file}'; "
            "expected the LV centre in LPS mm."
        )
    return t1_map


class EpochSampler(Sampler[SampleKey]):
    """The cases of each epoch in an order that follows from (seed, epoch).

    balanced: as many samples as cases, half of them of each class; the smaller class is drawn again and again.
    """

    def __init__(self, is_dcm: Sequence[bool] | NDArray[np.bool_], seed: int, balanced: bool) -> None:
        self._is_dcm = np.asarray(is_dcm)
        self._seed = seed
        self._balanced = balanced
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._is_dcm)

    def __iter__(self) -> Iterator[SampleKey]:
        rng = np.random.default_rng([self._seed, self._epoch])
        order = rng.permutation(len(self._is_dcm))
        if self._balanced:
            halves = [
                np.resize(order[self._is_dcm[order] == is_dcm], count)
                for is_dcm, count in ((False, (len(order) + 1) // 2), (True, len(order) // 2))
            ]
            order = rng.permutation(np.concatenate(halves))
        return iter([(self._epoch, int(index)) for index in order])


class InOrder(Sampler[SampleKey]):
    """Every case once, in its order: for validation and evaluation."""

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[SampleKey]:
        return iter([(0, index) for index in range(self._count)])

"""The batches of a data set: of an epoch of training, or every sample once for validation and evaluation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import torch
from torch import Tensor

from .dataset import EpochSampler, SampleKey

EVALUATION_BATCH_SIZE = 64
Batch = tuple[Tensor, ...]
"""The parts of so many samples, each stacked: sections (B, 1, 128, 128), their classes (B,), and so on."""


class Samples(Protocol):
    """A data set."""

    def __len__(self) -> int: ...
    def __getitem__(self, key: SampleKey, /) -> tuple[Tensor, ...]: ...


def batch_of(samples: Samples, keys: Sequence[SampleKey]) -> Batch:
    return tuple(torch.stack(parts) for parts in zip(*(samples[key] for key in keys), strict=True))


class InOrder:
    """Every sample once, in its order."""

    def __init__(self, samples: Samples, batch_size: int = EVALUATION_BATCH_SIZE) -> None:
        self._samples = samples
        self._batch_size = batch_size

    def __iter__(self) -> Iterator[Batch]:
        keys = [(0, index, 0) for index in range(len(self._samples))]
        for start in range(0, len(keys), self._batch_size):
            yield batch_of(self._samples, keys[start : start + self._batch_size])


class EpochBatches:
    """The batches of each epoch, which can begin within it. The last one is dropped where it is not full."""

    def __init__(self, samples: Samples, batch_size: int, sampler: EpochSampler) -> None:
        self._samples = samples
        self.batch_size = batch_size
        self._sampler = sampler

    def __len__(self) -> int:
        return max(1, len(self._sampler) // self.batch_size)

    def of_epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """From the batch of that number on, counted from 0. A thread makes the next one meanwhile: cutting slices lets
        go of Python's lock, and no other process has to be given the images."""
        keys = self._sampler.keys(epoch)
        made: Future[Batch] | None = None
        with ThreadPoolExecutor(1) as beside:
            for number in range(first, len(self)):
                chosen = keys[number * self.batch_size : (number + 1) * self.batch_size]
                upcoming = beside.submit(batch_of, self._samples, chosen)
                if made is not None:
                    yield made.result()
                made = upcoming
            if made is not None:
                yield made.result()

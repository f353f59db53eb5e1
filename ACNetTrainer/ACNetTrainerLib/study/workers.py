"""The trainings of a comparison on processes of this computer, or on the workers of a Dask cluster."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from ACNetLib.cluster import cluster_client
from ACNetLib.commands.parser import STOPPED
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.worker_pool import worker_pool

from ..training.progress import TrainingStopped
from .cache import complete, run_folder
from .training import Run


@dataclass(frozen=True)
class Workers:
    """Where trainings are done, and who hears of them. scheduler: the address of a Dask scheduler; None: here."""

    device: DeviceChoice
    scheduler: str | None = None
    say: Callable[[str], None] = print


def complete_all(runs: Sequence[Run], runs_folder: Path, workers: Workers) -> None:
    """Do every training that is not done, and say of each when it is, with the seconds that it took.

    Without a scheduler there is one process a training, as many at a time as there are cores, or one on a GPU. With
    the address of a Dask scheduler its workers train; all of them must see the cases and `runs_folder` at the same
    paths. The training of a worker that is lost resumes at another one, from the last epoch that was written.
    """
    device, scheduler = workers.device, workers.scheduler
    results = _on_cluster(runs, runs_folder, device, scheduler) if scheduler else _here(runs, runs_folder, device)
    for run, seconds in results:
        workers.say(f"{run.name}: {seconds:.0f} s")


def _complete(run: Run, folder: Path, device: DeviceChoice) -> float:
    """In a process of its own."""
    import SimpleITK as sitk
    import torch

    # One thread a training: as many trainings as cores are faster than a training on all of them, and a sum that is
    # always taken in the same order gives the same network on every computer.
    torch.set_num_threads(1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    try:
        return complete(run, folder, device)
    except TrainingStopped:  # at the wish of the process that started it
        sys.exit(STOPPED)


def _here(runs: Sequence[Run], runs_folder: Path, device: DeviceChoice) -> Iterator[tuple[Run, float]]:
    processes = min(len(runs), _cores() if device.device == "cpu" else 1)
    # A process that has used torch's threads can't be forked.
    with worker_pool(processes, "spawn") as pool:
        futures = {pool.submit(_complete, run, run_folder(runs_folder, run), device): run for run in runs}
        for future in as_completed(futures):
            yield futures[future], future.result()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _on_cluster(
    runs: Sequence[Run], runs_folder: Path, device: DeviceChoice, scheduler: str
) -> Iterator[tuple[Run, float]]:
    with cluster_client(scheduler) as client:
        from distributed import as_completed as completed_there

        futures = {}
        for run in runs:
            tests = tuple(replace(cohort, folder=cohort.folder.resolve()) for cohort in run.tests)
            there = replace(run, training_folder=run.training_folder.resolve(), tests=tests)
            folder = run_folder(runs_folder.resolve(), run)
            futures[client.submit(_complete, there, folder, device, pure=False)] = run
        for future in completed_there(futures):
            yield futures[future], future.result()

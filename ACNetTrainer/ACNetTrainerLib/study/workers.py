"""The trainings of a comparison on processes of this computer, or on the workers of a Dask cluster."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from ACNetLib.cluster import cluster_executor
from ACNetLib.commands.parser import STOPPED
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.torch_libraries import compute_in_one_thread
from ACNetLib.worker_pool import cores, worker_pool

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
    scheduler, device = workers.scheduler, workers.device
    processes = min(len(runs), cores() if device.device == "cpu" else 1)
    # A process that has used torch's threads can't be forked.
    with cluster_executor(scheduler) if scheduler else worker_pool(processes, "spawn") as executor:
        futures = {}
        for run in runs:
            there, folder = (_anywhere(run), runs_folder.resolve()) if scheduler else (run, runs_folder)
            futures[executor.submit(_complete, there, run_folder(folder, run), device)] = run
        for future in as_completed(futures):
            workers.say(f"{futures[future].name}: {future.result():.0f} s")


def _anywhere(run: Run) -> Run:
    """The same training where another folder is the current one."""
    tests = tuple(replace(cohort, folder=cohort.folder.resolve()) for cohort in run.tests)
    return replace(run, training_folder=run.training_folder.resolve(), tests=tests)


def _complete(run: Run, folder: Path, device: DeviceChoice) -> float:
    """In a process of its own."""
    compute_in_one_thread()
    try:
        return complete(run, folder, device)
    except TrainingStopped:  # at the wish of the process that started it
        sys.exit(STOPPED)

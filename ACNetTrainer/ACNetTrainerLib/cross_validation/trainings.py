"""The trainings of a cross-validation: none is done twice, an unfinished one is resumed, and how long the rest takes.

They are done here, one after the other, or by the workers of a Dask cluster.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from uuid import uuid4

from ACNetLib.cluster import cluster_client
from ACNetLib.errors import ACNetError
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.torch_libraries import compute_in_one_thread
from ACNetLib.models.header import WEIGHTS_SUFFIX
from ACNetLib.models.model import Model, load_model, save_model

from ..cases.library import CaseLibrary
from ..training.checkpoints import resumable_writes
from ..training.loop import Place
from ..training.network import build_network
from ..training.progress import UNWATCHED, Event, TrainingStopped, Watch
from ..training.recipe import Recipe
from ..training.train import train
from .starts import Start

TRAININGS_FOLDER, STOP_FILE = "trainings", "stop"
"""The first holds the model file of each training that is done, and the work folder of one that is not."""
SECONDS_BETWEEN_LOOKS = 0.2
"""At what a cluster has done."""
Say = Callable[[str], None]


def _say_nothing(_text: str) -> None:
    pass


@dataclass(frozen=True)
class Work:
    """Where trainings are done and who hears of them. scheduler: the address of a Dask scheduler; None: here."""

    device: DeviceChoice
    watch: Watch = UNWATCHED
    say: Say = _say_nothing
    scheduler: str | None = None


@dataclass(frozen=True)
class Job:
    """One training. name: of its files. recipe: that of the start with the seed of this training."""

    name: str
    start: Start
    library: CaseLibrary
    recipe: Recipe

    @property
    def effort(self) -> int:
        """What its time goes by: how many slices it sees at most."""
        return len(self.library.cases) * self.recipe.optimization.epochs


def model_file(output: Path, job: Job) -> Path:
    return output / TRAININGS_FOLDER / job.start.name / f"{job.name}{WEIGHTS_SUFFIX}"


def complete(job: Job, file: Path, device: DeviceChoice, watch: Watch) -> None:
    """Train and write the model file. Raises ACNetError and TrainingStopped like `train`."""
    if file.is_file():  # by a worker that was lost afterwards
        return
    name = f"{job.start.name}-{job.name}"
    work_folder = file.with_suffix(".training")
    model = train(job.library, job.recipe, name, Place(work_folder, device, watch), job.start.fine_tuning)
    with resumable_writes(file):
        save_model(model, file)
    shutil.rmtree(work_folder, ignore_errors=True)  # checkpoints have several times the size of the model


def _complete_there(job: Job, file: Path, device: DeviceChoice, stop_file: Path) -> bool:
    """At a worker of a cluster. False when it was stopped."""
    compute_in_one_thread()
    try:
        complete(job, file, device, Watch(stop=stop_file.exists))
    except TrainingStopped:
        return False
    return True


class Trainings:
    """Does the jobs that are not done, says which of how many it is, and how long the rest will take.

    planned: all jobs that there will be, for the time that is left.
    """

    def __init__(self, output: Path, work: Work, planned: Sequence[Job]) -> None:
        self._output, self._work = output, work
        self._of, self._number = len(planned), 0
        self._effort_left = sum(job.effort for job in planned if not model_file(output, job).is_file())
        self._effort_done, self._seconds = 0, 0.0

    def models(self, jobs: Sequence[Job]) -> Iterator[tuple[Job, Model]]:
        """Each job with its model, as soon as that is there.

        Raises ACNetError and TrainingStopped like `train`, and ACNetError where no scheduler answers.
        """
        to_do = [job for job in jobs if not model_file(self._output, job).is_file()]
        self._number += len(jobs) - len(to_do)
        for job in jobs:
            if job not in to_do:
                yield job, self._model(job)
        if to_do:
            done = self._here(to_do) if self._work.scheduler is None else self._on_cluster(to_do, self._work.scheduler)
            for job in done:
                yield job, self._model(job)

    def _model(self, job: Job) -> Model:
        return load_model(model_file(self._output, job), build_network)

    def _here(self, jobs: Sequence[Job]) -> Iterator[Job]:
        for job in jobs:
            file = model_file(self._output, job)
            self._announce(job)
            was_begun = file.with_suffix(".training").is_dir()
            started = time.monotonic()
            watch = replace(self._work.watch, report=self._with_time_of_all(job, started))
            complete(job, file, self._work.device, watch)
            self._effort_left -= job.effort
            if not was_begun:
                self._effort_done += job.effort
                self._seconds += time.monotonic() - started
            yield job

    def _on_cluster(self, jobs: Sequence[Job], scheduler: str) -> Iterator[Job]:
        output = self._output.resolve()
        # Of this run alone: a worker may still finish a step of a run that was stopped before.
        stop_file = output / TRAININGS_FOLDER / f"{STOP_FILE}-{uuid4().hex}"
        with cluster_client(scheduler) as client:
            _check_threads(client.nthreads().values())
            waiting = {}
            for job in jobs:
                there = replace(job, library=replace(job.library, folder=job.library.folder.resolve()))
                arguments = there, model_file(output, job), self._work.device, stop_file
                waiting[client.submit(_complete_there, *arguments, pure=False)] = job
            self._work.say(f"{len(jobs)} trainings for the workers of {scheduler}")
            # The rate of the cluster as a whole: its workers train side by side.
            started, self._effort_done = time.monotonic(), 0
            try:
                while waiting:
                    for future in [future for future in waiting if future.done()]:
                        job = waiting.pop(future)
                        if not future.result():
                            raise KeyboardInterrupt
                        self._effort_left -= job.effort
                        self._effort_done += job.effort
                        self._seconds = time.monotonic() - started
                        self._announce(job, "is done")
                        yield job
                    if self._work.watch.stop():
                        raise KeyboardInterrupt
                    time.sleep(SECONDS_BETWEEN_LOOKS)
            except BaseException:
                stop_file.touch()  # who trains there writes a checkpoint and ends
                raise
        for earlier in stop_file.parent.glob(f"{STOP_FILE}-*"):
            earlier.unlink()

    def _announce(self, job: Job, what: str = "") -> None:
        self._number += 1
        seconds = self._seconds_of(self._effort_left)
        text = f"Training {self._number} of {self._of}: {job.start.name}, {job.name} {what}".rstrip()
        self._work.say(text if seconds is None else f"{text}; about {math.ceil(seconds / 60)} min left")
        self._work.watch.report(
            {
                "event": "training",
                "number": self._number,
                "of": self._of,
                "start": job.start.name,
                "name": job.name,
                "all_seconds_left": None if seconds is None else round(seconds, 1),
            }
        )

    def _seconds_of(self, effort: float) -> float | None:
        """By what was done; None before anything was."""
        return effort * self._seconds / self._effort_done if self._effort_done else None

    def _with_time_of_all(self, job: Job, started: float) -> Callable[[Event], None]:
        """Events of this training say how long all of them will take, too."""

        def report(event: Event) -> None:
            if "seconds_left" in event:
                own = event["seconds_left"]
                others = self._effort_left - job.effort
                seconds = self._seconds_of(others)
                if seconds is None:  # the first one: the others go by itself
                    seconds = others * (time.monotonic() - started + own) / job.effort
                event = {**event, "all_seconds_left": round(own + seconds, 1)}
            self._work.watch.report(event)

        return report


def _check_threads(threads: Iterable[int]) -> None:
    """Raises ACNetError unless the workers can train to the same numbers as here."""
    if (most := max(threads, default=1)) > 1:
        raise ACNetError(
            f"--scheduler: found workers with {most} threads; expected one each, for torch's random numbers belong to "
            "a process. Start them with dask worker --nthreads 1 --nworkers N ADDRESS."
        )

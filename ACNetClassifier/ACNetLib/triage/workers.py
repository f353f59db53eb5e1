"""Where studies are answered: by processes of this computer, or by the workers of a Dask cluster."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from ACNetLib.cluster import cluster_client
from ACNetLib.triage.reading_list import Workers
from ACNetLib.worker_pool import worker_pool


def local_workers(processes: int | None = None) -> Workers:
    """As many processes as there are cores for this one, or so many."""
    count = processes or _cores()
    # A process that has used torch's threads can't be forked.
    return Workers(lambda: worker_pool(count, "spawn"), count)


def cluster_workers(scheduler: str) -> Workers:
    """The workers of a Dask scheduler; all of them must see the studies and the list at the same paths.

    A study whose worker is lost is answered by another one. Raises ACNetError where no scheduler answers.
    """
    with cluster_client(scheduler) as client:
        count = sum(client.ncores().values()) or 1

    @contextmanager
    def start() -> Iterator[Executor]:
        with cluster_client(scheduler) as client:
            yield client.get_executor(pure=False)

    return Workers(start, count)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

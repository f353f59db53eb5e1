"""Where studies are answered: by processes of this computer, or by the workers of a Dask cluster."""

from __future__ import annotations

import multiprocessing
import sys

from ACNetLib.cluster import cluster_client, cluster_executor
from ACNetLib.triage.reading_list import Workers
from ACNetLib.worker_pool import cores, worker_pool


def local_workers(processes: int | None = None) -> Workers:
    """As many processes as there are cores for this one, or so many."""
    count = processes or cores()
    # A process that has used torch's threads can't be forked, one that has only loaded it can, on Linux.
    method = "forkserver" if sys.platform == "linux" else "spawn"
    multiprocessing.set_forkserver_preload(["ACNetLib.triage.ready"])
    return Workers(lambda: worker_pool(count, method), count)


def cluster_workers(scheduler: str) -> Workers:
    """The workers of a Dask scheduler; all of them must see the studies and the list at the same paths.

    A study whose worker is lost is answered by another one. Raises ACNetError where no scheduler answers.
    """
    with cluster_client(scheduler) as client:
        count = sum(client.ncores().values()) or 1
    return Workers(lambda: cluster_executor(scheduler), count)

"""Where studies are answered: by processes of this computer, or by the workers of a Dask cluster."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass

from ACNetLib.cluster import cluster_client, cluster_executor
from ACNetLib.triage.answer import get_ready
from ACNetLib.worker_pool import cores, worker_pool

LONGEST_TEMPORARY = 64
"""Bytes of the path of temporary files: the fork server's socket lies in a folder there, and its path may have 107."""


@dataclass(frozen=True)
class Workers:
    """The processes that answer studies, on this computer or on a cluster.

    start: gives them work until its block ends. count: how many they are.
    """

    start: Callable[[], AbstractContextManager[Executor]]
    count: int

    @contextmanager
    def getting_ready(self, executor: Executor) -> Iterator[None]:
        """While the block runs, they start and load their libraries. A thread waits for that: the first process can't
        begin before the fork server has loaded its own.
        """
        with ThreadPoolExecutor(1) as starting:
            started = starting.submit(lambda: [executor.submit(get_ready) for _ in range(self.count)])
            yield
        with suppress(BrokenExecutor):  # one has ended by itself: studies are given to others
            started.result()  # raises what else starting them did


def local_workers(processes: int | None = None) -> Workers:
    """As many processes as there are cores for this one, or so many."""
    count = processes or cores()
    if sys.platform != "linux" or len(os.fsencode(tempfile.gettempdir())) > LONGEST_TEMPORARY:
        return Workers(lambda: worker_pool(count, "spawn"), count)
    # A process that has used torch's threads can't be forked, one that has only loaded it can.
    multiprocessing.set_forkserver_preload(["ACNetLib.triage.ready"])
    return Workers(lambda: worker_pool(count, "forkserver"), count)


def cluster_workers(scheduler: str) -> Workers:
    """The workers of a Dask scheduler; all of them must see the studies and the list at the same paths.

    A study whose worker is lost is answered by another one. Raises ACNetError where no scheduler answers.
    """
    with cluster_client(scheduler) as client:
        count = sum(client.ncores().values()) or 1
    return Workers(lambda: cluster_executor(scheduler), count)

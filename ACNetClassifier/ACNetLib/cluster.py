"""The workers of a Dask cluster, by the extra distributed: loaded where a user names a scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any

from ACNetLib.errors import ACNetError
from ACNetLib.quiet_libraries import silence_libraries


def cluster_client(scheduler: str) -> Any:
    """A `distributed.Client`, to be closed by `with`. Raises ACNetError where no scheduler answers."""
    try:
        import distributed
    except ImportError as error:
        raise ACNetError(
            "--scheduler: the package 'distributed' is missing; install it with pip install 'SlicerACNet[cluster]', or "
            "leave the option out."
        ) from error
    try:
        client = distributed.Client(scheduler, timeout="10s")
    except (OSError, TimeoutError, ValueError) as error:
        raise ACNetError(
            f"--scheduler: no Dask scheduler answers at '{scheduler}' ({error}); expected an address such as "
            "tcp://host:8786."
        ) from error
    client.register_worker_callbacks(silence_libraries)  # also of those that come later
    return client


@contextmanager
def cluster_executor(scheduler: str) -> Iterator[Executor]:
    """Its workers, to whom a call goes as often as it is submitted. Raises ACNetError where no scheduler answers."""
    with cluster_client(scheduler) as client:
        yield client.get_executor(pure=False)

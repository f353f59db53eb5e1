"""Processes that share long work and never outlive the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

from ACNetLib.commands.parser import STOPPED
from ACNetLib.quiet_libraries import silence_libraries

_takes_no_more = _is_busy = False
"""In a worker: that it was asked to stop, for the next calls wait in its queue already and can't be cancelled; and that
a call runs."""


SECONDS_TO_END = 30.0
"""After this a stopped worker that still counts in a library's code is killed."""


class _Pool(ProcessPoolExecutor):
    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        with _sigterm_waits():
            return super().submit(_unless_stopped, call, *arguments, **named)


@contextmanager
def _sigterm_waits() -> Iterator[None]:
    """A process that is started here takes SIGTERM only when `_start_worker` has said what it does.

    One that dies of it breaks the pool, which in Python 3.11 leaves its other processes behind.
    """
    if os.name != "posix":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _unless_stopped(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    global _takes_no_more, _is_busy
    if _takes_no_more:
        sys.exit(STOPPED)
    _is_busy = True
    try:
        return call(*arguments, **named)
    except SystemExit:
        _takes_no_more = True
        raise
    finally:
        _is_busy = False


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def worker_pool(processes: int | None = None, method: str | None = None) -> Iterator[ProcessPoolExecutor]:
    """A pool whose processes, by default one a core, stop when this one is interrupted, and end when it is killed.

    Ctrl-C reaches them through this process alone. `method`: how they are started, see `multiprocessing`.
    """
    context = multiprocessing.get_context(method)
    others = multiprocessing.active_children()
    with _Pool(processes or cores(), mp_context=context, initializer=_start_worker) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            workers = [worker for worker in multiprocessing.active_children() if worker not in others]
            for worker in workers:
                worker.terminate()
            end = time.monotonic() + SECONDS_TO_END
            for worker in workers:
                worker.join(max(end - time.monotonic(), 0.0))
                worker.kill()
            raise


def _start_worker() -> None:
    silence_libraries()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end)
    if os.name == "posix":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end(_number: int, _frame: object) -> None:
    global _takes_no_more
    _takes_no_more = True
    if _is_busy:  # else it ends by itself: what it waits for are calls, or the word that there are no more
        sys.exit(STOPPED)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(STOPPED)

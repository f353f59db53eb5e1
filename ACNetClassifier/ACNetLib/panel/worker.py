"""One thread for long work beside Slicer's event loop."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import qt

POLL_MS = 5
LEND_SECONDS = 0.005


class Worker:
    """Runs one piece of work at a time in a thread of its own and tells the main thread of its progress and its end.

    Under PythonQt a thread makes no progress while the event loop is idle, because the interpreter lock stays there.
    So a timer on the main thread collects what the work reports and then sleeps, which lends the lock. The work must
    not touch Qt or MRML; `on_progress` and `on_finished` run on the main thread.
    """

    def __init__(self, on_progress: Callable[[str], None], on_finished: Callable[[Future], None]) -> None:
        self._on_progress = on_progress
        self._on_finished = on_finished
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ACNet")
        self._reports: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._future: Future | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def running(self) -> bool:
        return self._future is not None

    def start(self, work: Callable[[Callable[[str], None]], Any]) -> None:
        """Run `work(report)`. Raises RuntimeError while other work runs."""
        if self._future is not None:
            raise RuntimeError("the worker is still at work")
        self._future = self._executor.submit(work, self._reports.put)
        self._timer.start()

    def close(self) -> None:
        """Forget the work: it ends by itself and nobody is told."""
        self._timer.stop()
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _poll(self) -> None:
        while not self._reports.empty():
            self._on_progress(self._reports.get())
        if self._future is not None and self._future.done():
            future, self._future = self._future, None
            self._timer.stop()
            self._on_finished(future)
        else:
            time.sleep(LEND_SECONDS)

"""One thread for long work beside Slicer's event loop."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any

import qt

from ACNetLib.inference.settings import Progress

POLL_MS = 5
LEND_SECONDS = 0.005

Work = Callable[[Progress], Any]


class CancelledByUser(Exception):
    """Raised in the thread, where the work reports its progress, to end it."""


class Worker:
    """Runs one piece of work at a time in a thread of its own and tells the main thread of its progress and its end.

    Under PythonQt a thread makes no progress while the event loop is idle, because the interpreter lock stays there.
    So a timer on the main thread collects what the work reports and then sleeps, which lends the lock. The work must
    not touch Qt or MRML; `on_progress` and what is to be done with the result run on the main thread.
    """

    def __init__(self, on_progress: Progress) -> None:
        self._on_progress = on_progress
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ACNet")
        self._reports: queue.SimpleQueue[tuple[str, float]] = queue.SimpleQueue()
        self._cancelled = threading.Event()
        self._future: Future | None = None
        self._warm_up: Future | None = None
        self._on_finished: Callable[[Future], None] | None = None
        self._timer = qt.QTimer()
        self._timer.setInterval(POLL_MS)
        self._timer.timeout.connect(self._poll)

    @property
    def running(self) -> bool:
        return self._future is not None

    @property
    def cancelling(self) -> bool:
        """Whether work that was cancelled has not come to its end yet."""
        return self.running and self._cancelled.is_set()

    def start(self, work: Work, on_finished: Callable[[Future], None]) -> None:
        """Run `work(progress)`, then `on_finished(future)`. Raises RuntimeError while other work runs."""
        if self._future is not None:
            raise RuntimeError("the worker is still at work")
        self._cancelled.clear()
        self._on_finished = on_finished
        self._future = self._executor.submit(work, self._report)
        self._timer.start()

    def warm_up(self, work: Callable[[], None]) -> None:
        """Do something in the thread that later work would wait for. It is not reported: `running` stays False."""
        self._warm_up = self._executor.submit(work)
        self._timer.start()

    def cancel(self) -> None:
        """Let the work end with CancelledByUser when it next reports its progress."""
        self._cancelled.set()

    def close(self) -> None:
        """Cancel the work and forget it: its end is not reported."""
        self.cancel()
        self._timer.stop()
        self._future = None
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _report(self, step: str, fraction: float) -> None:
        if self._cancelled.is_set():
            raise CancelledByUser
        self._reports.put((step, fraction))

    def _poll(self) -> None:
        at_work = [each for each in (self._warm_up, self._future) if each is not None and not each.done()]
        if at_work:
            wait(at_work[:1], timeout=LEND_SECONDS)  # lends the lock, no longer than the work needs it
        is_done = self._future is not None and self._future.done()
        while not self._reports.empty():  # after that question: the last report comes before the end
            self._on_progress(*self._reports.get())
        if not is_done:
            if not at_work:
                self._timer.stop()
            return
        future, on_finished = self._future, self._on_finished
        self._future = self._on_finished = None
        self._timer.stop()
        if on_finished is not None and future is not None:
            on_finished(future)

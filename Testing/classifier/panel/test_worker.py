"""The thread beside the event loop."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import slicer
import slicer.util

from slicer_host import wait_until


def test_the_last_report_of_the_work_comes_before_its_end(host: None) -> None:
    """Also where the work ends between two looks at it."""
    from ACNetLib.panel.worker import Worker

    events: list[object] = []
    worker = Worker(lambda step, _fraction: events.append(step))

    def work(progress: Callable[[str, float], None]) -> None:
        for number in range(3):
            time.sleep(0.002)
            progress(str(number), 1.0)

    for _ in range(20):
        worker.start(work, lambda _future: events.append("end"))
        wait_until(lambda: not worker.running)
    worker.close()
    assert events == ["0", "1", "2", "end"] * 20


def test_work_waits_for_what_is_loaded_before_it_and_nobody_is_told_of_that(host: None) -> None:
    from ACNetLib.panel.worker import Worker

    events: list[str] = []
    worker = Worker(lambda _step, _fraction: None)
    may_go_on = threading.Event()
    worker.warm_up(lambda: events.append("warm") if may_go_on.wait(20) else None)
    assert not worker.running
    worker.start(lambda _progress: events.append("work"), lambda _future: events.append("end"))
    slicer.app.processEvents()
    assert events == []
    may_go_on.set()
    wait_until(lambda: not worker.running)
    assert events == ["warm", "work", "end"]
    worker.close()

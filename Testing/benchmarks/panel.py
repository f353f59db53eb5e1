"""How long Slicer's main thread stands still while the panel works, and how long a run takes.

    PYTHONPATH=ACNetClassifier:Testing QT_QPA_PLATFORM=offscreen python Testing/benchmarks/panel.py

A timer of 20 ms counts the pauses, first with PyTorch not yet loaded, then again. The headless host's event loop lends
the interpreter lock by itself, so the application's worker timer can't be judged here; what holds the lock, or works on
the main thread, can.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import slicer

from slicer_host import load_module, start_host

REPOSITORY = Path(__file__).parents[2]
TIMER_MS = 20


def measure(ui: Any, what: str) -> None:
    import qt

    pauses: list[float] = []
    last = start = time.perf_counter()

    def tick() -> None:
        nonlocal last
        now = time.perf_counter()
        pauses.append(now - last)
        last = now

    timer = qt.QTimer()
    timer.setInterval(TIMER_MS)
    timer.timeout.connect(tick)
    timer.start()
    ui.applyButton.click()
    while ui.applyButton.text != "Apply":
        slicer.app.processEvents()
    slicer.app.processEvents()
    tick()
    timer.stop()
    print(f"{what}: {time.perf_counter() - start:.2f} s, longest pause {1000 * max(pauses):.0f} ms")


def main() -> None:
    start_host()
    module = load_module(REPOSITORY / "ACNetClassifier" / "ACNetClassifier.py")
    module.enter()
    module.widget.parent.show()
    ui: Any = module.widget.panel.ui
    ui.sampleButton.click()
    measure(ui, "first run, with loading PyTorch and the models")
    measure(ui, "second run")


if __name__ == "__main__":
    main()

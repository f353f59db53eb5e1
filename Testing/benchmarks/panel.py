"""How long Slicer's main thread stands still while the panel works, and how long a run takes.

    PYTHONPATH=ACNetClassifier:Testing QT_QPA_PLATFORM=offscreen python Testing/benchmarks/panel.py
    ... Testing/benchmarks/panel.py --baseline OTHER_CHECKOUT --pairs 5 [--busy] [--look 3]

A timer of 20 ms counts the pauses, first with PyTorch not yet loaded, then in the runs after that. With a baseline the
two checkouts take turns, each time in a process of their own, and the medians and their ratios are printed; --busy
keeps every core at work meanwhile, and --look lets the user look at the map before he clicks. The headless host's event
loop lends the interpreter lock by itself, so the application's worker timer can't be measured here; what holds the
lock, or works on the main thread, can.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

REPOSITORY = Path(__file__).parents[2]
TIMER_MS = 20
IDLE_S = 0.001
"""An event loop that has nothing to do sleeps: it takes no core away from the work."""
LATER_RUNS = 3
BUSY = "while True: pass"
MEASURED = {
    "first_s": "first run, with loading PyTorch and the models",
    "later_s": "later runs",
    "first_pause_ms": "longest pause in the first run",
    "later_pause_ms": "longest pause in the later runs",
}


def measure(ui: Any) -> tuple[float, float]:
    """Seconds from the click to the end, and the longest pause in ms."""
    import qt
    import slicer

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
        time.sleep(IDLE_S)
    slicer.app.processEvents()
    tick()
    timer.stop()
    return time.perf_counter() - start, 1000 * max(pauses)


def measure_checkout(checkout: Path, look_s: float) -> dict[str, float]:
    """In this process, whose import path is that of the checkout."""
    import slicer

    from slicer_host import load_module, start_host

    start_host()
    module = load_module(checkout / "ACNetClassifier" / "ACNetClassifier.py")
    module.enter()
    module.widget.parent.show()
    ui: Any = module.widget.panel.ui
    ui.sampleButton.click()
    end = time.perf_counter() + look_s
    while time.perf_counter() < end:
        slicer.app.processEvents()
        time.sleep(IDLE_S)
    first_s, first_pause_ms = measure(ui)
    later = [measure(ui) for _ in range(LATER_RUNS)]
    return {
        "first_s": first_s,
        "later_s": median(seconds for seconds, _ in later),
        "first_pause_ms": first_pause_ms,
        "later_pause_ms": max(pause_ms for _, pause_ms in later),
    }


def in_a_process(checkout: Path, look_s: float) -> dict[str, float]:
    paths = [str(checkout / "ACNetClassifier"), str(checkout / "Testing")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "QT_QPA_PLATFORM": "offscreen"}
    command = [sys.executable, __file__, "--measure", str(checkout), "--look", str(look_s)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def all_cores_busy(busy: bool) -> Iterator[None]:
    count = (os.cpu_count() or 1) if busy else 0
    others = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--baseline", type=Path, help="another checkout, to be compared with this one")
    parser.add_argument("--pairs", type=int, default=3, help="how often each is started")
    parser.add_argument("--busy", action="store_true", help="with as many busy processes as there are cores")
    parser.add_argument("--look", type=float, default=0.0, help="seconds between the sample and the click on Apply")
    choices = parser.parse_args()
    if choices.measure is not None:
        print(json.dumps(measure_checkout(choices.measure.resolve(), choices.look)), flush=True)
        os._exit(0)  # without the ceremony of ending a Qt application
    checkouts = [*([choices.baseline.resolve()] if choices.baseline else []), REPOSITORY]
    with all_cores_busy(choices.busy):
        rounds = [[in_a_process(checkout, choices.look) for checkout in checkouts] for _ in range(choices.pairs)]
    for key, text in MEASURED.items():
        medians = [median(each[key] for each in column) for column in zip(*rounds, strict=True)]
        shown = ", ".join(f"{value:.2f} s" if key.endswith("_s") else f"{value:.0f} ms" for value in medians[::-1])
        ratio = "" if len(medians) == 1 else f"; ratio {median(ours[key] / base[key] for base, ours in rounds):.2f}"
        print(f"{text}: {shown}{' in the baseline' if ratio else ''}{ratio}")


if __name__ == "__main__":
    main()

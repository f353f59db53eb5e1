"""Worker processes end with the one that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from ACNetLib.worker_pool import worker_pool
from repository import REPOSITORY

SLEEPERS = """
import sys, time
from ACNetLib.commands.parser import CommandParser, run_command
from ACNetLib.worker_pool import worker_pool

def run(options):
    with worker_pool(2, {method!r}) as pool:
        for _ in pool.map(time.sleep, [0.01, 0.01] + [600.0] * 6):
            print("ready", flush=True)

parser = CommandParser("sleepers")
parser.set_defaults(run=run)
if __name__ == "__main__":
    sys.exit(run_command(parser, []))
"""
STILL_STARTING = """
import sys, time
from ACNetLib.commands.parser import CommandParser, run_command
from ACNetLib.worker_pool import worker_pool

def run(options):
    with worker_pool(2, "spawn") as pool:
        pool.submit(time.sleep, 0.01).result()
        waiting = [pool.submit(time.sleep, 600.0) for _ in range(6)]
        raise KeyboardInterrupt  # the second worker has just been started

parser = CommandParser("sleepers")
parser.set_defaults(run=run)
if __name__ == "__main__":
    sys.exit(run_command(parser, []))
"""
PATHS = [str(REPOSITORY / "ACNetClassifier"), str(REPOSITORY / "ACNetTrainer")]
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(PATHS)}
pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 3), (signal.SIGINT, 3), (signal.SIGKILL, -9)])
def test_no_worker_is_left_when_their_process_is_stopped_or_killed(
    tmp_path: Path, method: str, number: signal.Signals, code: int
) -> None:
    script = tmp_path / "sleepers.py"
    script.write_text(SLEEPERS.format(method=method))
    process = subprocess.Popen(
        [sys.executable, script],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background jobs ignore Ctrl-C, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    process.send_signal(number)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == code, said
    assert "Traceback" not in said
    end = time.monotonic() + 30
    while any(worker.is_running() and worker.status() != psutil.STATUS_ZOMBIE for worker in workers):
        assert time.monotonic() < end, "a worker is left"
        time.sleep(0.1)


def test_a_worker_that_is_still_starting_when_its_process_is_stopped_ends_as_the_others(tmp_path: Path) -> None:
    script = tmp_path / "sleepers.py"
    script.write_text(STILL_STARTING)
    stopped = subprocess.run([sys.executable, script], env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert stopped.returncode == 3, stopped.stderr
    assert "Traceback" not in stopped.stderr


def test_there_is_a_worker_for_each_core_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 3, 4}, raising=False)
    with worker_pool() as pool:
        waiting = [pool.submit(time.sleep, 0.5) for _ in range(6)]
        assert len(multiprocessing.active_children()) == 3
        for future in waiting:
            future.result()

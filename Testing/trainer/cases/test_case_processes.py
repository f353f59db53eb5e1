"""Real processes that change one case library: at once, and killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ACNetTrainerLib.cases.editing import add_maps, create_case_library
from ACNetTrainerLib.cases.library import read_case_library
from made_up_maps import new_map
from repository import REPOSITORY


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "library"
    create_case_library(folder)
    return folder


ADDING = """
import sys
from pathlib import Path
from ACNetTrainerLib.cases.editing import add_maps
from made_up_maps import new_map
folder, first, count, at_once = Path(sys.argv[1]), *map(int, sys.argv[2:])
maps = [new_map(seed, f"patient {seed}") for seed in range(first, first + count)]
print("ready", flush=True)
sys.stdin.readline()
for start in range(0, count, at_once):
    add_maps(folder, maps[start : start + at_once])
"""


def start_adding(folder: Path, first: int, count: int, at_once: int) -> subprocess.Popen[str]:
    """Another process that has made its maps and waits for a line to add them."""
    paths = [REPOSITORY / name for name in ("ACNetClassifier", "ACNetTrainer", "Testing")]
    process = subprocess.Popen(
        [sys.executable, "-c", ADDING, str(folder), str(first), str(count), str(at_once)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_two_processes_that_add_at_once_lose_nothing(library: Path) -> None:
    processes = [start_adding(library, first, 12, at_once=1) for first in (0, 100)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, error = process.communicate(timeout=600)
        assert process.returncode == 0, error
    cases = read_case_library(library).cases
    assert len(cases) == 24
    assert len({case.patient for case in cases}) == 24


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX does")
def test_a_library_whose_adder_was_killed_is_whole_and_can_be_added_to(library: Path) -> None:
    add_maps(library, [new_map(1000, "Jane")])
    process = start_adding(library, 0, 300, at_once=300)
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    while len(list((library / "images").glob("case-*"))) < 20 and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=600)
    assert process.returncode == -signal.SIGKILL, "it was killed before it had ended"
    assert len(read_case_library(library).cases) == 1
    assert len(add_maps(library, [new_map(seed, f"patient {seed}") for seed in range(30)])) == 30
    assert len(read_case_library(library).cases) == 31

"""PyTorch is imported in a thread without holding up the others, and without making all cores wait."""

from __future__ import annotations

import subprocess
import sys

import pytest

from repository import REPOSITORY

CORE = REPOSITORY / "ACNetClassifier"

STARTING = """
import gc, os, sys, threading, time
sys.path.insert(0, sys.argv[1])
from ACNetLib.inference import torch_libraries
"""


def said_by(code: str) -> list[str]:
    """By a process of its own."""
    command = [sys.executable, "-c", STARTING + code, str(CORE)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc to see which libraries are loaded")
def test_the_libraries_are_there_before_the_import() -> None:
    code = """
torch_libraries._load_libraries()
assert "torch" not in sys.modules
print(any("libtorch_cpu" in line for line in open("/proc/self/maps")))
torch_libraries.import_torch()
import torch
print(float(torch.ones(2).sum()))
"""
    assert said_by(code) == ["True", "2.0"]


def test_no_garbage_is_looked_for_while_it_is_imported() -> None:
    code = """
searches = []
gc.callbacks.append(lambda phase, details: searches.append(phase))
torch_libraries.import_torch()
print(len(searches), gc.isenabled())
gc.collect()
print(len(searches) > 0)
"""
    assert said_by(code) == ["0", "True", "True"]


def test_what_other_modules_of_the_application_drop_afterwards_is_freed() -> None:
    code = """
import weakref
class Panel: pass
before = Panel()
before.itself = before
kept = weakref.ref(before)
torch_libraries.import_torch()
del before
gc.collect()
print(kept() is None, gc.get_freeze_count())
"""
    assert said_by(code) == ["True", "0"]


def test_a_process_that_answers_studies_looks_for_no_garbage_among_its_libraries() -> None:
    code = """
from ACNetLib.triage.answer import get_ready
get_ready()
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
"""
    assert said_by(code) == ["True", "True"]


def test_all_cores_compute_where_waiting_threads_sleep_and_one_less_where_somebody_else_imported_it() -> None:
    own = """
torch_libraries.import_torch()
torch_libraries.import_torch()
import torch
print("GOMP_SPINCOUNT" in os.environ, torch.get_num_threads())
"""
    others = """
import torch
print(torch.get_num_threads())
torch_libraries.import_torch()
print(torch.get_num_threads(), max(1, min(torch.get_num_threads(), os.cpu_count() - 1)))
"""
    before, after, expected = said_by(others)
    assert said_by(own) == ["True", before]
    assert after == expected


def test_the_commands_threads_sleep_soon_too_unless_a_user_says_otherwise() -> None:
    code = """
from ACNetLib.commands.main import main
os.environ.pop("GOMP_SPINCOUNT", None)
os.environ["KMP_BLOCKTIME"] = "7"
try:
    main(["--version"])
except SystemExit:
    print(os.environ["GOMP_SPINCOUNT"], os.environ["KMP_BLOCKTIME"])
"""
    assert said_by(code)[-2:] == ["1000", "7"]


def test_a_command_looks_for_no_garbage_among_what_ends_with_it() -> None:
    code = """
import atexit
atexit.register(lambda: print(gc.get_freeze_count() > 10_000))  # runs after what is registered later
from ACNetLib.commands.main import main
try:
    main(["--version"])
except SystemExit:
    pass
"""
    assert said_by(code)[-1] == "True"

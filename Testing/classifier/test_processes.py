"""Processes that are tied to the one that started them end with it, and when it wants, also behind a launcher."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from ACNetLib.dicom.guard import decoded_in_child
from ACNetLib.errors import ACNetError
from ACNetLib.processes import EventLog, ask_to_end, end, last_error, run_module, run_tied

WAITING = """
import pathlib, signal, sys, time

def stopped(number, frame):
    time.sleep(0.2)
    pathlib.Path(sys.argv[1]).with_suffix(".left").touch()
    sys.exit(3)

if sys.argv[2:] == ["in order"]:
    signal.signal(signal.SIGTERM, stopped)
import os
room = pathlib.Path(sys.argv[1])
room.with_suffix(".writing").write_text(str(os.getpid()))
room.with_suffix(".writing").replace(room)
time.sleep(600)
"""
# As CTK's AppLauncher does it: it starts Python as a child, hands on its input, waits, and handles no signal.
LAUNCHER = """#!{python}
import subprocess, sys
sys.exit(subprocess.call([{python!r}, *sys.argv[1:]]))
"""
STARTER = """
import sys, time
sys.path[:0] = {paths!r}
import stand_in, ACNetLib
from ACNetLib.processes import run_tied
process = run_tied("stand_in.main", [{room!r}])
time.sleep(600)
"""
IS_WINDOWS = sys.platform == "win32"
SECONDS = 30.0


@pytest.fixture
def waiting(a_package: Callable[[str], str]) -> str:
    """A module that writes its number into the file of its first argument and then waits."""
    return a_package(WAITING)


@pytest.fixture(params=["alone", "behind a launcher"])
def python(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python for processes."""
    if request.param == "alone":
        return
    if IS_WINDOWS:
        pytest.skip("a launcher is a program there, and a script is none")
    launcher = tmp_path / "bin" / "PythonSlicer"
    launcher.parent.mkdir()
    launcher.write_text(LAUNCHER.format(python=sys.executable), encoding="utf-8")
    launcher.chmod(0o755)
    monkeypatch.setenv("PATH", str(launcher.parent), prepend=os.pathsep)


def until(done: Callable[[], bool]) -> None:
    last = time.monotonic() + SECONDS
    while not done():
        assert time.monotonic() < last
        time.sleep(0.05)


def number_in(room: Path) -> int:
    until(room.is_file)
    return int(room.read_text())


@pytest.mark.usefixtures("python")
def test_a_tied_process_ends_when_it_is_asked_to(waiting: str, tmp_path: Path) -> None:
    process = run_tied(waiting, [str(tmp_path / "number")])
    number = number_in(tmp_path / "number")
    ask_to_end(process)
    process.wait(SECONDS)
    assert not psutil.pid_exists(number)


@pytest.mark.usefixtures("python")
@pytest.mark.skipif(IS_WINDOWS, reason="Windows has no SIGTERM that a process could handle")
def test_it_has_its_seconds_to_leave_all_in_order(waiting: str, tmp_path: Path) -> None:
    process = run_tied(waiting, [str(tmp_path / "number"), "in order"])
    number = number_in(tmp_path / "number")
    end(process)
    assert not psutil.pid_exists(number)
    assert (tmp_path / "number.left").is_file()
    assert process.returncode == 3


@pytest.mark.usefixtures("python")
def test_one_without_seconds_ends_at_once(waiting: str, tmp_path: Path) -> None:
    process = run_tied(waiting, [str(tmp_path / "number"), "in order"], seconds=0.0)
    number = number_in(tmp_path / "number")
    end(process, seconds=0.0)
    assert not psutil.pid_exists(number)
    assert not (tmp_path / "number.left").exists()


@pytest.mark.usefixtures("python")
def test_a_tied_process_does_not_outlive_the_one_that_started_it(waiting: str, tmp_path: Path) -> None:
    room = tmp_path / "number"
    script = STARTER.format(paths=sys.path, room=str(room))
    starter = subprocess.Popen([sys.executable, "-c", script])
    number = number_in(room)
    starter.kill()
    starter.wait()
    until(lambda: not psutil.pid_exists(number))


def test_a_tied_module_runs_as_one_that_is_started_alone(tmp_path: Path) -> None:
    outputs = []
    for run in (run_module, run_tied):
        output = tmp_path / f"{run.__name__}.txt"
        with output.open("wb") as file:
            process = run("ACNetLib.commands.main", ["models", "show", "nothing"], stdout=file, stderr=file)
        outputs.append((process.wait(SECONDS), output.read_text(encoding="utf-8")))
        if process.stdin is not None:
            process.stdin.close()
    assert outputs[0] == outputs[1]
    assert outputs[0][0] == 2


@pytest.mark.usefixtures("python")
def test_a_decoder_that_hangs_is_given_up_in_time(
    waiting: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ACNetLib.dicom.guard.CHILD", waiting)
    with pytest.raises(ACNetError, match=r"number: its compressed pixels can't be read.*it took longer than 2 s"):
        decoded_in_child(tmp_path / "number", seconds=2.0)
    if (tmp_path / "number").is_file():
        number = number_in(tmp_path / "number")
        until(lambda: not psutil.pid_exists(number))


def test_a_log_takes_in_what_is_new_and_begins_anew_with_another_file_of_its_name(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    log = EventLog(file, {"step": {"step": int}})
    assert log.read() == []
    file.write_text('{"event": "step", "step": 1}\n{"event": "step", "st', encoding="utf-8")
    assert [event["step"] for event in log.read()] == [1]
    with file.open("a", encoding="utf-8") as more:
        more.write('ep": 2}\n')
    assert [event["step"] for event in log.read()] == [1, 2]
    file.unlink()
    assert log.read() == []
    file.write_text('{"event": "step", "step": 7}\n', encoding="utf-8")
    assert [event["step"] for event in log.read()] == [7]


def test_a_command_whose_errors_are_gone_has_said_nothing(tmp_path: Path) -> None:
    assert last_error(tmp_path / "errors.txt") == ""
    (tmp_path / "errors.txt").write_text("a warning\nacnet-train: no\n", encoding="utf-8")
    assert last_error(tmp_path / "errors.txt") == "no"

"""Commands in processes of their own, for panels: started, followed by what they say, and why they failed.

A process writes its events, a JSON line each, and its errors into files: a pipe that nobody reads would hold it up, and
a file is still there when it is looked for again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ACNetLib.files import state_of_file

Event = dict[str, Any]
Fields = Mapping[str, Mapping[str, type | tuple[type, ...]]]
"""What is read of each event, by its name: its fields and their types."""
SECONDS_TO_END, SECONDS_OF_GRACE = 10.0, 5.0
"""For what a command leaves in order when it is stopped, and for a launcher to see that it has ended."""


def python_for_processes() -> str:
    """Slicer's own Python, for its executable is the application; outside it the one that runs."""
    return shutil.which("PythonSlicer") or sys.executable


def run_module(
    module: str, arguments: Sequence[str], python: str = sys.executable, **streams: Any
) -> subprocess.Popen[bytes]:
    """Run a command's module without a window, on the libraries that this process uses; `streams` as of Popen."""
    return _run([module, *arguments], {module}, python, {"stdin": subprocess.DEVNULL, **streams})


def run_tied(
    module: str,
    arguments: Sequence[str],
    seconds: float = SECONDS_TO_END,
    environment: Mapping[str, str] | None = None,
    **streams: Any,
) -> subprocess.Popen[bytes]:
    """The same by the Python for processes, and the process ends with this one, or by `end`.

    It has so many seconds to end as after SIGTERM. See ACNetLib.tied: a signal might not reach it. environment: what it
    has beside this process's own.
    """
    tied = ["ACNetLib.tied", f"{seconds:g}", module, *arguments]
    return _run(tied, {module}, python_for_processes(), {**streams, "stdin": subprocess.PIPE}, environment)


def ask_to_end(process: subprocess.Popen[bytes]) -> None:
    """Of a process that `run_tied` started; it ends within its seconds."""
    assert process.stdin is not None
    process.stdin.close()


def end(process: subprocess.Popen[bytes], seconds: float = SECONDS_TO_END) -> None:
    """End a process that `run_tied` started with so many seconds, and wait until it has ended."""
    ask_to_end(process)
    try:
        process.wait(seconds + SECONDS_OF_GRACE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _run(
    arguments: Sequence[str],
    modules: set[str],
    python: str,
    streams: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    tops = {"ACNetLib", *(module.partition(".")[0] for module in modules)}
    libraries = [str(Path(sys.modules[name].__path__[0]).parent) for name in tops]
    paths = os.pathsep.join([*libraries, *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [python, "-m", *arguments],
        env={**os.environ, **(environment or {}), "PYTHONPATH": paths, "PYTHONIOENCODING": "utf-8"},
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        **streams,
    )


def last_error(errors_file: Path) -> str:
    """What a command said last on standard error, without its name; "" if nothing, or where the file is gone."""
    try:
        lines = errors_file.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1].removeprefix("acnet-train: ").removeprefix("acnet: ") if lines else ""


class EventLog:
    """What a process has said since its file was begun; each `read` takes in what is new."""

    def __init__(self, file: Path, fields: Fields) -> None:
        self._file, self._fields = file, fields
        self._read_bytes = 0
        self._events: list[Event] = []

    def read(self) -> list[Event]:
        size, _changed_ns = state_of_file(self._file) or (0, 0)
        if size < self._read_bytes:  # another file of that name
            self._read_bytes, self._events = 0, []
        if size == self._read_bytes:
            return self._events
        with self._file.open("rb") as file:
            file.seek(self._read_bytes)
            *lines, unfinished = file.read().split(b"\n")
            self._read_bytes = file.tell() - len(unfinished)
        self._events += filter(None, map(self._event_in, lines))
        return self._events

    def _event_in(self, line: bytes) -> Event | None:
        """None for a line that is cut off where the process was killed, or damaged."""
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return None
        fields = self._fields.get(str(event.get("event"))) if isinstance(event, dict) else None
        if fields is None:
            return None
        return event if all(isinstance(event.get(name), kind) for name, kind in fields.items()) else None

"""Commands that are killed at any moment of their work, and what they leave behind.

    python Testing/kills.py [--kills 30] [--seed 1] [--commands classify ...] [--table Documentation/reliability.md]

Each command is started again and again and gets SIGKILL, SIGTERM or SIGINT at a random moment. Afterwards nothing may
look whole that is not, no process may be left, and the same command must be able to run. After SIGTERM and SIGINT the
exit code is 3 (0 when the command was done before), and no temporary file is left either. A training and a comparison
are started again in the same folder each time; at last they must come to the bytes of those that nobody touched.
"""

from __future__ import annotations

import argparse
import getpass
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from kill_commands import COMMANDS, Command

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
PRELOADED = [
    "ACNetLib.inference.classifier",
    "ACNetLib.commands.main",
    "ACNetTrainerLib.commands.main",
    "ACNetTrainerLib.training.train",
    "kill_commands",
]
STARTED_IN_TIME_S = 600.0
LONGEST_END_S = 120.0
HEADING = "## Killed commands"


@dataclass(frozen=True)
class Count:
    """Of one command and signal. done: how many had come to their end before."""

    command: str
    signal: str
    kills: int
    done: int
    problems: tuple[str, ...]


def victim(name: str, folder: Path) -> None:
    """In a process of its own, with all that it starts in one group and its temporary files in one folder."""
    command = COMMANDS[name]
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell started this in the background
    tempfile.tempdir = str(folder / "tmp")
    os.environ["TMPDIR"] = tempfile.tempdir
    os.environ["ACNET_MODELS"] = str(folder / "own" / "models")
    for stream, number in (("out.txt", 1), ("err.txt", 2)):
        os.dup2(os.open(folder / stream, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    (folder / "started").touch()
    code: object
    try:
        code = command.main(command.arguments(folder))
    except SystemExit as error:
        code = error.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


def start(command: Command, folder: Path) -> multiprocessing.process.BaseProcess:
    """Returns when it is about to begin its work."""
    (folder / "started").unlink(missing_ok=True)
    process = multiprocessing.get_context("forkserver").Process(target=victim, args=(command.name, folder))
    process.start()
    end = time.monotonic() + STARTED_IN_TIME_S
    while not (folder / "started").exists() and process.is_alive() and time.monotonic() < end:
        time.sleep(0.005)
    return process


def fresh_folder(command: Command, room: Path) -> Path:
    shutil.rmtree(room, ignore_errors=True)
    (room / "tmp").mkdir(parents=True)
    command.prepare(room)
    return room


def finish(command: Command, folder: Path) -> float:
    """Let it come to its end; returns the seconds that its work took."""
    process = start(command, folder)
    started = time.monotonic()
    process.join()
    if process.exitcode != 0:
        raise SystemExit(f"{command.name}: exit code {process.exitcode}\n{(folder / 'err.txt').read_text()}")
    return time.monotonic() - started


def kill_once(command: Command, folder: Path, number: signal.Signals, after_s: float) -> tuple[bool, list[str]]:
    """Whether it was done before, and what is not as it should be."""
    process = start(command, folder)
    time.sleep(after_s)
    assert process.pid is not None
    with suppress(ProcessLookupError):  # it was done before
        os.kill(process.pid, number)
    process.join(LONGEST_END_S)
    problems = []
    if process.exitcode is None:
        problems.append(f"still running {LONGEST_END_S:g} s later")
        process.kill()
        process.join()
    if is_group_left(process.pid):
        problems.append("processes are left")
    if number is not signal.SIGKILL:
        said = (folder / "err.txt").read_text()
        if process.exitcode not in (0, 3):
            problems.append(f"exit code {process.exitcode}: {said.strip().splitlines()[-1:]}")
        if "Traceback" in said:
            problems.append(f"a traceback: {said.strip().splitlines()[-1]}")
        left = {*folder.rglob(".writing-*"), *(folder / "tmp").iterdir()} - {folder / "tmp" / own_cache_of_pytorch()}
        problems += [f"left behind: {path.relative_to(folder)}" for path in left]
    problems += command.problems(folder)
    return process.exitcode == 0, problems


def own_cache_of_pytorch() -> str:
    """PyTorch 2.13 makes it with the first optimizer of a process, one for all processes of a user, and keeps it."""
    return f"torchinductor_{getpass.getuser()}"


def is_group_left(group: int) -> bool:
    """Whether a process of the group still lives after 15 s."""
    for _ in range(150):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.1)
    os.killpg(group, signal.SIGKILL)
    return True


def kill_command(command: Command, kills: int, seed: int, room: Path) -> list[Count]:
    duration = finish(command, fresh_folder(command, room / "untouched"))
    untouched = command.outcome(room / "untouched")
    counts = []
    for number in SIGNALS:
        rng = random.Random(f"{seed} {command.name} {number.name}")
        folder = fresh_folder(command, room / "victim")
        done, problems = 0, list[str]()
        for kill in range(kills):
            was_done, found = kill_once(command, folder, number, rng.uniform(0, duration * command.share))
            done += was_done
            problems += [f"kill {kill}: {problem}" for problem in found]
            if was_done or not command.goes_on:
                problems += [
                    f"kill {kill}: {problem}" for problem in end_problems(command, folder, untouched, was_done)
                ]
                folder = fresh_folder(command, room / "victim")
        if command.goes_on:
            problems += end_problems(command, folder, untouched, was_done=False)
        counts.append(Count(command.name, number.name, kills, done, tuple(problems)))
        print(counts[-1], flush=True)
    return counts


def end_problems(command: Command, folder: Path, untouched: object, was_done: bool) -> list[str]:
    """Run to its end where it was killed, it must come to what it would have come to untouched."""
    if not was_done and not command.is_complete(folder):
        finish(command, folder)
    return [] if command.outcome(folder) == untouched else ["another outcome than without a kill"]


def table(counts: Sequence[Count], seed: int) -> str:
    lines = ["| command | signal | kills | done before | not whole |", "|---|---|---|---|---|"]
    lines += [f"| {c.command} | {c.signal} | {c.kills} | {c.done} | {len(c.problems)} |" for c in counts]
    names = " ".join(dict.fromkeys(count.command for count in counts))
    made_by = f"`python Testing/kills.py --kills {counts[0].kills} --seed {seed} --commands {names}`"
    return "\n".join([f"<!-- kills -->\n{made_by}:\n", *lines, "<!-- end of kills -->"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--commands", nargs="+", choices=sorted(COMMANDS), default=list(COMMANDS))
    parser.add_argument("--table", type=Path, help="document in which the table is replaced")
    options = parser.parse_args()
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)
    counts = []
    with tempfile.TemporaryDirectory() as room:
        for name in options.commands:
            counts += kill_command(COMMANDS[name], options.kills, options.seed, Path(room))
    text = table(counts, options.seed)
    print(text)
    if options.table is not None:
        replace_table(options.table, text)
    return int(any(count.problems for count in counts))


def replace_table(document: Path, text: str) -> None:
    old = document.read_text(encoding="utf-8")
    first = old.index("<!-- kills -->", old.index(HEADING))
    last = old.index("<!-- end of kills -->", first) + len("<!-- end of kills -->")
    document.write_text(old[:first] + text + old[last:], encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

"""Damaged files for every reader, and what becomes of them: `python Testing/fuzz.py --inputs 10000 --seed 1`.

Each input is read in a process that is watched. Counted are tracebacks (anything raised but ACNetError), messages that
are no single short line, hangs, crashes, and memory. The same seed gives the same inputs. Documentation/reliability.md
has the table of the last long run (`make fuzz`).
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from fuzz_mutations import mutated
from fuzz_readers import READERS, T1_MS
from repository import REPOSITORY

HANG_SECONDS, HANG_CODE = 10.0, 99
STUCK_SECONDS = 120.0  # without using the processor, which another program may hold
START_SECONDS = 600.0
LARGEST_GROWTH_BYTES = 4 * 4 * T1_MS.size + 300_000_000
BAD = ("traceback", "long message", "hang", "crash", "memory")
PAGE = REPOSITORY / "Documentation" / "reliability.md"
BEGIN, END = "<!-- fuzz: begin -->", "<!-- fuzz: end -->"


@dataclass
class Tally:
    """Outcomes of one reader's inputs. examples: number and text of the bad ones."""

    outcomes: Counter[str] = field(default_factory=Counter)
    reached: int = 0
    slowest_s: float = 0.0
    examples: list[str] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        return sum(self.outcomes.values())


class Watched:
    """The process that reads. It is started anew after a hang or a crash."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._prepared: set[str] = set()

    def read(self, name: str, number: int, seed: int) -> tuple[str, bool, str]:
        """Outcome, whether pixels were reached, and what there is to say of it."""
        self._prepare(name)
        assert self._pipe is not None
        assert self._process is not None
        self._pipe.send((name, number, seed))
        try:
            if self._pipe.poll(STUCK_SECONDS):
                return self._pipe.recv()
            outcome, said = "hang", f"nothing after {STUCK_SECONDS:g} s"
        except EOFError:
            self._process.join()
            code = self._process.exitcode
            outcome, said = "crash", f"the process ended with {code}"
            if code == HANG_CODE:
                outcome, said = "hang", f"more than {HANG_SECONDS:g} s of processor time"
        self.stop()
        return outcome, False, said

    def _prepare(self, name: str) -> None:
        """Make the valid file and read it once, which imports what is needed and is not measured."""
        if self._process is None:
            self._start()
        assert self._pipe is not None
        if name not in self._prepared:
            self._pipe.send((name, None, 0))
            if not self._pipe.poll(START_SECONDS):
                raise TimeoutError(f"{name}: the valid file is not read")
            if problem := self._pipe.recv():
                raise RuntimeError(f"{name}: the valid file is not read: {problem}")
            self._prepared.add(name)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process = None
            self._prepared.clear()

    def _start(self) -> None:
        self._pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        if not self._pipe.poll(START_SECONDS):
            raise TimeoutError("the reading process does not start")
        self._pipe.recv()


def fuzz(readers: Iterable[str], inputs: int, seed: int, seconds: float = float("inf")) -> dict[str, Tally]:
    """So many inputs for each of the readers, or as many as fit into the seconds."""
    watched, tallies, end = Watched(), {name: Tally() for name in readers}, time.monotonic() + seconds
    try:
        for number in range(inputs):
            for name, tally in tallies.items():
                if time.monotonic() > end:
                    return tallies
                if number % READERS[name].every:
                    continue
                start = time.monotonic()
                outcome, reached, said = watched.read(name, number, seed)
                tally.slowest_s = max(tally.slowest_s, time.monotonic() - start)
                tally.outcomes[outcome] += 1
                tally.reached += reached
                if outcome in BAD:
                    tally.examples.append(f"{name} {number}: {outcome}: {said}")
    finally:
        watched.stop()
    return tallies


def _serve(pipe: Connection) -> None:
    """Read what is asked for, until the pipe is closed. Valid files are made once for each reader."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ACNET_MODELS"] = str(Path(folder) / "models")
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115  what libraries print
        valid: dict[str, Path] = {}
        _watch_pixels()
        pipe.send("ready")
        while True:
            try:
                name, number, seed = pipe.recv()
            except EOFError:
                return
            reader = READERS[name]
            if number is None:
                place = Path(folder) / f"valid {len(valid)}"
                place.mkdir()
                try:
                    valid[name] = reader.make(place)
                    reader.read(valid[name])
                    pipe.send("")
                except Exception:
                    pipe.send(traceback.format_exc())
            else:
                with _limited_time():
                    outcome = _outcome(name, valid[name], number, seed)
                pipe.send(outcome)


@contextmanager
def _limited_time() -> Iterator[None]:
    """Ends the process when the block takes too much processor time: on a busy machine a clock tells nothing."""
    end, done = time.process_time() + HANG_SECONDS, threading.Event()

    def watch() -> None:
        while not done.wait(0.5):
            if time.process_time() > end:
                os._exit(HANG_CODE)

    threading.Thread(target=watch, daemon=True).start()
    yield
    done.set()


def _outcome(name: str, valid: Path, number: int, seed: int) -> tuple[str, bool, str]:
    from ACNetLib.errors import LONGEST_LINE, ACNetError

    reader = READERS[name]
    content = valid.read_bytes()
    REACHED.clear()
    before = _peak_bytes()
    try:
        valid.write_bytes(mutated(content, f"{seed} {name} {number}", reader.header_bytes))
        try:
            reader.read(valid)
            outcome, said = "read", ""
        except ACNetError as error:
            lines = error.lines
            is_plain = all(line.isprintable() and len(line) <= LONGEST_LINE for line in lines)
            outcome, said = ("refused" if is_plain else "long message"), lines[0]
        except Exception:
            outcome, said = "traceback", traceback.format_exc(limit=-3)
    finally:
        valid.write_bytes(content)
    if _peak_bytes() - before > LARGEST_GROWTH_BYTES:
        outcome, said = "memory", f"{(_peak_bytes() - before) / 1e6:.0f} MB more"
    return outcome, outcome == "read" or bool(REACHED), said


REACHED: list[str] = []


def _watch_pixels() -> None:
    """Note when an image's pixels have been read, whatever is said of them then."""
    from ACNetLib.dicom import volumes as dicom
    from ACNetLib.t1map import t1_map as t1map
    from ACNetLib.ventricle import segments

    for module, function in ((t1map, "check_t1_image"), (dicom, "build_image"), (segments, "merge_segments")):
        original = getattr(module, function)

        def noted(*arguments: object, _original: object = original, **options: object) -> object:
            REACHED.append("pixels")
            return _original(*arguments, **options)  # type: ignore[operator]

        setattr(module, function, noted)


def _peak_bytes() -> int:
    try:
        import resource
    except ModuleNotFoundError:  # Windows: not measured
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def table(tallies: dict[str, Tally], seed: int) -> str:
    """What was found, for the documentation."""
    total = sum(tally.inputs for tally in tallies.values())
    images = [tally for name, tally in tallies.items() if READERS[name].has_pixels]
    reached = sum(tally.reached for tally in images) / max(1, sum(tally.inputs for tally in images))
    lines = [
        f"{total} inputs, seed {seed}; {reached:.0%} of the images reached their pixels.",
        "",
        "| reader | inputs | read | refused | pixels reached | tracebacks | hangs | crashes | too much memory |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, tally in tallies.items():
        bad = [tally.outcomes[outcome] for outcome in ("hang", "crash", "memory")]
        raised = tally.outcomes["traceback"] + tally.outcomes["long message"]
        share = f"{tally.reached / max(1, tally.inputs):.0%}" if READERS[name].has_pixels else ""
        cells = [name, tally.inputs, tally.outcomes["read"], tally.outcomes["refused"], share, raised, *bad]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def write_page(text: str) -> None:
    """Put the table in its place on the page."""
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8", newline="\n")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Read damaged files of every kind and count what becomes of them.")
    parser.add_argument("--inputs", type=int, default=10_000, help="in all (default 10000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so many")
    parser.add_argument("--reader", action="append", choices=READERS, help="only this one")
    parser.add_argument("--page", action="store_true", help=f"write the table into {PAGE.name}")
    options = parser.parse_args(arguments)
    readers = options.reader or list(READERS)
    rounds = math.ceil(options.inputs / sum(1 / READERS[name].every for name in readers))
    tallies = fuzz(readers, rounds, options.seed, options.seconds)
    print(table(tallies, options.seed))
    examples = [example for tally in tallies.values() for example in tally.examples]
    print("\n".join(examples[:20]))
    if options.page:
        write_page(table(tallies, options.seed))
    return 1 if examples else 0


if __name__ == "__main__":
    sys.exit(main())

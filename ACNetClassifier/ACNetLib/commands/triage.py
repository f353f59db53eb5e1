"""`acnet triage`: a folder of studies becomes a reading list, those with DCM first."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ACNetLib.commands.dicom import add_dicom_options, segmentation_asked_for
from ACNetLib.commands.parser import add_field_option, print_lines
from ACNetLib.errors import ACNetError, NotNow, one_line
from ACNetLib.files import require_writable
from ACNetLib.inference.device import DEVICE_REQUESTS
from ACNetLib.triage.rows import IDENTIFY

if TYPE_CHECKING:
    from ACNetLib.triage.rows import Row

WHEN_STOPPED = "Stopped. Run the same command again: studies that are done are kept."
LONGEST_WAIT_S = 86_400.0
LIST_SUFFIX = ".txt"


def add_triage_command(commands: argparse._SubParsersAction[Any]) -> None:
    triage = commands.add_parser("triage", help="classify the studies of a folder; the reading list has DCM first")
    triage.add_argument(
        "folder",
        type=Path,
        metavar="FOLDER",
        help="of DICOM images in any order, or of volume files; or a .txt file that lists DICOM images, a path a line",
    )
    triage.add_argument(
        "--output", type=Path, required=True, metavar="LIST", help="new folder, or that of a list to bring up to date"
    )
    triage.add_argument(
        "--identify", choices=IDENTIFY, default="none", help="what the list shows of the patient (default: none)"
    )
    triage.add_argument("--model", help="name of a model or a model file (default: the one for the field strength)")
    triage.add_argument("--device", default="auto", choices=DEVICE_REQUESTS)
    add_field_option(triage, "for studies that do not tell it")
    triage.add_argument("--reference-t1", metavar="MEAN[,SD]", help="as of acnet classify")
    triage.add_argument("--prevalence", type=float, help="share of DCM among those examined (default: the model's)")
    add_dicom_options(triage)
    triage.add_argument(
        "--watch", type=_seconds, metavar="SECONDS", help="go on, and look for new studies every so many seconds"
    )
    triage.add_argument("--progress", choices=("text", "json"), default="text", help="json: one event a line")
    where = triage.add_mutually_exclusive_group()
    where.add_argument("--processes", type=_count, metavar="N", help="on this computer (default: one a core)")
    where.add_argument("--scheduler", metavar="ADDRESS", help="of a Dask cluster, such as tcp://host:8786")
    triage.set_defaults(run=_triage, when_stopped=WHEN_STOPPED)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= LONGEST_WAIT_S:
        raise argparse.ArgumentTypeError(f"found '{text}'; expected seconds, from 1 to {LONGEST_WAIT_S:.0f}")
    return seconds


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"found '{text}'; expected a number from 1 to 1024")
    return int(text)


def _triage(options: argparse.Namespace) -> None:
    from ACNetLib.inference.device import choose_device, may_be_gpu
    from ACNetLib.inference.probability import check_prevalence
    from ACNetLib.models.store import find_model
    from ACNetLib.reference.t1 import parse_reference
    from ACNetLib.triage.answer import Choices
    from ACNetLib.triage.reading_list import (
        LIST_FILE,
        PAGE_FILE,
        STUDIES_FOLDER,
        ReadingList,
        note_trouble,
        require_list,
    )
    from ACNetLib.triage.workers import cluster_workers, local_workers

    folder, output = options.folder.resolve(), options.output.resolve()
    require_writable(output / LIST_FILE)
    if not (folder.is_dir() or (folder.is_file() and folder.suffix.lower() == LIST_SUFFIX)):
        found = "it is no folder" if folder.exists() else "there is no such folder"
        raise ACNetError(
            f"{options.folder}: {found}; expected one with studies, or a {LIST_SUFFIX} file that lists DICOM images."
        )
    if options.prevalence is not None:
        check_prevalence(options.prevalence)
    choices = Choices(
        output / STUDIES_FOLDER,
        None if options.model is None else str(find_model(options.model)),
        options.device,
        options.prevalence,
        options.field,
        None if options.reference_t1 is None else parse_reference(options.reference_t1),
        segmentation_asked_for(options),
    )
    if options.scheduler:
        workers = cluster_workers(options.scheduler)
    else:
        on_gpu = may_be_gpu(options.device) and choose_device(options.device).device != "cpu"
        workers = local_workers(1 if on_gpu else options.processes)
    reading_list = ReadingList(folder, output, options.identify)
    as_json = options.progress == "json"
    report = _print_event if as_json else _Progress()
    said, is_made = _Said(), False
    seen: dict[str, str] | None = None if options.watch is None else {}
    while True:
        said.begin()
        try:
            if is_made:  # where its disk was, no other list is made, which would answer and send all anew
                require_list(output)
            rows = reading_list.update(choices, workers, report, lambda note: said.note(note, as_json), seen)
            is_made = True
        except NotNow as error:
            if options.watch is None:
                raise
            print(one_line(str(error)), file=sys.stderr, flush=True)
            note_trouble(output, [one_line(str(error))])
            time.sleep(options.watch)
            continue
        if not as_json and said.is_new(counts := f"{_counted(rows)}: {output / PAGE_FILE}"):
            print(counts, flush=True)
        if options.stow is not None:
            sent = _send(rows, output, options.stow, goes_on=options.watch is not None)
            if sent and not as_json:
                print(f"Sent to {options.stow}: {sent} {'study' if sent == 1 else 'studies'}.", flush=True)
        if options.watch is None:
            return
        time.sleep(options.watch)


def _send(rows: Sequence[Row], output: Path, url: str, goes_on: bool) -> int:
    """The list's studies that were not sent yet; returns how many were sent. What fails is told, also on the list's
    page, and tried again with the next look for new studies.

    Raises ACNetError with all that failed where nothing goes on.
    """
    from ACNetLib.triage.reading_list import STUDIES_FOLDER, note_trouble
    from ACNetLib.triage.sending import send_new

    sent, failures = send_new(rows, output / STUDIES_FOLDER, url)
    if failures:
        note_trouble(output, (f"Not sent: {one_line(failure)}" for failure in failures))
    if failures and not goes_on:
        raise ACNetError(*failures)
    for failure in failures:
        print(f"Not sent, tried again later: {one_line(failure)}", file=sys.stderr, flush=True)
    return sent


def _counted(rows: list[Any]) -> str:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.answer] = counts.get(row.answer, 0) + 1
    return ", ".join(f"{count} {answer}" for answer, count in counts.items()) or "no study found"


def _print_event(done: int, of: int, seconds_left: float | None) -> None:
    print(json.dumps({"event": "studies", "done": done, "of": of, "seconds_left": seconds_left}), flush=True)


class _Said:
    """What the look before has said is not said again: a list that is watched for days would fill a journal."""

    def __init__(self) -> None:
        self._before, self._now = set[str](), set[str]()

    def begin(self) -> None:
        """Another look."""
        self._before, self._now = self._now, set()

    def is_new(self, line: str) -> bool:
        self._now.add(line)
        return line not in self._before

    def note(self, note: str, as_json: bool) -> None:
        if not self.is_new(note):
            return
        if as_json:
            print(json.dumps({"event": "note", "message": note}), flush=True)
        else:
            print_lines(f"Note: {note}")
            sys.stdout.flush()


class _Progress:
    """A line on a terminal that is written anew, elsewhere a line now and then; none where all stays done."""

    SECONDS_BETWEEN_LINES = 30.0

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._written = -self.SECONDS_BETWEEN_LINES
        self._all_done = 0

    def __call__(self, done: int, of: int, seconds_left: float | None) -> None:
        now = time.monotonic()
        if done == of == self._all_done > 0:
            return
        self._all_done = of if done == of else 0
        if not (self._is_terminal or done == of or now - self._written > self.SECONDS_BETWEEN_LINES):
            return
        self._written = now
        left = "" if seconds_left is None or done == of else f", {_minutes(seconds_left)} left"
        line = f"{done} of {of} studies{left}"
        end = "\n" if done == of or not self._is_terminal else ""
        print(f"\r{line:<50}" if self._is_terminal else line, end=end, file=sys.stderr, flush=True)


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"

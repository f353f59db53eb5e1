"""What both commands do alike.

Exit code 0; 2 with a line on stderr for each of the user's errors; 3 with one line when it was stopped by Ctrl-C or
SIGTERM; 1 for our own errors.
"""

from __future__ import annotations

import argparse
import math
import os
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from ACNetLib import __version__
from ACNetLib.errors import ACNetError, lines_of, one_line
from ACNetLib.files import WORLD_ERRORS, not_written
from ACNetLib.inference.torch_errors import torch_error
from ACNetLib.quiet_libraries import silence_libraries
from ACNetLib.t1map.field_strength import field_strength_option

LARGEST_SPACING_MM = 1000.0
USER_ERROR, OUR_ERROR, STOPPED, ENDED_AT_ONCE = 2, 1, 3, 130
NOTHING_LEFT = "Stopped. Nothing is left half done: run the same command again."


class CommandParser(argparse.ArgumentParser):
    """A parser that reports a wrong command line in one line, as every other user's error."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, f"{self.prog}: {one_line(message)}; see {self.prog} --help\n")


def add_place_options(parser: argparse.ArgumentParser) -> None:
    """Where the left ventricle is, instead of the localizer."""
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--center", type=point, metavar="L,P,S", help="centre of the left ventricle, LPS mm")
    place.add_argument(
        "--segmentation",
        type=Path,
        metavar="FILE",
        help="label image (1 myocardium, 2 cavity), or .seg.nrrd or DICOM SEG with segments of these names",
    )


def add_field_option(parser: argparse.ArgumentParser, when: str = "where the file has none or a wrong one") -> None:
    parser.add_argument("--field", type=field_strength_option, metavar="{1.5,3}", help=f"tesla, {when}")


def add_spacing_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--spacing",
        type=spacing_in,
        default=(),
        metavar="COLUMN,ROW,SLICE",
        help="mm between pixels, where a volume file does not tell it",
    )


def spacing_in(text: str) -> tuple[float, ...]:
    try:
        spacing = tuple(float(part) for part in text.split(","))
    except ValueError:
        spacing = ()
    if len(spacing) not in {2, 3} or not all(0 < each < LARGEST_SPACING_MM for each in spacing):
        raise argparse.ArgumentTypeError(f"found '{text}'; expected two or three lengths in mm, such as 1.4,1.4,8")
    return spacing


def add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", action="version", version=f"{parser.prog} {__version__}")


def point(text: str) -> tuple[float, float, float]:
    """An option's three numbers."""
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        x = math.nan
        y = z = x
    if not all(map(math.isfinite, (x, y, z))):
        raise argparse.ArgumentTypeError(f"found '{text}'; expected three numbers, such as -12.5,30,41")
    return x, y, z


def whole_numbers(text: str) -> tuple[int, ...]:
    """An option's whole numbers with commas between."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"found '{text}'; expected numbers, such as 3 or 3,5,7") from None


def seed(text: str) -> int:
    """An option's seed of random numbers."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"found '{text}'; expected a whole number from 0 to 999999999")
    return int(text)


def run_command(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    """Parse, call the chosen subcommand's `run` with its options, and turn its outcome into an exit code.

    `when_stopped`, a default that a subcommand may set, is what is said when it was stopped. The options'
    `command_line` is for records of what was run.
    """
    options = argparse.Namespace()
    try:
        silence_libraries()
        if arguments is None:
            arguments = sys.argv[1:]
        options = parser.parse_args(arguments)
        options.command_line = shlex.join([parser.prog, *arguments])
        with _terminated_as_interrupted():
            options.run(options)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print(f"{parser.prog}: {getattr(options, 'when_stopped', NOTHING_LEFT)}", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # whoever read what is printed, such as head, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return STOPPED
    except Exception as error:
        lines = _what_to_do(error, vars(options))
        if not lines:
            traceback.print_exc()
            return OUR_ERROR
        for line in lines:
            print(f"{parser.prog}: {line}", file=sys.stderr)
        return USER_ERROR
    return 0


@contextmanager
def interrupted_before_work(program: str) -> Iterator[None]:
    """Ctrl-C and SIGTERM while a command's parser is made end it as they do later."""
    try:
        with _terminated_as_interrupted():
            yield
    except KeyboardInterrupt:
        print(f"{program}: {NOTHING_LEFT}", file=sys.stderr)
        sys.exit(STOPPED)


def print_written(files: Iterable[Path]) -> None:
    print("Written:")
    for path in files:
        print(f"  {path}")


def print_lines(text: str) -> None:
    """What is said of input, in lines that no name within can break or rewrite."""
    for line in lines_of(text):
        print(line)


def _what_to_do(error: Exception, options: Collection[str]) -> tuple[str, ...]:
    """Lines for each thing that a user can put right; none for an error of ours."""
    if isinstance(error, ACNetError):
        return error.lines_for(options)
    if (known := torch_error(error)) is not None:
        return known.lines_for(options)
    if isinstance(error, OSError) and error.errno in WORLD_ERRORS:
        return (one_line(not_written(error.filename or "output", error)),)
    return ()


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """SIGTERM, as a scheduler or a shutdown sends it, does what Ctrl-C does; a second one ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _interrupt(number: int, _frame: object) -> NoReturn:
    signal.signal(number, signal.SIG_DFL)
    raise KeyboardInterrupt

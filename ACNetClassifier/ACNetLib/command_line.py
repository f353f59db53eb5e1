"""What both commands do alike.

Exit code 0; 2 with one line on stderr for the user's error; 3 with one line when it was stopped by Ctrl-C or SIGTERM;
1 for our own errors.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from ACNetLib import __version__
from ACNetLib.errors import ACNetError
from ACNetLib.files import WORLD_ERRORS, not_written
from ACNetLib.torch_errors import torch_error_text

USER_ERROR, OUR_ERROR, STOPPED, ENDED_AT_ONCE = 2, 1, 3, 130
NOTHING_LEFT = "Stopped. Nothing is left half done: run the same command again."


class CommandParser(argparse.ArgumentParser):
    """A parser that reports a wrong command line in one line, as every other user's error."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, f"{self.prog}: {message}; see {self.prog} --help\n")


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


def seed(text: str) -> int:
    """An option's seed of random numbers."""
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise argparse.ArgumentTypeError(f"found '{text}'; expected a whole number from 0 to 999999999")
    return int(text)


def run_command(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    """Parse, call the chosen subcommand's `run` with its options, and turn its outcome into an exit code.

    `when_stopped`, a default that a subcommand may set, is what is said when it was stopped.
    """
    options = parser.parse_args(arguments)
    try:
        with _terminated_as_interrupted():
            options.run(options)
    except KeyboardInterrupt:
        print(f"{parser.prog}: {getattr(options, 'when_stopped', NOTHING_LEFT)}", file=sys.stderr)
        return STOPPED
    except Exception as error:
        if (text := _what_to_do(error)) is None:
            traceback.print_exc()
            return OUR_ERROR
        print(f"{parser.prog}: {text}", file=sys.stderr)
        return USER_ERROR
    return 0


def _what_to_do(error: Exception) -> str | None:
    """One line for what a user can put right; None for an error of ours."""
    if isinstance(error, ACNetError):
        return str(error)
    if (text := torch_error_text(error)) is not None:
        return text
    if isinstance(error, OSError) and error.errno in WORLD_ERRORS:
        return not_written(error.filename or "output", error)
    return None


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

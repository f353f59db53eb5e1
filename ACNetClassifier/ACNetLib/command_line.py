"""What both commands do alike: exit code 0; 2 with a line on stderr for each of the user's errors; 1 for ours."""

from __future__ import annotations

import argparse
import logging
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import NoReturn

from ACNetLib.errors import ACNetError, one_line

LARGEST_SPACING_MM = 1000.0
USER_ERROR, OUR_ERROR, INTERRUPTED = 2, 1, 130


class CommandParser(argparse.ArgumentParser):
    """A parser that reports a wrong command line in one line, as every other user's error."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, f"{self.prog}: {one_line(message)}; see {self.prog} --help\n")


def _silence_libraries() -> None:
    """What pydicom and SimpleITK print of odd files is not for the user, who gets our own line."""
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module="pydicom")


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


def run_command(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    """Parse, call the chosen subcommand's `run` with its options, and turn its outcome into an exit code."""
    _silence_libraries()
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except ACNetError as error:
        for line in error.lines:
            print(f"{parser.prog}: {line}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        return OUR_ERROR
    return 0

"""What both commands do alike: exit code 0; 2 with one line on stderr for the user's error; 1 for ours."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from ACNetLib.errors import ACNetError

LARGEST_SPACING_MM = 1000.0
USER_ERROR, OUR_ERROR, INTERRUPTED = 2, 1, 130


class CommandParser(argparse.ArgumentParser):
    """A parser that reports a wrong command line in one line, as every other user's error."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, f"{self.prog}: {message}; see {self.prog} --help\n")


def add_spacing_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--spacing",
        type=_spacing,
        default=(),
        metavar="COLUMN,ROW,SLICE",
        help="mm between pixels, where a volume file does not tell it",
    )


def _spacing(text: str) -> tuple[float, ...]:
    try:
        spacing = tuple(float(part) for part in text.split(","))
    except ValueError:
        spacing = ()
    if len(spacing) not in {2, 3} or not all(0 < each < LARGEST_SPACING_MM for each in spacing):
        raise argparse.ArgumentTypeError(f"found '{text}'; expected two or three lengths in mm, such as 1.4,1.4,8")
    return spacing


def run_command(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> int:
    """Parse, call the chosen subcommand's `run` with its options, and turn its outcome into an exit code."""
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except ACNetError as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception:
        traceback.print_exc()
        return OUR_ERROR
    return 0

"""What both commands do alike: exit code 0; 2 with one line on stderr for the user's error; 1 for ours."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

from ACNetLib import __version__
from ACNetLib.errors import ACNetError

USER_ERROR, OUR_ERROR, INTERRUPTED = 2, 1, 130


class CommandParser(argparse.ArgumentParser):
    """A parser that reports a wrong command line in one line, as every other user's error."""

    def error(self, message: str) -> NoReturn:
        self.exit(USER_ERROR, f"{self.prog}: {message}; see {self.prog} --help\n")


def add_version(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--version", action="version", version=f"{parser.prog} {__version__}")


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

"""The `acnet-train` command: collect cases, train on them, evaluate a model on others, and the research commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import SimpleITK as sitk

from ACNetLib.commands.parser import CommandParser, add_version, interrupted_before_work, run_command

from .attention import add_attention_command
from .cases import add_case_commands
from .cross_validation import add_cross_validation_command
from .training import add_training_commands


def main(arguments: Sequence[str] | None = None) -> int:
    # Resampling sections of 128 x 128 pixels is several times faster when ITK wakes no threads for it, above all while
    # torch keeps every core busy.
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    with interrupted_before_work("acnet-train"):
        return run_command(_parser(), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(
        "acnet-train", description="Retrain ACNet. Research only: not a medical device, not for diagnosis or treatment."
    )
    add_version(parser)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_case_commands(commands)
    add_training_commands(commands)
    add_cross_validation_command(commands)
    add_attention_command(commands)
    if (Path(__file__).parent / "research").is_dir():  # not in Slicer, see CMakeLists.txt
        from .research import add_research_commands

        add_research_commands(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())

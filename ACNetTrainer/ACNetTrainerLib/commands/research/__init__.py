"""The commands of those who develop the method. They and what they need are not installed into Slicer."""

from __future__ import annotations

import argparse
from typing import Any

from .abroad import add_abroad_commands
from .comparison import add_comparison_commands
from .coverage import add_coverage_command
from .explanations import add_explanations_command
from .localizer import add_localizer_commands
from .outside import add_outside_commands
from .reading_order import add_reading_order_command
from .real_hearts import add_real_hearts_command
from .robustness import add_robustness_commands
from .simulation import add_simulation_commands
from .third_answer import add_third_answer_command


def add_research_commands(commands: argparse._SubParsersAction[Any]) -> None:
    """Add them to the subcommands of `acnet-train`."""
    add_simulation_commands(commands)
    add_comparison_commands(commands)
    add_robustness_commands(commands)
    add_localizer_commands(commands)
    add_abroad_commands(commands)
    add_outside_commands(commands)
    add_coverage_command(commands)
    add_third_answer_command(commands)
    add_explanations_command(commands)
    add_reading_order_command(commands)
    add_real_hearts_command(commands)

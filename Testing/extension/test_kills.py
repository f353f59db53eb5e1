"""Killed commands leave everything whole: one kill of each kind. The long run is `make kills`."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from kill_commands import COMMANDS
from kills import HEADING, PRELOADED, SIGNALS, Count, kill_command, replace_table, table

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")


@pytest.mark.parametrize("name", ["classify", "cases", "import-csv", "publish"])
def test_a_killed_command_leaves_everything_whole_and_can_be_run_again(name: str, tmp_path: Path) -> None:
    multiprocessing.get_context("forkserver").set_forkserver_preload(PRELOADED)
    counts = kill_command(COMMANDS[name], kills=1, seed=1, room=tmp_path)
    assert [(count.signal, count.problems) for count in counts] == [(number.name, ()) for number in SIGNALS]


def test_the_table_of_kills_is_replaced_under_its_heading(tmp_path: Path) -> None:
    document = tmp_path / "reliability.md"
    document.write_text(f"# Reliability\n\n{HEADING}\n\n<!-- kills -->\nold\n<!-- end of kills -->\n\nMore.\n")
    counts = [Count("train", "SIGTERM", 30, 2, ("kill 3: processes are left",))]
    replace_table(document, table(counts, seed=1))
    text = document.read_text()
    assert "| train | SIGTERM | 30 | 2 | 1 |" in text
    assert "old" not in text
    assert text.endswith("<!-- end of kills -->\n\nMore.\n")

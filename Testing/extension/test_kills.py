"""Killed commands leave everything whole: one kill of each kind. The long run is `make kills`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from kills import HEADING, SIGNALS, Count, replace_table, table
from repository import REPOSITORY

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such signals")


def test_killed_commands_leave_everything_whole_and_can_be_run_again() -> None:
    commands = ["classify", "cases", "import-csv", "publish"]
    script = REPOSITORY / "Testing" / "kills.py"
    paths = os.pathsep.join(str(REPOSITORY / name) for name in ("ACNetClassifier", "ACNetTrainer", "Testing"))
    done = subprocess.run(
        [sys.executable, str(script), "--kills", "1", "--commands", *commands],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for name in commands:
        for number in SIGNALS:
            assert re.search(rf"^\| {name} \| {number.name} \| 1 \| [01] \| 0 \|$", done.stdout, re.MULTILINE)


def test_the_table_of_kills_is_replaced_under_its_heading(tmp_path: Path) -> None:
    document = tmp_path / "reliability.md"
    document.write_text(f"# Reliability\n\n{HEADING}\n\n<!-- kills -->\nold\n<!-- end of kills -->\n\nMore.\n")
    counts = [Count("train", "SIGTERM", 30, 2, ("kill 3: processes are left",))]
    replace_table(document, table(counts, seed=1))
    text = document.read_text()
    assert "| train | SIGTERM | 30 | 2 | 1 |" in text
    assert "old" not in text
    assert text.endswith("<!-- end of kills -->\n\nMore.\n")

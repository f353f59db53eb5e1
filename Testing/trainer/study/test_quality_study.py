"""How often slices are marked is counted by what was done to the scan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ACNetTrainerLib.commands.main import main
from ACNetTrainerLib.study.quality import AS_DRAWN, MARKS


def test_the_command_counts_marks_of_scans_as_drawn_and_of_worse_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "quality.json"
    assert main(["quality", "--patients", "1", "--output", str(output)]) == 0
    marked = json.loads(output.read_text())["marked"]
    assert {AS_DRAWN, "folded, 30%"} < marked.keys()
    assert len(marked) == 8
    assert all(set(shares) == {*MARKS, "any"} for shares in marked.values())
    moved = marked["residual motion, root mean square, 8 x"]
    assert moved["any"]["value"] in (0.0, 1.0)
    assert moved["any"]["low"] <= moved["any"]["value"] <= moved["any"]["high"]
    assert "Of simulated slices as drawn" in capsys.readouterr().out

"""DICOM objects and the scene on a disk that fills while they are written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ACNetLib import files
from ACNetLib.commands import main as acnet
from ACNetLib.sample_data import sample_cases
from disks import files_of_at_most

WITHIN_PIXELS = 500_000
"""A parametric map is larger, and so is the scene; whatever else is written before the page is smaller."""


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such limits")
@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["--dicom"], "output: it can't be written (File too large). Make room, or give another output."),
        ([], "scene.mrb: it can't be written. Make room, or give another output."),
    ],
)
def test_a_disk_that_fills_within_pixels_is_one_line_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str], line: str
) -> None:
    monkeypatch.setattr(files, "PROBE_BYTES", 0)
    if options:
        monkeypatch.setattr(acnet, "find_spec", lambda _name: None)  # no scene
    arguments = ["classify", str(sample_cases()[1].folder), *options, "--output", str(tmp_path / "result")]
    with files_of_at_most(WITHIN_PIXELS):
        assert acnet.main([*arguments, "--device", "cpu"]) == 2
    assert capsys.readouterr().err.splitlines() == [f"acnet: {line}"]
    assert list(tmp_path.iterdir()) == []

"""What the extension's build ships: files that CMake does not list are missing after installation."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parent.parent
LISTED = re.compile(r"^  ([A-Za-z0-9_./-]+\.[A-Za-z0-9]+)$", re.MULTILINE)


@pytest.mark.parametrize("module", ["ACNetClassifier"])
def test_cmake_lists_exactly_the_files_of_the_module(module: str) -> None:
    folder = REPOSITORY / module
    listed = LISTED.findall((folder / "CMakeLists.txt").read_text(encoding="utf-8"))
    tracked = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert sorted(listed) == sorted(set(tracked) - {"CMakeLists.txt"})

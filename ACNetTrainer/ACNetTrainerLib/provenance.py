"""Which command, code and library versions made a number."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any


def provenance(command: str) -> dict[str, Any]:
    """The command line, the commit of the working copy (None outside of one) and whether it had changes."""
    return {
        "command": " ".join([command, *sys.argv[1:]]),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "versions": {name: version(name) for name in ("torch", "numpy", "scipy", "scikit-learn")},
    }


def _git(*arguments: str) -> str | None:
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()

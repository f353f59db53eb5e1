"""Which command, code and library versions made a number."""

from __future__ import annotations

import os
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ACNetLib import __version__

if TYPE_CHECKING:
    from ACNetLib.models.model import ModelCard
    from ACNetLib.networks.localizer import LocalizerCard

LIBRARIES = ("torch", "numpy", "scipy", "scikit-learn")
CODE = (
    ":(top)",
    ":(top,exclude)Documentation/results",
    ":(top,exclude)Documentation/images",
    ":(top,exclude)ACNetClassifier/Resources/Models",
)
"""All but what `make models` and its kind write themselves, one step after the other. A record has its model's hash."""


def provenance(command_line: str, card: ModelCard | LocalizerCard | None = None) -> dict[str, Any]:
    """The model, if the numbers are of one; the command line, the commit of our working copy (None outside of one) and
    whether it had changes."""
    commit = _own_commit(Path(__file__).resolve())
    model = {} if card is None else {"model": card.name, "weights_sha256": card.weights_sha256}
    return {
        **model,
        "command": command_line,
        "commit": commit,
        "uncommitted_changes": commit is not None and bool(_git("status", "--porcelain", "-uno", "--", *CODE)),
        "versions": {"SlicerACNet": __version__, **{name: version(name) for name in LIBRARIES}},
    }


def _own_commit(file: Path) -> str | None:
    """None where the repository around this file is not ours, as around an environment where a wheel was installed."""
    top, tracked = _git("rev-parse", "--show-toplevel"), _git("ls-files", "--error-unmatch", file.name)
    if top is None or tracked is None or Path(top).resolve() != file.parents[3]:
        return None
    return _git("rev-parse", "HEAD")


def _git(*arguments: str) -> str | None:
    # A hook of another repository sets variables that would name that one.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        result = subprocess.run(
            ["git", *arguments],
            cwd=Path(__file__).resolve().parent,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return result.stdout.strip()

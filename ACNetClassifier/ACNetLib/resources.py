"""Where the files of a package lie that are no Python: models, samples, recipes, icons."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def resources_folder(package: str = "ACNetLib") -> Path:
    """The folder Resources: within the package where a wheel was installed, beside it in the repository and Slicer."""
    folder = Path(str(files(package)))
    within = folder / "Resources"
    return within if within.is_dir() else folder.parent / "Resources"

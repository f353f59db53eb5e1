"""Where the repository lies, and what is in it."""

import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def repository_files(folder: Path = REPOSITORY) -> list[str]:
    """What a commit of everything would hold, by the path from `folder`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted({file for file in listed if (folder / file).exists()})

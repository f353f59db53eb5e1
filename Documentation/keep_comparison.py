"""Takes the comparisons in build/comparison into the documentation: `make comparison`.

Of each the small files of its trainings, from which a test makes its numbers once more, and the numbers. `make tables`
then fills the tables of comparison.md.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ACNetTrainerLib.study.files import RUNS_FILE, RUNS_FOLDER, SUMMARY_FILE

DOCUMENTATION = Path(__file__).parent
BUILT = DOCUMENTATION.parent / "build" / "comparison"
SHOWN = ("paper-1", "paper-2", "paper-2-30-epochs", "honest", "honest-18-epochs")
"""The comparisons of comparison.md."""


def keep(name: str) -> None:
    built, kept = BUILT / name, DOCUMENTATION / "results" / "comparison" / name
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    shutil.copy(built / RUNS_FILE, kept)
    shutil.copytree(built / RUNS_FOLDER, kept / RUNS_FOLDER)
    shutil.copy(built / SUMMARY_FILE, DOCUMENTATION / "results" / f"comparison-{name}.json")


if __name__ == "__main__":
    for name in SHOWN:
        if (BUILT / name / SUMMARY_FILE).is_file():
            keep(name)
            print(name)

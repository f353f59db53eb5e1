"""Takes the comparisons in build/comparison into the documentation: `make comparison`.

Of each the small files of its trainings, from which a test makes its numbers once more, the numbers, and the pictures
that comparison.md shows. `make tables` then fills its tables.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ACNetTrainerLib.study.figures import ATTENTION_PICTURE, DISTRIBUTIONS_PICTURE, ROC_PICTURE
from ACNetTrainerLib.study.files import RUNS_FILE, RUNS_FOLDER, SUMMARY_FILE

DOCUMENTATION = Path(__file__).parent
BUILT = DOCUMENTATION.parent / "build" / "comparison"
SHOWN = {
    "paper-1": (DISTRIBUTIONS_PICTURE, ATTENTION_PICTURE, ROC_PICTURE),
    "paper-2": (DISTRIBUTIONS_PICTURE, ATTENTION_PICTURE, ROC_PICTURE),
    "paper-2-30-epochs": (),
    "honest": (DISTRIBUTIONS_PICTURE, ATTENTION_PICTURE, ROC_PICTURE),
    "honest-18-epochs": (),
}
"""The comparisons of comparison.md and their pictures there."""


def keep(name: str) -> None:
    built, kept = BUILT / name, DOCUMENTATION / "results" / "comparison" / name
    shutil.rmtree(kept, ignore_errors=True)
    kept.mkdir(parents=True)
    shutil.copy(built / RUNS_FILE, kept)
    shutil.copytree(built / RUNS_FOLDER, kept / RUNS_FOLDER)
    shutil.copy(built / SUMMARY_FILE, DOCUMENTATION / "results" / f"comparison-{name}.json")
    for picture in SHOWN[name]:
        shutil.copy(built / picture, DOCUMENTATION / "images" / f"comparison-{name}-{picture}")


if __name__ == "__main__":
    for name in SHOWN:
        if (BUILT / name / SUMMARY_FILE).is_file():
            keep(name)
            print(name)

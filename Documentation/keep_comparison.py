"""Takes what is done of the comparisons in build/comparison into the documentation, finished or not: `make
comparison-kept`. With "resume" it brings that back first, so that no training is done twice: `make comparison`.

Of each comparison the small files of its trainings, from which its numbers can be made once more, and the numbers.
Tables of predictions are packed: a repository with its history has little room. `make tables` then fills the tables of
comparison.md.
"""

from __future__ import annotations

import gzip
import shutil
import sys
from pathlib import Path

from ACNetTrainerLib.cases.table import read_table, write_table
from ACNetTrainerLib.study.files import NEEDED, OUTCOME_FILE, RUNS_FILE, RUNS_FOLDER, SUMMARY_FILE, is_done
from ACNetTrainerLib.study.tuning import TUNED_FILE, TUNING_FILE

DOCUMENTATION = Path(__file__).parent
BUILT = DOCUMENTATION.parent / "build" / "comparison"
RESULTS = DOCUMENTATION / "results"
KEPT = RESULTS / "comparison"


def keep(built: Path, results: Path) -> None:
    """Add every training that is done and, where the comparison is finished, its numbers. Nothing is removed."""
    kept = results / "comparison" / built.name
    for run in sorted((built / RUNS_FOLDER).iterdir()):
        if is_done(run):
            copy_run(run, kept / RUNS_FOLDER / run.name)
    for name in (RUNS_FILE, TUNING_FILE, TUNED_FILE):
        if (built / name).is_file():
            shutil.copyfile(built / name, kept / name)
    if (built / SUMMARY_FILE).is_file():
        shutil.copyfile(built / SUMMARY_FILE, results / f"comparison-{built.name}.json")


def resume(kept: Path, built: Path) -> None:
    """A training is known by its folder's name, which has a hash of what it depends on; others are not looked at."""
    for run in sorted((kept / RUNS_FOLDER).iterdir()):
        if not is_done(built / kept.name / RUNS_FOLDER / run.name):
            unpack_run(run, built / kept.name / RUNS_FOLDER / run.name)
    if not (built / kept.name / RUNS_FILE).is_file() and (kept / RUNS_FILE).is_file():
        shutil.copyfile(kept / RUNS_FILE, built / kept.name / RUNS_FILE)


def copy_run(run: Path, copy: Path) -> None:
    """What the numbers are made of, for a clone is to be small: without checkpoints, maps of attention and the names of
    the slices, and packed. The outcome comes last: where it is, all is.
    """
    copy.mkdir(parents=True, exist_ok=True)
    for file in sorted(run.glob("*.csv")):
        rows = (row.cells for row in read_table(file, NEEDED).rows)
        table = copy / file.name
        write_table(table, NEEDED, ({name: cells[name] for name in NEEDED} for cells in rows))
        table.with_name(f"{table.name}.gz").write_bytes(gzip.compress(table.read_bytes(), mtime=0))
        table.unlink()
    shutil.copyfile(run / OUTCOME_FILE, copy / OUTCOME_FILE)


def unpack_run(kept: Path, run: Path) -> None:
    """A training as `copy_run` has kept it."""
    run.mkdir(parents=True, exist_ok=True)
    for file in sorted(kept.glob("*.csv.gz")):
        (run / file.stem).write_bytes(gzip.decompress(file.read_bytes()))
    shutil.copyfile(kept / OUTCOME_FILE, run / OUTCOME_FILE)


if __name__ == "__main__":
    if sys.argv[1:] == ["resume"]:
        for each in sorted(KEPT.iterdir()):
            resume(each, BUILT)
    else:
        for runs in sorted(BUILT.glob(f"*/{RUNS_FOLDER}")):
            keep(runs.parent, RESULTS)
            print(runs.parent.name)

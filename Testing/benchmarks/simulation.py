"""How many sections a second the simulator makes, on all cores; at least 4 on two are wanted.

python Testing/benchmarks/simulation.py [PATIENTS]
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from ACNetTrainerLib.simulation.cohort import Cohort, simulate_cohort
from ACNetTrainerLib.simulation.section import LEVEL_NAMES


def main() -> None:
    patients = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        simulate_cohort(Cohort(patients, 0.5, 1.5, seed=1), Path(folder))
        seconds = time.perf_counter() - start
    sections = patients * len(LEVEL_NAMES)
    print(f"{sections} sections in {seconds:.1f} s: {sections / seconds:.1f} a second")


if __name__ == "__main__":
    main()

"""How many slices a second one thread simulates, and how many an earlier build did on the same machine in the same run.

python Testing/benchmarks/simulation.py [CHECKOUT]

CHECKOUT is a folder with another version of this repository; the two take turns, and the median of the ratios counts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]
TURNS = 5
SLICES = """
import time
from ACNetTrainerLib.simulation.patient import draw_patient
from ACNetTrainerLib.simulation.section import LEVEL_NAMES, simulate_section

simulate_section(draw_patient(1, 0, "normal", 1.5), "mid")
start = time.process_time()
for index in range(6):
    for level in LEVEL_NAMES:
        simulate_section(draw_patient(1, index, "dcm", 1.5), level)
print(6 * len(LEVEL_NAMES) / (time.process_time() - start))
"""


def slices_a_second(checkout: Path) -> float:
    """Of the simulation in a folder, by processor time: other work on the machine does not count."""
    path = os.pathsep.join(str(checkout / part) for part in ("ACNetClassifier", "ACNetTrainer"))
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    result = subprocess.run([sys.executable, "-c", SLICES], env=environment, capture_output=True, text=True, check=True)
    return float(result.stdout)


def main() -> None:
    checkouts = [HERE, *(Path(argument).resolve() for argument in sys.argv[1:2])]
    rates = [[slices_a_second(checkout) for checkout in checkouts] for _ in range(TURNS)]
    for checkout, values in zip(checkouts, zip(*rates, strict=True), strict=True):
        print(f"{checkout.name}: {statistics.median(values):.1f} slices a second of processor time")
    if len(checkouts) > 1:
        print(f"ratio: {statistics.median(now / before for now, before in rates):.2f}")


if __name__ == "__main__":
    main()

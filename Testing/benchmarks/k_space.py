"""How far T1 of the myocardium is off where lines of k-space are left out, on simulated scans of 8 coils.

python Testing/benchmarks/k_space.py OUTPUT.json

Each scan is reconstructed whole and with lines left out as the challenges' masks do, Uniform (the same lines in all
images, which the import refuses) and ktUniform (others in each), and fitted. 112 x 112 pixels around the heart.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ACNetLib.files import write_json
from ACNetTrainerLib.evaluation.provenance import provenance
from ACNetTrainerLib.kspace import reconstruction
from ACNetTrainerLib.kspace.t1_slices import fit_t1
from cmrxrecon_files import CENTRAL_LINES, HEART, OVERSAMPLING, SEED, lines_of, simulate_scan, undersampled

PATIENTS = (("normal", 6), ("dcm", 7), ("normal", 8), ("dcm", 9))
"""Others than those that the number of steps was chosen with: 0 to 2."""
ACCELERATIONS = (4, 8)
COILS, NOISE = 8, 0.004


def main() -> None:
    (output,) = map(Path, sys.argv[1:])
    reconstruction.SMALLEST_COVER = 0.0
    scans = []
    for label, index in PATIENTS:
        scan = simulate_scan(index, label, coils=COILS, noise=NOISE, view=HEART)  # type: ignore[arg-type]
        muscle = scan.myocardium()

        def t1_ms(k_space: np.ndarray, scan: object = scan, muscle: np.ndarray = muscle) -> np.ndarray:
            times_ms = scan.times_ms  # type: ignore[attr-defined]
            images = reconstruction.reconstruct(k_space[:, 0], times_ms, OVERSAMPLING, "a scan")
            return fit_t1(images, times_ms)[muscle]

        whole = t1_ms(scan.k_space)
        row: dict[str, object] = {"label": label, "mean_t1_ms_of_whole_k_space": round(float(whole.mean()), 1)}
        for acceleration in ACCELERATIONS:
            for name, interleaved in (("Uniform", False), ("ktUniform", True)):
                found = t1_ms(undersampled(scan, lines_of(scan, acceleration, interleaved)))
                row[f"{name}{acceleration}"] = {
                    "mean_difference_ms": round(float(found.mean() - whole.mean()), 1),
                    "median_absolute_difference_ms": round(float(np.median(np.abs(found - whole))), 1),
                }
        print(row, flush=True)
        scans.append(row)
    what = {"simulated": True, "seed": SEED, "coils": COILS, "noise": NOISE, "central_lines": CENTRAL_LINES}
    write_json(output, {**provenance(" ".join(["python", *sys.argv])), **what, "scans": scans})


if __name__ == "__main__":
    main()

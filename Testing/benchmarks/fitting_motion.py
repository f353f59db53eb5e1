"""How well motion between inversion images is corrected: a phantom's heart breathes in a chest that stands still.

PYTHONPATH=Testing python Testing/benchmarks/fitting_motion.py [--seed N] [--output JSON]

MOLLI 5(3)3 with noise; each image's heart lies off by a normal distribution of 3 mm in both directions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from ACNetLib.commands.parser import seed as seed_option
from ACNetLib.files import write_json
from ACNetLib.fitting.motion import correct_motion
from ACNetLib.fitting.sequences import fit_sequence
from ACNetTrainerLib.evaluation.provenance import provenance
from ACNetTrainerLib.simulation.sequences import Timing
from recovery_files import COLUMNS, PIXEL_MM, ROWS, TISSUES, a_phantom, recovery_images

SCANS, SHIFT_MM = 20, 3.0
HEART_RADIUS_MM, BORDER_MM = 62.0, 4.0
WRONG_MS = 100.0


def breathing(shifts_mm: np.ndarray, timing: Timing, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Magnitude images (images, rows, columns) with a moving heart, and the same without motion."""
    still, _ = recovery_images(timing, seed=seed)
    moved, _ = recovery_images(timing, shifts_mm[:, ::-1] / PIXEL_MM, seed=seed + SCANS)
    y, x = np.indices((ROWS, COLUMNS))
    distance_mm = np.hypot(y - ROWS / 2, x - COLUMNS / 2) * PIXEL_MM
    heart = 1 / (1 + np.exp((distance_mm - HEART_RADIUS_MM) / BORDER_MM))
    magnitude = np.abs(still).astype(np.float32)
    return (np.abs(moved) * heart + magnitude * (1 - heart)).astype(np.float32), magnitude


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=seed_option, default=1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    timing = Timing(heart_rate_bpm=70)
    times_ms = timing.inversion_times_ms
    latest = int(times_ms.argmax())
    phantom = a_phantom()
    heart = np.isin(phantom.tissue, [[*TISSUES].index("wall"), [*TISSUES].index("blood")])
    errors_mm, before_mm, after_mm, wrong = [], [], [], []
    for scan in range(SCANS):
        rng = np.random.default_rng([options.seed, scan])
        shifts_mm = rng.normal(0, SHIFT_MM, (len(times_ms), 2))
        shifts_mm -= shifts_mm[latest]
        images, still = breathing(shifts_mm, timing, scan)
        motion = correct_motion(
            images, (PIXEL_MM, PIXEL_MM), latest, lambda each: fit_sequence(each, times_ms, "MOLLI").signals(times_ms)
        )
        errors_mm.append(np.linalg.norm(motion.shifts_mm - shifts_mm, axis=1))
        before_mm.append(motion.before_mm)
        after_mm.append(motion.residual_mm)
        truth, *maps = (fit_sequence(each, times_ms, "MOLLI").t1_ms for each in (still, images, motion.images))
        wrong.append([float(np.mean(np.abs(t1 - truth)[heart] > WRONG_MS)) for t1 in maps])
    error_mm = np.concatenate(errors_mm)
    results = {
        "error_of_the_shift_mm": {
            "mean": float(error_mm.mean()),
            "95th percentile": float(np.percentile(error_mm, 95)),
            "largest": float(error_mm.max()),
        },
        "residual_mm": {"before": float(np.mean(before_mm)), "after": float(np.mean(after_mm))},
        "heart_off_by_100_ms": dict(zip(("before", "after"), np.mean(wrong, axis=0).tolist(), strict=True)),
    }
    print(results)
    if options.output is not None:
        output = options.output.as_posix()
        command = (
            f"PYTHONPATH=Testing python Testing/benchmarks/fitting_motion.py --seed {options.seed} --output {output}"
        )
        record = {**provenance(command), "seed": options.seed, "simulated": True, "scans": SCANS, "results": results}
        write_json(options.output, record)


if __name__ == "__main__":
    main()

"""How fast and how exact the fit of inversion recovery images is, beside pixelwise curve_fit of scipy, in one run.

python Testing/benchmarks/fitting.py [--seed N] [--output JSON]

The images are MOLLI 5(3)3 of simulated tissue by the Bloch equations of the training's simulation, with noise in their
real and imaginary part. Both fit the same slice in turns, on one thread, curve_fit a part of its pixels: signed images,
and magnitude images, of which it tries the two places of the zero crossing beside the lowest signal. Times are the
median of the turns' processor time; accuracy is the difference to the fit without noise. Where qmrpy is installed (pip
install qmrpy), T1* of some pixels is compared with its fit too, that of qMRLab (Barral 2010).
"""

from __future__ import annotations

import argparse
import statistics
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from scipy.optimize import curve_fit

from ACNetLib.commands.parser import seed as seed_option
from ACNetLib.files import write_json
from ACNetLib.fitting.recovery import RecoveryFit
from ACNetLib.fitting.sequences import INVERSION_FACTOR, Sequence, fit_sequence
from ACNetTrainerLib.evaluation.provenance import provenance
from ACNetTrainerLib.simulation.sequences import SEQUENCES, Timing, sequence_signals

ROWS, COLUMNS = 192, 256
TURNS = 3
CURVE_FIT_PIXELS = 1500
"""Of each turn; the times of curve_fit, which takes each pixel by itself, are scaled to the slice."""
QMRPY_PIXELS = 500
SIGNAL, NOISE = 500.0, 7.0
TISSUES = {"myocardium": (1000.0, 1300.0, 50.0), "blood": (1550.0, 1900.0, 200.0)}
"""T1 from and to, and T2, in ms."""


def recovery(times: np.ndarray, a: float, b: float, t1_star: float) -> np.ndarray:
    return a - b * np.exp(-times / t1_star)


def look_locker_t1(parameters: np.ndarray) -> float:
    a, b, t1_star = parameters
    return float(t1_star * (b / a - 1) * INVERSION_FACTOR)


def curve_fit_signed(signal: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, float]:
    start = (signal[-1], 2 * signal[-1], 1000.0)
    parameters, _ = curve_fit(recovery, times, signal, p0=start, maxfev=2000)
    return parameters, float(np.square(recovery(times, *parameters) - signal).sum())


def curve_fit_magnitude(signal: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Of the places of the zero crossing around the lowest signal, that with the least residual."""
    lowest = int(signal.argmin())
    tried = [
        curve_fit_signed(np.where(np.arange(len(times)) < count, -signal, signal), times)
        for count in (lowest, lowest + 1)
    ]
    return min(tried, key=lambda each: each[1])[0]


def differences_to_qmrpy(images: dict[str, np.ndarray], times: np.ndarray) -> dict[str, object]:
    """Of T1* by the reduced-dimension fit of qMRLab, whose grid has steps of 0.1 ms."""
    from qmrpy.models.t1.inversion_recovery import T1InversionRecovery

    theirs = T1InversionRecovery(ti_ms=times)
    compared: dict[str, object] = {"version": version("qmrpy"), "pixels": QMRPY_PIXELS}
    for kind, noisy in images.items():
        chosen = noisy[:, :: noisy.shape[1] // QMRPY_PIXELS][:, :QMRPY_PIXELS]
        ours = fit_sequence(chosen, times, "inversion recovery", signed=kind == "signed").t1_ms
        method = "complex" if kind == "signed" else "magnitude"
        t1 = np.array([theirs.fit(signal, method=method)["t1_ms"] for signal in chosen.T])
        difference = np.abs(ours - t1)
        compared[kind] = {
            "median, ms": float(np.median(difference)),
            "95th percentile, ms": float(np.percentile(difference, 95)),
        }
    return compared


def simulated_slice(timing: Timing, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Signals (images, pixels) by tissue, without noise."""
    pixels = ROWS * COLUMNS // len(TISSUES)
    return {
        name: SIGNAL * sequence_signals(rng.uniform(low, high, pixels).astype(np.float32), t2, timing).astype(float)
        for name, (low, high, t2) in TISSUES.items()
    }


def seconds_of_fit(images: np.ndarray, times: np.ndarray, signed: bool) -> tuple[float, RecoveryFit]:
    start = time.process_time()
    fit = fit_sequence(images, times, "MOLLI", signed=signed)
    return time.process_time() - start, fit


def seconds_of_curve_fit(images: np.ndarray, times: np.ndarray, signed: bool) -> tuple[float, np.ndarray]:
    """Of a whole slice, and T1 of the pixels that were fitted."""
    chosen = images[:, :: images.shape[1] // CURVE_FIT_PIXELS]
    start = time.process_time()
    t1 = [
        look_locker_t1(curve_fit_signed(signal, times)[0] if signed else curve_fit_magnitude(signal, times))
        for signal in chosen.T
    ]
    return (time.process_time() - start) * images.shape[1] / chosen.shape[1], np.array(t1)


def readings() -> dict[str, float]:
    """What each sequence reads of myocardium without noise, in ms: its own bias, which no fit can mend."""
    read: dict[str, float] = {}
    for simulated in SEQUENCES:
        timing = Timing(sequence=simulated)
        signal = sequence_signals(np.array([1150.0], np.float32), 50.0, timing)
        family: Sequence = "SASHA" if simulated == "SASHA" else "ShMOLLI" if simulated == "ShMOLLI" else "MOLLI"
        fit = fit_sequence(signal, timing.inversion_times_ms, family, signed=True)
        read[simulated] = round(float(fit.t1_ms[0]), 1)
    return read


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=seed_option, default=1)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    timing = Timing()
    order = np.argsort(timing.inversion_times_ms)
    times = timing.inversion_times_ms[order]
    tissues = {name: clean[order] for name, clean in simulated_slice(timing, rng).items()}
    clean = np.concatenate([*tissues.values()], axis=1)
    real, imaginary = rng.normal(0, NOISE, (2, *clean.shape))
    images = {"signed": clean + real, "magnitude": np.abs(clean + real + 1j * imaginary)}
    truth = fit_sequence(clean, times, "MOLLI", signed=True).t1_ms
    results = {}
    for kind, noisy in images.items():
        ours, theirs = [], []
        for _ in range(TURNS):
            seconds, fit = seconds_of_fit(noisy, times, kind == "signed")
            ours.append(seconds)
            seconds, t1 = seconds_of_curve_fit(noisy, times, kind == "signed")
            theirs.append(seconds)
        difference = np.abs(fit.t1_ms[:: noisy.shape[1] // CURVE_FIT_PIXELS] - t1)
        error = fit.t1_ms - truth
        pixels = clean.shape[1] // len(TISSUES)
        results[kind] = {
            "seconds_a_slice": statistics.median(ours),
            "curve_fit_seconds_a_slice": statistics.median(theirs),
            "ratio": statistics.median(b / a for a, b in zip(ours, theirs, strict=True)),
            "difference_to_curve_fit_ms": {
                "median": float(np.median(difference)),
                "99th percentile": float(np.percentile(difference, 99)),
            },
            "error_ms": {
                name: {
                    "bias": float(error[place * pixels : (place + 1) * pixels].mean()),
                    "sd": float(error[place * pixels : (place + 1) * pixels].std()),
                    "sd by the fit, median": float(np.median(fit.sd_ms[place * pixels : (place + 1) * pixels])),
                }
                for place, name in enumerate(TISSUES)
            },
        }
        print(
            f"{kind}: {results[kind]['seconds_a_slice']:.3f} s a slice of {ROWS} x {COLUMNS}, curve_fit "
            f"{results[kind]['curve_fit_seconds_a_slice']:.1f} s, ratio {results[kind]['ratio']:.0f}"
        )
    if options.output is not None:
        command = f"python Testing/benchmarks/fitting.py --seed {options.seed} --output {options.output.as_posix()}"
        record = {
            **provenance(command),
            "seed": options.seed,
            "simulated": True,
            "noise, of the fully relaxed signal": NOISE / SIGNAL,
            "results": results,
            "reads_myocardium_of_1150_ms_as": readings(),
            "difference_to_qmrpy": differences_to_qmrpy(images, times) if find_spec("qmrpy") else None,
        }
        write_json(options.output, record)


if __name__ == "__main__":
    main()

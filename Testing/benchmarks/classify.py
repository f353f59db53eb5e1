"""What the classification of one study costs beside another checkout: from a cold start, and warm.

    python Testing/benchmarks/classify.py BASELINE_CHECKOUT [--python PYTHON] [--runs N] [--output JSON]

The study is a simulated sample of three slices, each with its stability range. Cold: the whole command
`acnet classify`, its files and scene included; wall and processor time (user and system) and the largest memory of the
process, as the system counts them. Warm: model, localizer and study are loaded, one thread of PyTorch computes. Both
builds run in turn, in processes of their own: others may be using the machine. The least of the runs counts, for others
only add to it. Cold starts are measured with PyTorch's threads as a user has them, and held to one thread, where the
processor time of threads that wait for each other does not count.

PYTHON: the baseline's, where it needs other packages. It may be as old as the builds whose command was in
`ACNetLib.cli`. Wanted: cold at most 0.6 of the baseline, memory 0.75, warm 0.45.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

THIS = Path(__file__).resolve().parents[2]
STUDY = THIS / "ACNetClassifier" / "Resources" / "SampleData" / "ACNetSimulatedDCM"
WARM_RUNS = 10
WANTED = {"cold_wall_s": 0.6, "cold_processor_s": 0.6, "cold_memory_mb": 0.75, "warm_processor_s": 0.45}


class Build:
    """A checkout and the Python that runs it."""

    def __init__(self, checkout: Path, python: str) -> None:
        self.checkout = checkout
        self.python = python
        older = (checkout / "ACNetClassifier" / "ACNetLib" / "cli.py").exists()
        self.command = "ACNetLib.cli" if older else "ACNetLib.commands.main"

    def start(self, arguments: list[str], threads: int | None) -> subprocess.Popen[str]:
        paths = [str(self.checkout / room) for room in ("ACNetClassifier", "ACNetTrainer")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        environment.pop("OMP_NUM_THREADS", None)
        if threads:
            environment["OMP_NUM_THREADS"] = str(threads)
        return subprocess.Popen([self.python, *arguments], env=environment, stdout=subprocess.PIPE, text=True)

    def cold(self, threads: int | None) -> dict[str, float]:
        with tempfile.TemporaryDirectory() as folder:
            arguments = ["-m", self.command, "classify", str(STUDY), "--device", "cpu", "--output", f"{folder}/result"]
            start = time.perf_counter()
            process = self.start(arguments, threads)
            assert process.stdout is not None
            process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
            wall = time.perf_counter() - start
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise SystemExit(f"{self.checkout}: acnet classify ended with {process.returncode}")
        return {
            "cold_wall_s": wall,
            "cold_processor_s": used.ru_utime + used.ru_stime,
            "cold_memory_mb": used.ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6,
        }

    def warm(self) -> dict[str, float]:
        process = self.start([__file__, "--warm", str(STUDY)], 1)
        said, _ = process.communicate()
        if process.returncode:
            raise SystemExit(f"{self.checkout}: a warm classification ended with {process.returncode}")
        found: dict[str, float] = json.loads(said.splitlines()[-1])
        return found


def warm_seconds(study: Path) -> dict[str, float]:
    """In this process, whose import path is that of the build: classifications of a study that is loaded."""
    import torch

    torch.set_num_threads(1)
    classify = _loaded(study)
    classify()  # the first one also prepares
    wall, processor = [], []
    for _ in range(WARM_RUNS):
        start, used = time.perf_counter(), time.process_time()
        classify()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    return {"warm_wall_s": min(wall), "warm_processor_s": min(processor)}


def _loaded(study: Path) -> Any:
    """A call that classifies the study, of this build or of one before the pipeline was put together in one place."""
    try:
        from ACNetLib.inference.pipeline import load_pipeline, model_for_map
        from ACNetLib.t1map.t1_map import read_t1_map
    except ModuleNotFoundError:
        return _loaded_by_older(study)
    t1_map = read_t1_map(study)
    classifier = load_pipeline(model_for_map(t1_map), device="cpu")
    return lambda: classifier.classify(t1_map)


def _loaded_by_older(study: Path) -> Any:
    from importlib import import_module as module

    t1_map = module("ACNetLib.t1map").read_t1_map(study)
    store, device = module("ACNetLib.model_store"), module("ACNetLib.device").choose_device("cpu")
    model = module("ACNetLib.model").load_model(store.model_for_field(t1_map.field_strength_tesla))
    localizer = module("ACNetLib.localizer")
    found = localizer.Localizer(localizer.load_localizer(store.default_localizer()), device)
    classifier = module("ACNetLib.classifier").Classifier(model, found, device)
    return lambda: classifier.classify(t1_map)


def least(runs: list[dict[str, float]]) -> dict[str, float]:
    return {name: round(min(run[name] for run in runs), 3) for name in runs[0]}


def middle_ratio(baseline: list[dict[str, float]], this: list[dict[str, float]], name: str) -> float:
    return round(statistics.median(b[name] / a[name] for a, b in zip(baseline, this, strict=True)), 3)


def measured(builds: dict[str, Build], runs: int, kind: str) -> dict[str, Any]:
    """The least of the runs of each build, and the ratio of these; and the middle one of the ratios of each pair."""
    found: dict[str, list[dict[str, float]]] = {name: [] for name in builds}
    for _ in range(runs):
        for name, build in builds.items():
            found[name].append(build.warm() if kind == "warm" else build.cold(1 if kind == "cold_one_thread" else None))
    best = {name: least(each) for name, each in found.items()}
    names = best["this_build"]
    return {
        **best,
        "ratio": {name: round(best["this_build"][name] / best["baseline"][name], 3) for name in names},
        "ratio_of_pairs": {name: middle_ratio(found["baseline"], found["this_build"], name) for name in names},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("baseline", nargs="?", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--warm", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.warm:
        print(json.dumps(warm_seconds(options.warm)))
        return
    if options.baseline is None:
        parser.error("expected the checkout of a baseline")
    builds = {
        "baseline": Build(options.baseline.resolve(), options.python),
        "this_build": Build(THIS, sys.executable),
    }
    results = {kind: measured(builds, options.runs, kind) for kind in ("cold", "cold_one_thread", "warm")}
    for kind, found in results.items():
        for name, ratio in found["ratio"].items():
            wanted = f", wanted {WANTED[name]}" if name in WANTED else ""
            print(f"{kind}, {name}: {found['this_build'][name]}, baseline {found['baseline'][name]}: {ratio}{wanted}")
    if options.output:
        from ACNetLib.files import write_json
        from ACNetTrainerLib.evaluation.provenance import provenance  # not in every baseline

        command = f"python Testing/benchmarks/classify.py BASELINE_CHECKOUT --runs {options.runs}"
        write_json(
            options.output,
            {
                **provenance(command),
                "baseline_commit": commit_of(options.baseline),
                "seed": None,
                "study": STUDY.name,
                "cores": os.cpu_count(),
                "wanted": WANTED,
                **results,
            },
        )


def commit_of(checkout: Path) -> str:
    command = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


if __name__ == "__main__":
    main()

"""How fast a reading list is made.

    python Testing/benchmarks/triage.py [--studies N] [--older CHECKOUT [--python PYTHON]] [--output JSON]

In one run on this machine, copies of the simulated samples as studies of three slices each:
- the networks alone on all cores, a process a core: localizer and ACNet's five passes, no file read or written;
- `acnet triage`, its rate against that, the time to its first row, and the memory of its processes after 50 studies
  and the most that they have later;
- with --older, `acnet classify` of that checkout called once a study (of three studies; as it is, and held to one
  thread, where threads that wait for each other cost nothing), and how many times as many
  studies a minute the list has. It may be as old as the builds whose command was in `ACNetLib.cli`, and need a Python
  of its own.

Wanted: at least 0.6 of the networks alone and 6 times as many studies a minute, memory flat within 100 MB, the first
row after 3 s.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psutil
import pydicom

from ACNetLib.files import write_json
from ACNetLib.sample_data import sample_cases
from ACNetTrainerLib.evaluation.provenance import provenance

HERE = Path(__file__).resolve().parents[2]
BARE_SECONDS = 10.0
CLASSIFIED_ONE_BY_ONE = 3
PASSES = 5
SECONDS_BETWEEN_LOOKS = 5.0
"""At the memory of the processes, which the system counts page by page, on the cores that are measured."""


def write_studies(folder: Path, count: int) -> None:
    """Copies of the samples in turn, as patients of their own."""
    for number in range(count):
        sample = sample_cases()[number % 2].folder
        (folder / f"{number:05}").mkdir(parents=True)
        for file in sample.iterdir():
            dataset = pydicom.dcmread(file)
            dataset.PatientID, dataset.StudyInstanceUID = f"p{number}", f"1.2.826.0.1.{number + 1}"
            dataset.save_as(folder / f"{number:05}" / file.name)


def bare_studies(_process: int) -> int:
    """How many studies of three slices the networks alone get through, on one thread."""
    import torch

    from ACNetLib.models.model import load_model
    from ACNetLib.models.store import default_localizer, find_model
    from ACNetLib.networks.fast import make_fast
    from ACNetLib.networks.localizer import GRID_SIZE, load_localizer

    torch.set_num_threads(1)
    network, localizer = (
        load_model(find_model("acnet-simulated-1.5T")).network,
        load_localizer(default_localizer()).network,
    )
    make_fast(network)
    make_fast(localizer)
    whole, crops = (torch.rand(3, 1, size, size) * 255 for size in (GRID_SIZE, 128))
    done, end = 0, time.monotonic() + BARE_SECONDS
    with torch.inference_mode():
        while time.monotonic() < end:
            localizer(whole)
            for _ in range(PASSES):
                network(crops)
            done += 1
    return done


def bare_rate() -> float:
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, get_context("spawn")) as pool:
        return sum(pool.map(bare_studies, range(cores))) / BARE_SECONDS


class Watched:
    """A run of `acnet triage`: when its first row came, and the memory of its processes as rows come."""

    def __init__(self, studies: Path, output: Path, count: int) -> None:
        start = time.monotonic()
        environment = {**os.environ, "PYTHONPATH": str(HERE / "ACNetClassifier")}
        command = [sys.executable, "-m", "ACNetLib.commands.main", "triage", str(studies), "--output", str(output)]
        process = subprocess.Popen([*command, "--device", "cpu"], env=environment, stderr=subprocess.DEVNULL)
        self.first_row_s = self.memory_mb = self.memory_mb_after_50 = self.most_memory_mb_later = 0.0
        looked = start
        while process.poll() is None:
            if not self.first_row_s and _rows(output):
                self.first_row_s = time.monotonic() - start
            if time.monotonic() - looked > SECONDS_BETWEEN_LOOKS:
                self.memory_mb, looked = _memory_mb(process.pid) or self.memory_mb, time.monotonic()
                if _rows(output) <= min(50, count):
                    self.memory_mb_after_50 = self.memory_mb
                else:
                    self.most_memory_mb_later = max(self.most_memory_mb_later, self.memory_mb)
            time.sleep(0.05)
        self.seconds = time.monotonic() - start


def _rows(output: Path) -> int:
    return sum(1 for _ in output.glob("studies/*/row.json"))


def _memory_mb(pid: int) -> float:
    try:
        root = psutil.Process(pid)
        return sum(each.memory_full_info().uss for each in (root, *root.children(recursive=True))) / 1e6
    except psutil.Error:  # one has ended meanwhile
        return 0.0


def one_by_one_rate(checkout: Path, python: str, studies: Path, threads: dict[str, str]) -> float:
    """Studies a second of `acnet classify` of another checkout, called once a study."""
    environment = {**os.environ, "PYTHONPATH": str(checkout / "ACNetClassifier"), **threads}
    older = (checkout / "ACNetClassifier" / "ACNetLib" / "cli.py").exists()
    module = "ACNetLib.cli" if older else "ACNetLib.commands.main"
    chosen = sorted(studies.iterdir())[:CLASSIFIED_ONE_BY_ONE]
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as results:
        for study in chosen:
            command = [python, "-m", module, "classify", str(study), "--device", "cpu"]
            output = ["--output", f"{results}/{study.name}"]
            subprocess.run([*command, *output], env=environment, check=True, stdout=subprocess.DEVNULL)
    return len(chosen) / (time.monotonic() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--older", type=Path)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        studies = Path(folder) / "studies"
        write_studies(studies, options.studies)
        bare = bare_rate()
        run = Watched(studies, Path(folder) / "list", options.studies)
        rate = options.studies / run.seconds
        found: dict[str, Any] = {
            "studies": options.studies,
            "cores": cores,
            "networks_alone_a_minute": round(60 * bare, 1),
            "triage_a_minute": round(60 * rate, 1),
            "share_of_networks_alone": round(rate / bare, 3),
            "first_row_s": round(run.first_row_s, 1),
            "memory_mb_after_50": round(run.memory_mb_after_50),
            "most_memory_mb_later": round(run.most_memory_mb_later),
        }
        if options.older:
            for name, threads in (("older", {}), ("older_on_one_thread", {"OMP_NUM_THREADS": "1"})):
                older = one_by_one_rate(options.older.resolve(), options.python, studies, threads)
                found |= {f"{name}_a_minute": round(60 * older, 1), f"times_as_many_as_{name}": round(rate / older, 2)}
    for name, value in found.items():
        print(f"{name}: {value}")
    if options.output:
        command = f"python Testing/benchmarks/triage.py --studies {options.studies} --older BASELINE_CHECKOUT"
        write_json(options.output, {**provenance(command), "seed": None, **found})


if __name__ == "__main__":
    main()

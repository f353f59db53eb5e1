"""What training costs beside another checkout: a step, with and without instructions for bfloat16, and an epoch beside
its bare steps.

    python Testing/benchmarks/training.py BASELINE_CHECKOUT [SLICES]

The baseline is a checkout of this repository, such as `git worktree add` makes. Both builds are measured in turn, in
processes of their own: others may be using the machine. A processor without the instructions is this one with PyTorch
held to AVX2. Wanted: a step there at least 8 times as fast as the baseline's was on 2026-11-28, an epoch at most 1.15
times its bare steps. Where others use the machine, an epoch's processor time on one thread (OMP_NUM_THREADS=1) still
says something; it counts what is done beside the training, too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

THIS = Path(__file__).resolve().parents[2]
WITHOUT_BFLOAT16 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"}
STEP_SECTIONS = 16
STEPS = 3
SLICES = 3200
MAP_SIZE = (216, 256)

Clocks = tuple[float, float]
"""Seconds on the wall and of the processor."""


def network_step(precision: str, batch_size: int) -> Callable[[], None]:
    """Forward, backward and update of ACNet on sections in memory, as the recipe trains it."""
    import torch
    from torch.nn import functional as F

    build_network = of_either_build("build_network", "ACNetTrainerLib.training.network", "ACNetTrainerLib.networks")
    torch.manual_seed(1)
    network: Any = build_network("acnet", dropout=0.2)
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters())
    sections, labels = 255 * torch.rand(batch_size, 1, 128, 128), torch.arange(batch_size) % 2

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed"):
            logits = network(sections).logits.float()
        optimizer.zero_grad()
        F.cross_entropy(logits, labels).backward()
        optimizer.step()

    return step


def clocks() -> Clocks:
    return time.perf_counter(), time.process_time()


def since(start: Clocks) -> Clocks:
    wall, processor = clocks()
    return wall - start[0], processor - start[1]


def took(work: Callable[[], None]) -> Clocks:
    start = clocks()
    work()
    return since(start)


def of_either_build(name: str, module: str, older_module: str) -> Any:
    """What has this name in the build that runs: the baseline's files lie flat in their library."""
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError:
        return getattr(import_module(older_module), name)


def recommended() -> tuple[Any, str]:
    """The recipe of the build that runs, and the precision that it means on this processor."""
    read_recipe = of_either_build("read_recipe", "ACNetTrainerLib.training.recipe", "ACNetTrainerLib.recipe")
    recipe = read_recipe("recommended")
    precision = recipe.optimization.precision
    if precision == "auto":
        from ACNetTrainerLib.training.precision import choose_precision

        precision = choose_precision(precision, "cpu").precision
    return recipe, precision


def measure_step() -> dict[str, Any]:
    _, precision = recommended()
    step = network_step(precision, STEP_SECTIONS)
    step()  # the first one also prepares
    return {"precision": precision, "seconds": min(took(step)[0] for _ in range(STEPS))}


def in_place(*place: Any) -> tuple[Any, ...]:
    """A build before the class `Place` takes its parts one by one."""
    try:
        from ACNetTrainerLib.training.loop import Place
    except ImportError:
        return place
    return (Place(*place),)


def measure_epoch(slices: int) -> dict[str, Any]:
    """The second of two epochs of a training, and as many bare steps just before and after it."""
    device_choice = of_either_build("DeviceChoice", "ACNetLib.inference.device", "ACNetLib.device")
    case_library = of_either_build("CaseLibrary", "ACNetTrainerLib.cases.library", "ACNetTrainerLib.cases")
    watch = of_either_build("Watch", "ACNetTrainerLib.training.progress", "ACNetTrainerLib.progress")
    train = of_either_build("train", "ACNetTrainerLib.training.train", "ACNetTrainerLib.training")
    recipe, precision = recommended()
    recipe = replace(recipe, optimization=replace(recipe.optimization, epochs=2))
    step = network_step(precision, recipe.optimization.batch_size)
    starts: list[Clocks] = []
    epochs: list[Clocks] = []
    steps = 0

    def report(event: Any) -> None:
        nonlocal steps
        if event["event"] == "start":
            steps = event["steps_per_epoch"]
        if event["event"] == "epoch":
            epochs.extend(since(start) for start in starts)
            starts[:] = [clocks()]

    with tempfile.TemporaryDirectory() as folder:
        library = case_library(Path(folder), cases_of_noise(Path(folder), slices))
        bare = [took(step) for _ in range(1 + STEPS)][1:]
        place = Path(folder) / "work", device_choice("cpu", "asked for"), watch(report=report)
        train(library, recipe, "benchmark", *in_place(*place))
        bare += [took(step) for _ in range(STEPS)]
    (second,) = epochs
    return {
        "steps": steps,
        "epoch": second,
        "bare": [steps * sum(clock) / len(bare) for clock in zip(*bare, strict=True)],
    }


def cases_of_noise(folder: Path, slices: int) -> tuple[Any, ...]:
    """As many maps as simulated ones are large, of one slice each; what is on them does not matter for time."""
    import numpy as np
    import SimpleITK as sitk

    case = of_either_build("Case", "ACNetTrainerLib.cases.library", "ACNetTrainerLib.cases")
    rng = np.random.default_rng(1)
    t1_ms = 1000 + 100 * rng.standard_normal((1, *MAP_SIZE))
    image = sitk.GetImageFromArray(t1_ms.astype(np.float32))
    image.SetSpacing((1.4, 1.4, 8.0))
    sitk.WriteImage(image, str(folder / "noise.nrrd"))
    middle = [(size - 1) / 2 for size in image.GetSize()]
    left, posterior, superior = image.TransformContinuousIndexToPhysicalPoint(middle)
    return tuple(
        case(
            f"c{i}", f"p{i // 3}", "noise.nrrd", ("normal", "dcm")[i // 3 % 2], left, posterior, superior, 1.5, "noise"
        )
        for i in range(slices)
    )


def measured(checkout: Path, what: str, slices: int, environment: dict[str, str] | None = None) -> dict[str, Any]:
    paths = os.pathsep.join(str(checkout / part) for part in ("ACNetClassifier", "ACNetTrainer"))
    done = subprocess.run(
        [sys.executable, __file__, "--measure", what, str(slices)],
        env={**os.environ, "PYTHONPATH": paths, **(environment or {})},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def main() -> None:
    if sys.argv[1] == "--measure":
        what, slices = sys.argv[2], int(sys.argv[3])
        print(json.dumps(measure_step() if what == "step" else measure_epoch(slices)))
        return
    baseline, slices = Path(sys.argv[1]).resolve(), int(sys.argv[2]) if len(sys.argv) > 2 else SLICES
    for processor, environment in (("this processor", {}), ("without bfloat16", WITHOUT_BFLOAT16)):
        old, new = (measured(checkout, "step", slices, environment) for checkout in (baseline, THIS))
        print(
            f"step of {STEP_SECTIONS}, {processor}: {old['seconds']:.2f} s ({old['precision']}) -> "
            f"{new['seconds']:.2f} s ({new['precision']}): {old['seconds'] / new['seconds']:.1f} times as fast",
            flush=True,
        )
    for name, checkout in (("baseline", baseline), ("this build", THIS)):
        found = measured(checkout, "epoch", slices)
        for clock, epoch, bare in zip(("wall", "processor"), found["epoch"], found["bare"], strict=True):
            print(
                f"epoch of {found['steps']} steps, {name}, {clock} time: {epoch:.1f} s, bare steps {bare:.1f} s: "
                f"{epoch / bare:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()

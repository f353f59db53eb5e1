"""What a GPU makes of it: a study's latency, sections a second beside ResNet50, training steps and their data.

    python Testing/benchmarks/gpu.py [--device cuda] [--output JSON]

Under five minutes. Wanted: with its data copied to the GPU each time, a step has at least 0.9 of the bare step's rate.
`--device cpu` rehearses the script with small batches; its numbers say nothing of a GPU.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from ACNetLib.files import write_json
from ACNetLib.inference.pipeline import load_pipeline, model_for_map
from ACNetLib.sample_data import sample_cases
from ACNetLib.t1map.section import SECTION_SIZE
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetTrainerLib.evaluation.provenance import provenance
from ACNetTrainerLib.training.network import build_network

BATCHES = {"cuda": (1, 8, 64, 512), "cpu": (1, 4)}
STEP_SECTIONS = {"cuda": 64, "cpu": 4}
RUNS = {"cuda": 20, "cpu": 2}
SEED = 1


def seconds(work: Callable[[], object], device: str) -> float:
    """The least of some runs on the wall; the GPU has ended its work at either end."""
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    found = []
    for _ in range(1 + RUNS[device]):
        wait()
        start = time.perf_counter()
        work()
        wait()
        found.append(time.perf_counter() - start)
    return min(found[1:])  # the first one also prepares


def study_seconds(device: str) -> float:
    t1_map = read_t1_map(sample_cases()[1].folder)
    classifier = load_pipeline(model_for_map(t1_map), device=device)
    return seconds(partial(classifier.classify, t1_map), device)


def sections_a_second(name: str, batch: int, device: str) -> float:
    torch.manual_seed(SEED)
    network: Any = build_network(name).eval().to(device)
    network.to(memory_format=torch.channels_last)
    sections = 255 * torch.rand(batch, 1, SECTION_SIZE, SECTION_SIZE, device=device)
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16):
        return batch / seconds(partial(network, sections), device)


def step_seconds(device: str, from_memory: bool) -> float:
    """Forward, backward and update in bfloat16; with sections that lie on the GPU, or that are copied to it each time
    from page-locked memory, as the trainer's loader hands them over."""
    torch.manual_seed(SEED)
    network: Any = build_network("acnet", dropout=0.2).to(device)
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters())
    count = STEP_SECTIONS[device]
    held = 255 * torch.rand(count, 1, SECTION_SIZE, SECTION_SIZE)
    held = held.pin_memory() if device == "cuda" else held
    there, labels = held.to(device), (torch.arange(count) % 2).to(device)

    def step() -> None:
        sections = held.to(device, non_blocking=True) if from_memory else there
        with torch.autocast(device, torch.bfloat16):
            logits = network(sections).logits.float()
        optimizer.zero_grad()
        F.cross_entropy(logits, labels).backward()
        optimizer.step()

    return seconds(step, device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    device: str = options.device
    if device == "cuda" and not torch.cuda.is_available():
        print("Skipped: no CUDA GPU that this PyTorch can use.")
        return
    bare, copied = step_seconds(device, False), step_seconds(device, True)
    found: dict[str, Any] = {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "cuda": torch.version.cuda,
        "study_s": study_seconds(device),
        "sections_a_second": {
            name: {batch: sections_a_second(name, batch, device) for batch in BATCHES[device]}
            for name in ("acnet", "resnet50")
        },
        "training_step_s": bare,
        "training_step_with_copying_s": copied,
        "share_of_bare_step": bare / copied,
    }
    print(json.dumps(found, indent=2))
    if options.output:
        command = f"python Testing/benchmarks/gpu.py --device {device}"
        write_json(options.output, {**provenance(command), "seed": SEED, **found})


if __name__ == "__main__":
    main()

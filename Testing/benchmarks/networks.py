"""What each network costs on one thread.

    python Testing/benchmarks/networks.py [STEPS]

Parameters, a section forward and a training step of 16 sections, of every network.

    python Testing/benchmarks/networks.py --inference [--runs N] [--output JSON]

Sections a study has (3) and that are answered at once (12) by ACNet and ResNet50, both made fast alike: normalizations
in the convolutions' weights, channels side by side, 1 x 1 convolutions by oneDNN; and the share of the rate of a matrix
product of 1024 x 1024. Processor time, the least of runs in turn. Wanted, at 12: ACNet at most 0.55 of ResNet50's time
and at least 0.75 of the product's rate.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn
from torch.fx.experimental.optimization import fuse
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from ACNetLib.files import write_json
from ACNetLib.networks.fast import make_fast
from ACNetLib.t1map.section import SECTION_SIZE
from ACNetTrainerLib.evaluation.provenance import provenance
from ACNetTrainerLib.training.network import NETWORKS, build_network

BATCH_SIZE = 16
BATCHES = (3, 12)
MATRIX_SIZE = 1024
SEED = 1


def parameter_count(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def forward_gflop(network: nn.Module, size: int = SECTION_SIZE) -> float:
    """10^9 additions and multiplications, counted one by one, of one section of size x size; nothing is computed."""
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network.to("meta").eval()(torch.empty(1, 1, size, size))
    return counter.get_total_flops() / 1e9


def step_seconds(name: str, bfloat16: bool, steps: int) -> float:
    """The fastest of some training steps: others may be using the machine.

    In 32 bit as the recipe `paper` trains, or in bfloat16 where that is exact enough as the recipe `recommended` does.
    """
    torch.manual_seed(1)
    network: Any = build_network(name)  # torch's stubs of Module.to know no memory format
    network.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters())
    sections = 255 * torch.rand(BATCH_SIZE, 1, SECTION_SIZE, SECTION_SIZE)
    labels = torch.arange(BATCH_SIZE) % 2
    seconds = []
    for _ in range(1 + steps):
        start = time.perf_counter()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            logits = network(sections).logits.float()
        optimizer.zero_grad()
        F.cross_entropy(logits, labels).backward()
        optimizer.step()
        seconds.append(time.perf_counter() - start)
    return min(seconds[1:])  # the first one also prepares


def made_fast(name: str) -> nn.Module:
    """What `make_fast` does to ACNet, also where a network is not put together of sequences, such as MONAI's ResNet."""
    torch.manual_seed(SEED)
    network: Any = build_network(name).eval()
    if name != "acnet":
        network.network = fuse(network.network)
    make_fast(network)
    return cast(nn.Module, network)


def processor_seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def inference(runs: int) -> dict[str, Any]:
    """Seconds a section and 10^9 operations a second by network and batch, beside a matrix product's rate."""
    networks = {name: made_fast(name) for name in ("acnet", "resnet50")}
    gflop = {name: forward_gflop(build_network(name)) for name in networks}
    matrix = torch.rand(MATRIX_SIZE, MATRIX_SIZE)
    results: dict[str, Any] = {}
    for batch in BATCHES:
        sections = 255 * torch.rand(batch, 1, SECTION_SIZE, SECTION_SIZE)
        seconds: dict[str, list[float]] = {name: [] for name in (*networks, "product")}
        with torch.inference_mode():
            for _ in range(1 + runs):
                for name, network in networks.items():
                    seconds[name].append(processor_seconds(partial(network, sections)))
                seconds["product"].append(processor_seconds(partial(torch.mm, matrix, matrix)))
        best = {name: min(each[1:]) for name, each in seconds.items()}  # the first one also prepares
        product_rate = 2 * MATRIX_SIZE**3 / best["product"] / 1e9
        rates = {name: batch * gflop[name] / best[name] for name in networks}
        results[f"batch of {batch}"] = {
            "ms_a_section": {name: round(1e3 * best[name] / batch, 2) for name in networks},
            "acnet_to_resnet50": round(best["acnet"] / best["resnet50"], 3),
            "gflop_a_second": {name: round(rate, 1) for name, rate in rates.items()}
            | {"product": round(product_rate, 1)},
            "acnet_share_of_product_rate": round(rates["acnet"] / product_rate, 3),
        }
    return {"gflop_a_section": {name: round(each, 3) for name, each in gflop.items()}, **results}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("steps", nargs="?", type=int, default=3)
    parser.add_argument("--inference", action="store_true")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if not options.inference:
        print_costs(options.steps)
        return
    found = inference(options.runs)
    print(json.dumps(found, indent=2))
    if options.output:
        command = f"python Testing/benchmarks/networks.py --inference --runs {options.runs}"
        wanted = {"acnet_to_resnet50": 0.55, "acnet_share_of_product_rate": 0.75}
        record = {**provenance(command), "seed": SEED, "instructions": torch.backends.cpu.get_cpu_capability()}
        write_json(options.output, {**record, "wanted": wanted, **found})


def print_costs(steps: int) -> None:
    print(f"{'':22}{'parameters':>12}{'GFLOP forward':>16}{'s a step, 32 bit':>20}{'s a step, bfloat16':>20}")
    for name in NETWORKS:
        network = build_network(name)
        print(f"{name:22}{parameter_count(network):12,}{forward_gflop(network):16.2f}", end="", flush=True)
        print("".join(f"{step_seconds(name, bfloat16, steps):20.2f}" for bfloat16 in (False, True)), flush=True)


if __name__ == "__main__":
    main()

"""What each network costs on one thread: its parameters, a section forward and a training step of 16 sections.

python Testing/benchmarks/networks.py [STEPS]
"""

from __future__ import annotations

import sys
import time
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from ACNetLib.t1map.section import SECTION_SIZE
from ACNetTrainerLib.training.network import NETWORKS, build_network

BATCH_SIZE = 16


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


def main() -> None:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    torch.set_num_threads(1)
    print(f"{'':22}{'parameters':>12}{'GFLOP forward':>16}{'s a step, 32 bit':>20}{'s a step, bfloat16':>20}")
    for name in NETWORKS:
        network = build_network(name)
        print(f"{name:22}{parameter_count(network):12,}{forward_gflop(network):16.2f}", end="", flush=True)
        print("".join(f"{step_seconds(name, bfloat16, steps):20.2f}" for bfloat16 in (False, True)), flush=True)


if __name__ == "__main__":
    main()

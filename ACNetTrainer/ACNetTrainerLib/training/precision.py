"""In which precision a device trains: 16-bit numbers where it computes with them natively, 32-bit ones elsewhere.

Where a processor has no instructions for bfloat16, PyTorch emulates it, and a training step takes ten times as long as
in 32 bit; where it has them, half as long (Testing/benchmarks/training.py).
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import cache
from typing import Literal

import torch
from torch.nn import functional as F

Precision = Literal["32-true", "bf16-mixed", "16-mixed"]

SLOWER = 1.2
"""The time in bfloat16 over that in 32 bit from which on 32 bit is the faster one. Measured: native 0.6 to 0.9; with
AVX512-BF16 but without AMX 1.5 to 1.9, where a training step takes 1.1 times as long; emulated with AVX-512 2.4 to 4,
with AVX2 4 to 12."""

FINE_S = 1e-4
"""A thread's clock that steps more coarsely, as on Windows, can't time a convolution of some milliseconds."""


@dataclass(frozen=True)
class PrecisionChoice:
    """precision: of the numbers, "mixed" where the weights stay in 32 bit. reason: for people to read."""

    precision: Precision
    reason: str


def choose_precision(request: Literal["auto"] | Precision, device: str) -> PrecisionChoice:
    """What the recipe asks for, or with "auto" what the device ("cpu", "cuda" or "mps") computes with natively."""
    if request != "auto":
        return PrecisionChoice(request, "the recipe asks for it")
    if device == "cuda":
        if torch.cuda.is_bf16_supported(including_emulation=False):
            return PrecisionChoice("bf16-mixed", "the GPU computes with bfloat16")
        return PrecisionChoice("16-mixed", "the GPU does not compute with bfloat16")
    if device != "cpu":
        return PrecisionChoice("32-true", f"so {device} trains")
    ratio = bfloat16_time_ratio()
    found = f"a trial convolution took {ratio:.1f} times as long with bfloat16 as in 32 bit"
    return PrecisionChoice("bf16-mixed" if ratio < SLOWER else "32-true", found)


@cache
def bfloat16_time_ratio() -> float:
    """The time of a convolution, forward and backward, on the processor in bfloat16 over that in 32 bit.

    Tried instead of asked, for PyTorch has no question that every version answers for every processor. On one thread,
    the fastest of three, in processor time: another process on the machine must not change the precision of a resumed
    training, nor make one of a comparison's trainings differ from the others.
    """
    sections = torch.ones(8, 64, 32, 32).to(memory_format=torch.channels_last).requires_grad_()
    kernel = torch.ones(64, 64, 3, 3, requires_grad=True)
    seconds: dict[bool, list[float]] = {True: [], False: []}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    clock = time.thread_time if time.get_clock_info("thread_time").resolution < FINE_S else time.perf_counter
    for bfloat16 in (False, True) * 3:
        start = clock()
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            F.conv2d(sections, kernel, padding=1).float().sum().backward()
        seconds[bfloat16].append(clock() - start)
    torch.set_num_threads(threads)
    return min(seconds[True]) / min(seconds[False])

"""The precision of a training is what its device computes with natively, unless the recipe names one."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ACNetTrainerLib.training import precision
from ACNetTrainerLib.training.precision import SLOWER, PrecisionChoice, bfloat16_time_ratio, choose_precision


@pytest.mark.parametrize("device", ["cpu", "cuda", "mps"])
def test_a_recipe_that_names_a_precision_gets_it(device: str) -> None:
    assert choose_precision("16-mixed", device) == PrecisionChoice("16-mixed", "the recipe asks for it")


@pytest.mark.parametrize(("ratio", "expected"), [(0.6, "bf16-mixed"), (2.4, "32-true"), (11.5, "32-true")])
def test_a_processor_trains_in_bfloat16_where_that_is_not_emulated(
    monkeypatch: pytest.MonkeyPatch, ratio: float, expected: str
) -> None:
    monkeypatch.setattr(precision, "bfloat16_time_ratio", lambda: ratio)
    choice = choose_precision("auto", "cpu")
    assert choice.precision == expected
    assert f"{ratio:.1f} times as long" in choice.reason


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16-mixed"), (False, "16-mixed")])
def test_an_older_gpu_trains_in_float16(monkeypatch: pytest.MonkeyPatch, native: bool, expected: str) -> None:
    def is_bf16_supported(including_emulation: bool) -> bool:
        return native or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_bf16_supported)
    assert choose_precision("auto", "cuda").precision == expected


def test_an_apple_gpu_trains_in_32_bit() -> None:
    assert choose_precision("auto", "mps").precision == "32-true"


@pytest.mark.parametrize(("resolution", "ratio"), [(1e-9, 3.0), (0.0156, 1.0)], ids=["fine", "as on Windows"])
def test_the_trial_counts_processor_time_where_a_thread_has_a_fine_clock(
    monkeypatch: pytest.MonkeyPatch, resolution: float, ratio: float
) -> None:
    """On a busy machine the time that passes says what others do: here it is the same in both precisions."""
    of_thread = iter(np.cumsum([0, 1, 0, 3] * 3).tolist())  # start, 32 bit, start, bfloat16
    passed = iter(range(12))
    clock = SimpleNamespace(
        thread_time=lambda: next(of_thread),
        perf_counter=lambda: next(passed),
        get_clock_info=lambda name: SimpleNamespace(resolution=resolution),
    )
    monkeypatch.setattr(precision, "time", clock)
    assert bfloat16_time_ratio.__wrapped__() == ratio


def test_the_trial_leaves_the_number_of_threads() -> None:
    threads = torch.get_num_threads()
    bfloat16_time_ratio.cache_clear()
    assert bfloat16_time_ratio() > 0
    assert torch.get_num_threads() == threads


@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="needs oneDNN")
def test_without_the_instructions_the_trial_finds_bfloat16_emulated() -> None:
    code = "from ACNetTrainerLib.training.precision import bfloat16_time_ratio; print(bfloat16_time_ratio())"
    environment = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "PYTHONPATH": os.pathsep.join(sys.path)}
    said = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert float(said.stdout) > SLOWER

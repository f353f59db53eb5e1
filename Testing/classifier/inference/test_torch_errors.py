"""PyTorch that is missing, broken or short of memory is one sentence with its remedy."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ACNetLib.inference.torch_errors import torch_error
from ACNetLib.sample_data import sample_cases
from repository import REPOSITORY


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import ctypes\nctypes.CDLL('libcudart-missing.so.13')", "libcudart-missing.so.13"),
        ("raise ImportError('DLL load failed while importing _C')", "DLL load failed"),
        ("raise RuntimeError('module was compiled against NumPy 1')", "compiled against NumPy 1"),
        ("from torch import nothing_like_it", "nothing_like_it"),
    ],
    ids=["a missing library", "Windows", "another NumPy", "half installed"],
)
def test_a_pytorch_that_can_not_be_loaded_is_one_line(tmp_path: Path, source: str, reason: str) -> None:
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(source)
    paths = [str(tmp_path), str(REPOSITORY / "ACNetClassifier")]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "ACNetLib.commands.main",
            "classify",
            sample_cases()[0].volume,
            "--output",
            tmp_path / "out",
        ],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("acnet: PyTorch is installed but can't be loaded (")
    assert reason in done.stderr
    assert "pip install --force-reinstall torch" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_missing_pytorch_is_said(tmp_path: Path) -> None:
    assert str(torch_error(ModuleNotFoundError("No module named 'torch'", name="torch"))).startswith(
        "PyTorch is not installed. "
    )


def test_another_error_is_not_pytorchs() -> None:
    for error in (
        ImportError("No module named 'elsewhere'", name="elsewhere"),
        OSError(28, "No space left on device"),
        RuntimeError("shapes differ"),
        KeyError("torch"),
    ):
        assert torch_error(error) is None


@pytest.mark.parametrize(
    "text",
    [
        "CUDA out of memory. Tried to allocate 2.00 GiB.",
        "MPS backend out of memory (MPS allocated: 17 GB)",
        "[enforce fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: can't allocate memory: you tried",
    ],
)
def test_a_full_memory_names_the_remedies(text: str) -> None:
    said = str(torch_error(RuntimeError(f"{text}\nmore lines")))
    assert text[:20] in said
    assert "--device cpu" in said
    assert "batch_size" in said
    assert "\n" not in said

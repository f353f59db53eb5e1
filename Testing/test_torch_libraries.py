"""PyTorch's libraries are loaded in a thread, and `import torch` works after that as ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CORE = Path(__file__).parent.parent / "ACNetClassifier"

LOADING = """
import sys, types
sys.path.insert(0, sys.argv[1])
sys.modules["ACNetLib.panel"] = package = types.ModuleType("ACNetLib.panel")  # its other files need Slicer
package.__path__ = [sys.argv[1] + "/ACNetLib/panel"]
from ACNetLib.panel.torch_libraries import load_torch_libraries

load_torch_libraries()
assert "torch" not in sys.modules
print(any("libtorch_cpu" in line for line in open("/proc/self/maps")))
import torch
print(float(torch.ones(2).sum()))
load_torch_libraries()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc to see which libraries are loaded")
def test_the_libraries_are_there_before_the_import() -> None:
    result = subprocess.run([sys.executable, "-c", LOADING, str(CORE)], capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["True", "2.0"]


def test_without_torch_nothing_happens() -> None:
    code = LOADING.split("print(any")[0].replace(
        "load_torch_libraries()\n",
        "import importlib.util; importlib.util.find_spec = lambda _: None\nload_torch_libraries()\n",
    )
    subprocess.run([sys.executable, "-c", code, str(CORE)], check=True)

"""PyTorch in a thread beside the application: loaded without a pause, and with a core left for the event loop."""

from __future__ import annotations

import ctypes
import importlib.util
import os
import sys
from pathlib import Path


def load_torch_libraries() -> None:
    """Load PyTorch's shared libraries while other threads run; `import torch` then finds them loaded.

    The import statement would hold the interpreter lock while the system loads these files of some hundred megabytes:
    the application would stand still for a quarter of a second, for seconds from a slow disk. A function of a shared
    library that ctypes calls gives the lock away. Where it does not work, `import torch` loads them as ever.
    """
    spec = importlib.util.find_spec("torch")
    if "torch" in sys.modules or sys.platform == "win32" or spec is None or not spec.submodule_search_locations:
        return
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    library = Path(spec.submodule_search_locations[0]) / "lib" / f"libtorch_python{suffix}"
    if library.is_file():
        load = ctypes.CDLL(None).dlopen
        load.argtypes, load.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p
        load(os.fsencode(library), os.RTLD_NOW)


def leave_a_core_free() -> None:
    """Let PyTorch compute on one core less than there are.

    Its threads wait for each other without sleeping. Where the event loop or another program takes one of their cores
    for a moment, all of them spin: on two cores a study took 7 to 26 seconds in place of 0.7.
    """
    import torch

    torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) - 1)))

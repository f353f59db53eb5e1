"""Loading PyTorch in a thread without a pause of the application."""

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

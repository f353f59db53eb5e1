"""PyTorch beside an application and others' work: imported without a pause, on all cores without getting in its way."""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ACNetLib.inference.torch_errors import torch_error

SHORT_WAITS = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}
"""For the libraries that share PyTorch's work among threads: how long a thread that waits for another keeps its core
busy before it sleeps. They read it when they are loaded."""


def wait_shortly() -> None:
    """For a command, before anything loads PyTorch. What a user has set stays."""
    for name, value in SHORT_WAITS.items():
        os.environ.setdefault(name, value)


def import_torch() -> None:
    """Import PyTorch; the other threads of the application go on meanwhile. Raises ACNetError when it can't be."""
    if "torch" not in sys.modules:
        os.environ.update(SHORT_WAITS)
        try:
            with without_garbage_collection():
                _load_libraries()
                import torch  # noqa: F401  # loading it is what is wanted
        except Exception as error:
            if (known := torch_error(error)) is None:
                raise
            raise known from error
    elif not os.environ.keys() >= SHORT_WAITS.keys():  # somebody else has imported it
        _leave_a_core_free()


def _load_libraries() -> None:
    """Load PyTorch's shared libraries; `import torch` then finds them loaded.

    The import statement would hold the interpreter lock while the system loads these files of some hundred megabytes:
    the application would stand still for a quarter of a second, for seconds from a slow disk. A function of a shared
    library that ctypes calls gives the lock away. Where it does not work, `import torch` loads them as ever.
    """
    spec = importlib.util.find_spec("torch")
    if sys.platform == "win32" or spec is None or not spec.submodule_search_locations:
        return
    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    library = Path(spec.submodule_search_locations[0]) / "lib" / f"libtorch_python{suffix}"
    if library.is_file():
        load = ctypes.CDLL(None).dlopen
        load.argtypes, load.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p
        load(os.fsencode(library), os.RTLD_NOW)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """For imports: Python's search for garbage looks at every object, holding the interpreter lock, 0.1 to 0.3 s in
    Slicer.

    An import makes some hundred thousand objects and thereby causes several searches, a third of its time. Afterwards
    all objects count as old ones, at which Python looks seldom. It does look: those of an application's other modules
    may become garbage.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()  # into the oldest generation; left frozen, they would never be freed
        if was_enabled:
            gc.enable()


def _leave_a_core_free() -> None:
    """Let PyTorch compute on one core less than there are.

    By default its threads wait for each other without sleeping. Where the event loop or another program takes one of
    their cores for a moment, all of them spin: on two cores a study took 7 to 26 seconds in place of 0.7.
    """
    import torch

    torch.set_num_threads(max(1, min(torch.get_num_threads(), (os.cpu_count() or 1) - 1)))


def compute_in_one_thread() -> None:
    """From now on, in this process: a sum that is always taken in the same order gives the same network on every
    computer, and as many processes as cores are faster than one on all of them."""
    import SimpleITK as sitk
    import torch

    torch.set_num_threads(1)
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)

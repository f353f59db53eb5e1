"""Which device really works: each is tried with a convolution before it is chosen."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from ACNetLib.errors import ACNetError
from ACNetLib.inference.torch_errors import is_out_of_memory, torch_error

if TYPE_CHECKING:
    from torch import Tensor, nn

DEVICE_REQUESTS = ("auto", "cuda", "mps", "cpu")
_PREFERENCE = ("cuda", "mps", "cpu")

Outcome = TypeVar("Outcome")


@dataclass(frozen=True)
class DeviceChoice:
    """A torch device that has passed its trial, and why it was chosen. automatic: it was not asked for by name."""

    device: str
    reason: str
    automatic: bool = False


def choose_device(request: str = "auto") -> DeviceChoice:
    """The device asked for, or with "auto" the fastest that works.

    Raises ACNetError for an unknown request and for a device that was asked for by name and fails its trial.
    """
    if request not in DEVICE_REQUESTS:
        raise ACNetError(f"device: found '{request}'; expected one of {', '.join(DEVICE_REQUESTS)}.")
    if request != "auto":
        problem = device_problem(request)
        if problem is not None:
            raise ACNetError(f"device: {request} can't be used: {problem}. Choose 'auto' or 'cpu'.")
        return DeviceChoice(request, "asked for")
    problems: list[str] = []
    for device in _PREFERENCE:
        problem = device_problem(device)
        if problem is None:
            reason = "; ".join(problems) or "the fastest device, tried and found working"
            return DeviceChoice(device, reason, automatic=True)
        problems.append(f"{device}: {problem}")
    raise ACNetError(f"device: none can be used ({'; '.join(problems)}). Reinstall PyTorch.")


def may_be_gpu(request: str) -> bool:
    """Whether `choose_device` may choose another device than the processor.

    Asked of the package of PyTorch, which names a build for processors alone: to import PyTorch takes seconds.
    """
    return not version("torch").endswith("+cpu") if request == "auto" else request != "cpu"


def device_problem(device: str) -> str | None:
    """Why `device` can't be used, or None when a convolution on it gives the CPU's result.

    A GPU can be listed as available and still fail its first kernel, when PyTorch was built for other ones.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        return "no CUDA GPU that this PyTorch can use"
    if device == "mps" and not torch.backends.mps.is_available():
        return "no Apple GPU that this PyTorch can use"
    image = torch.linspace(0, 1, 256).reshape(1, 1, 16, 16)
    kernel = torch.linspace(-1, 1, 9).reshape(1, 1, 3, 3)
    expected = torch.nn.functional.conv2d(image, kernel)
    try:
        result = torch.nn.functional.conv2d(image.to(device), kernel.to(device)).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        return f"a trial convolution failed ({str(error).splitlines()[0]})"
    if not torch.allclose(result, expected, atol=1e-2):
        return "a trial convolution gave a wrong result"
    return None


def inference_autocast(device: str) -> AbstractContextManager[object]:
    """Half precision on CUDA, where it is faster; full precision elsewhere."""
    import torch

    return torch.autocast("cuda", dtype=torch.float16) if device == "cuda" else nullcontext()


def infer(network: nn.Module, inputs: Tensor, choice: DeviceChoice, half: bool = False) -> tuple[Any, DeviceChoice]:
    """What a network says of a batch, and the device that said it. half: in half precision on CUDA.

    A GPU that has passed its trial can still have too little memory: where it was chosen automatically the processor
    goes on, and the choice that is returned says so. Raises ACNetError where the device was asked for by name.
    """
    import torch

    try:
        autocast = inference_autocast(choice.device) if half else nullcontext()
        with torch.inference_mode(), autocast:
            return _on(choice.device, network)(inputs.to(choice.device)), choice
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        if not choice.automatic or choice.device == "cpu":
            raise torch_error(error) or error from error
    # Only here: the error held on to what filled the memory.
    with torch.inference_mode():
        return _on("cpu", network)(inputs), _processor_instead_of(choice)


def _on(device: str, network: nn.Module) -> nn.Module:
    """The network moved there. Where its first weights are, the others are or were to go: going through its hundreds of
    modules would cost as much as a slice."""
    first = next(network.parameters(), None)
    return network if first is None or first.device.type == device else network.to(device)


def work_on(choice: DeviceChoice, work: Callable[[DeviceChoice], Outcome], say: Callable[[str], None]) -> Outcome:
    """Long work that takes a device, such as a training that goes on from its checkpoint.

    Where the device was chosen automatically and has too little memory the work is called again for the processor, and
    `say` is told.
    """
    try:
        return work(choice)
    except RuntimeError as error:
        if not is_out_of_memory(error) or not choice.automatic or choice.device == "cpu":
            raise
    say(f"{choice.device}: out of memory. The processor goes on, which is slower.")
    return work(_processor_instead_of(choice))


def _processor_instead_of(choice: DeviceChoice) -> DeviceChoice:
    return DeviceChoice("cpu", f"{choice.device}: out of memory", automatic=True)

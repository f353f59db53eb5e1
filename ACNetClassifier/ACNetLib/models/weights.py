"""One `.safetensors` file that holds a network's weights and its card, plain values as JSON. It is never unpickled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from ACNetLib.errors import ACNetError
from ACNetLib.files import atomic_path
from ACNetLib.models.header import METADATA_KEY, WEIGHTS_SUFFIX, CardValues, read_card_values

STEPS = 127
"""Of 8 bits, on either side of zero."""
SCALE = ".scale"
"""What is written behind a weight's name in the file for the size of its steps, (outputs,)."""


def round_weights(network: nn.Module, bits: Literal[8, 16] = 8) -> None:
    """Round the convolutions' and linear layers' weights as they are stored: to 8 bits, with a step for each output, or
    to 16.

    What is fitted and measured with the network then holds for its file. Frozen weights, and those that 16 bits can't
    hold, stay as they are.
    """
    with torch.no_grad():
        for weight in network.parameters():
            if weight.dim() > 1 and weight.requires_grad:
                rounded = _restored(*_in_8_bits(weight)) if bits == 8 else weight.half().float()
                weight.copy_(torch.where(rounded.isfinite(), rounded, weight))


def write_weights(network: nn.Module, card: CardValues, path: Path) -> None:
    """Write the file in one piece. The same weights and card always give the same bytes.

    Weights that 8 or 16 bits hold exactly take no more. The card gets the checksum of the weights as `weights_sha256`.
    """
    packed = _packed({name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()})
    metadata = {METADATA_KEY: json.dumps({**card, "weights_sha256": _checksum(_unpacked(packed))}, sort_keys=True)}
    with atomic_path(path) as temporary:
        temporary.write_bytes(save(packed, metadata=metadata))


def read_weights(path: Path, *, comparisons: bool = False) -> tuple[CardValues, dict[str, Tensor]]:
    """Card and weights. Raises ACNetError for a file that is missing, damaged, or none of ours.

    comparisons: see `read_card_values`.
    """
    path = Path(path)
    card = read_card_values(path, comparisons=comparisons)
    try:
        # Not mapped into memory: the weights stay as they were checked, and Windows lets the file be replaced.
        tensors = load(path.read_bytes())
    except (SafetensorError, OSError, KeyError) as error:  # KeyError: a number format that torch doesn't have
        raise ACNetError(f"{path.name}: not a readable {WEIGHTS_SUFFIX} file ({error}). Copy it again.") from error
    return card, _unpacked(tensors)


def load_weights(network: nn.Module, tensors: Mapping[str, Tensor], checksum: str, name: str) -> None:
    """Put the weights into the network. Raises ACNetError when they are not of this network, or were changed."""
    expected = {key: _layout(value) for key, value in network.state_dict().items()}
    found = {key: _layout(value) for key, value in tensors.items()}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            raise ACNetError(
                f"{name}: weight {key} is {found.get(key, 'missing')}; its network has {expected.get(key, 'none')}."
            )
    if _checksum(tensors) != checksum:
        raise ACNetError(f"{name}: its weights don't match their checksum; the file was changed. Copy it again.")
    if not all(torch.isfinite(value).all() for value in tensors.values()):
        raise ACNetError(f"{name}: its weights hold values that are no numbers; train the model again.")
    network.load_state_dict(tensors)


def _packed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    packed = {}
    for name, tensor in tensors.items():
        packed[name] = tensor
        if tensor.dtype != torch.float32 or tensor.dim() < 2:
            continue
        steps, scale = _in_8_bits(tensor)
        if torch.equal(_restored(steps, scale), tensor):
            packed |= {name: steps, name + SCALE: scale}
        elif torch.equal((halved := tensor.half()).float(), tensor):
            packed[name] = halved
    return packed


def _unpacked(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What is stored in another way than `_packed` does it stays as it is, for `load_weights` to refuse."""
    unpacked = dict(tensors)
    for name, tensor in tensors.items():
        if tensor.dtype == torch.float16 and tensor.dim() > 1:
            unpacked[name] = tensor.float()
        scale = tensors.get(name + SCALE)
        if tensor.dtype == torch.int8 and scale is not None and scale.shape == tensor.shape[:1]:
            unpacked[name] = _restored(tensor, unpacked.pop(name + SCALE))
    return unpacked


def _in_8_bits(weight: Tensor) -> tuple[Tensor, Tensor]:
    """The nearest steps of -127 to 127, and how large a step of each output is.

    A bfloat16 has 8 digits and the range of 32 bits: 127 steps are exact in 32 bits, so rounding again changes nothing.
    """
    scale = (weight.flatten(1).abs().amax(1) / STEPS).bfloat16()
    steps = weight / _for_each_output(scale.float(), weight)
    return steps.nan_to_num().round().to(torch.int8), scale


def _restored(steps: Tensor, scale: Tensor) -> Tensor:
    return steps.float() * _for_each_output(scale.float(), steps)


def _for_each_output(scale: Tensor, weight: Tensor) -> Tensor:
    return scale.view(-1, *[1] * (weight.dim() - 1))


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].numpy().tobytes())
    return digest.hexdigest()


def _layout(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"

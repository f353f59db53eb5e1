"""A network that was made fast says what it said before."""

from __future__ import annotations

import torch
from torch import nn

from ACNetLib.models.model import load_model
from ACNetLib.models.store import default_localizer, model_for_field
from ACNetLib.networks.fast import make_fast
from ACNetLib.networks.localizer import load_localizer


def count(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(isinstance(module, kind) for module in network.modules())


def test_the_shipped_classifiers_answer_as_before_with_less_to_compute() -> None:
    network = load_model(model_for_field(1.5)).network
    images = 100 + 40 * torch.randn(3, 1, 128, 128, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before, normalizations = network(images), count(network, nn.BatchNorm2d)
        make_fast(network)
        after = network(images)
    torch.testing.assert_close(after.logits, before.logits, rtol=1e-4, atol=1e-4)
    for mask, mask_before in zip(after.masks, before.masks, strict=True):
        torch.testing.assert_close(mask, mask_before, rtol=1e-4, atol=1e-4)
    assert before.evidence is not None
    assert after.evidence is not None
    torch.testing.assert_close(after.evidence, before.evidence, rtol=1e-3, atol=1e-5)
    assert count(network, nn.BatchNorm2d) < normalizations / 2


def test_the_localizer_answers_as_before() -> None:
    network = load_localizer(default_localizer()).network
    images = 100 + 40 * torch.randn(2, 1, 192, 192, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = network(images)
        make_fast(network)
        torch.testing.assert_close(network(images), before, rtol=1e-3, atol=1e-3)


def test_a_normalization_of_something_else_than_a_convolution_stays() -> None:
    network = nn.Sequential(nn.BatchNorm2d(1), nn.ReLU(), nn.Conv2d(1, 2, 3), nn.ReLU(), nn.BatchNorm2d(2)).eval()
    make_fast(network)
    assert count(network, nn.BatchNorm2d) == 2


def test_a_convolution_of_one_pixel_answers_as_before_on_one_thread() -> None:
    """It is told a dilation, which chooses how PyTorch computes it and nothing else."""
    network = nn.Sequential(nn.Conv2d(8, 16, 1, stride=2), nn.ReLU(), nn.Conv2d(16, 4, 3, padding=1)).eval()
    images = torch.randn(3, 8, 9, 9, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        before = network(images)
        make_fast(network)
        torch.testing.assert_close(network(images), before)
    assert network[2].dilation == (1, 1), "of a larger kernel it would mean something"

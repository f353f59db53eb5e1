"""The network against its description: the paper's figures and the authors' own wiring of the attention module.

What every network has to do, this one too, is in Testing/trainer/networks/test_networks.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ACNetLib.networks.acnet import ACNet, AttentionModule, ResidualUnit, attend
from made_up_networks import normalized

PAPER_PARAMETERS = 875_298
ABLATIONS: dict[str, dict[str, Any]] = {
    "no attention": {"attention": "none"},
    "no attention module": {"attention_modules": 0},
    "one attention module": {"attention_modules": 1},
    "product": {"attention": "product"},
    "group normalization": {"normalization": "group"},
    "dropout": {"dropout": 0.3},
}


@pytest.fixture
def network() -> ACNet:
    """The paper's network with random weights, in evaluation mode; its normalization has seen a batch."""
    torch.manual_seed(1)
    return normalized(ACNet(), sections(4))


@pytest.fixture
def module() -> AttentionModule:
    torch.manual_seed(2)
    return normalized(AttentionModule(16, "batch", "residual"), 3.0 + 2.0 * torch.randn(4, 16, 32, 32))


@pytest.fixture
def features() -> Tensor:
    return 3.0 + 2.0 * torch.randn(2, 16, 32, 32, generator=torch.Generator().manual_seed(3))


def sections(count: int = 2) -> Tensor:
    return 255 * torch.rand(count, 1, 128, 128, generator=torch.Generator().manual_seed(4))


def called_shapes(module: nn.Module, x: Tensor) -> dict[str, list[tuple[tuple[int, ...], tuple[int, ...]]]]:
    """Shape in and out of every call of every submodule, by its name."""
    calls: dict[str, list[tuple[tuple[int, ...], tuple[int, ...]]]] = {}
    handles = []
    for name, child in module.named_modules():

        def note(_: nn.Module, inputs: tuple[Tensor, ...], output: Any, name: str = name) -> None:
            if isinstance(output, Tensor):
                calls.setdefault(name, []).append((tuple(inputs[0].shape), tuple(output.shape)))

        handles.append(child.register_forward_hook(note))
    with torch.inference_mode():
        module(x)
    for handle in handles:
        handle.remove()
    return calls


def test_the_paper_network_has_the_parameters_that_its_description_adds_up_to(network: ACNet) -> None:
    assert sum(parameter.numel() for parameter in network.parameters()) == PAPER_PARAMETERS


def test_seven_convolutions_and_three_residual_units_bring_the_section_to_32_x_32(network: ACNet) -> None:
    layers = list(network.down_residual)
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    assert [layer.out_channels for layer in convolutions] == [32, 32, 64, 64, 128, 128, 128]
    assert [layer.stride[0] for layer in convolutions] == [1, 2, 1, 2, 1, 1, 1]
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    assert [isinstance(layer, ResidualUnit) for layer in layers[-4:]] == [False, True, True, True]
    with torch.inference_mode():
        assert network.down_residual(sections()).shape == (2, 128, 32, 32)


def test_a_residual_unit_adds_a_preactivated_bottleneck_to_its_input(features: Tensor) -> None:
    torch.manual_seed(5)
    unit = ResidualUnit(16, "batch").eval()
    convolutions = [layer for layer in unit.modules() if isinstance(layer, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size[0], c.bias) for c in convolutions] == [
        (16, 4, 1, None),
        (4, 4, 3, None),
        (4, 16, 1, None),
    ]
    with torch.inference_mode():
        x = features.clone()
        for convolution, padding in zip(convolutions, (0, 1, 0), strict=True):
            x = F.conv2d(F.relu(x / (1 + 1e-3) ** 0.5), convolution.weight, padding=padding)
        torch.testing.assert_close(unit(features), features + x)


def test_attention_weighs_the_trunk_by_one_plus_the_mask() -> None:
    trunk, mask = torch.tensor([2.0, -4.0, 0.0]), torch.tensor([0.25, 0.5, 0.75])
    torch.testing.assert_close(attend(trunk, mask, "residual"), torch.tensor([2.5, -6.0, 0.0]))
    torch.testing.assert_close(attend(trunk, mask, "product"), torch.tensor([0.5, -2.0, 0.0]))


@pytest.mark.parametrize("attention", ["residual", "product"])
def test_the_attention_module_is_wired_as_its_authors_define_it(
    module: AttentionModule, features: Tensor, attention: Any
) -> None:
    module.attention = attention
    branch = module.mask
    assert branch is not None
    with torch.inference_mode():
        shared = module.before(features)
        trunk = module.trunk[1](module.trunk[0](shared))
        middle = branch.down(F.max_pool2d(shared, 3, 2, 1))
        bottom = branch.bottom[1](branch.bottom[0](F.max_pool2d(middle, 3, 2, 1)))
        up = F.interpolate(bottom, (16, 16), mode="bilinear", align_corners=False)
        up = F.interpolate(branch.up(up + branch.skip(middle)), (32, 32), mode="bilinear", align_corners=False)
        mask = torch.sigmoid(branch.gate[1](branch.gate[0](up)))
        weighted = trunk + mask * trunk if attention == "residual" else mask * trunk
        output, found = module(features)
        torch.testing.assert_close(found, mask)
        assert (mask[0] - mask[1]).abs().max() > 0.1, "the mask depends on the features"
        torch.testing.assert_close(output, module.after(weighted))


def test_one_unit_is_shared_by_both_branches_and_the_mask_is_made_at_8_x_8(
    module: AttentionModule, features: Tensor
) -> None:
    calls = called_shapes(module, features)
    sizes = {name: [(into[-1], out[-1]) for into, out in shapes] for name, shapes in calls.items()}
    assert sizes["before"] == [(32, 32)], "computed once for both branches"
    assert sizes["trunk.0"] == sizes["trunk.1"] == sizes["after"] == [(32, 32)]
    assert "trunk.2" not in sizes
    assert sizes["mask.down"] == sizes["mask.skip"] == sizes["mask.up"] == [(16, 16)]
    assert sizes["mask.bottom.0"] == sizes["mask.bottom.1"] == [(8, 8)]
    assert "mask.bottom.2" not in sizes
    assert sizes["mask"] == [(32, 32)]


@pytest.mark.parametrize("settings", ABLATIONS.values(), ids=ABLATIONS)
def test_every_ablation_learns(settings: dict[str, Any]) -> None:
    torch.manual_seed(6)
    network = ACNet(**settings).train()
    logits, masks, *_ = network(sections())
    F.cross_entropy(logits, torch.tensor([0, 1])).backward()
    modules = 0 if settings.get("attention") == "none" else settings.get("attention_modules", 2)
    assert len(masks) == modules
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
    assert without == []


def test_group_normalization_makes_a_section_independent_of_its_batch() -> None:
    torch.manual_seed(7)
    network = ACNet(normalization="group").train()
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in network.modules())
    with torch.inference_mode():
        torch.testing.assert_close(network(sections()).logits[:1], network(sections()[:1]).logits, rtol=1e-4, atol=1e-4)


def test_the_exported_network_computes_what_the_eager_one_does(network: ACNet, tmp_path: Path) -> None:
    class PlainOutput(nn.Module):
        """torch.export can't write named tuples to a file."""

        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            logits, masks, *_ = self.network(x)
            return logits, *masks

    shapes = ({0: torch.export.Dim("batch", min=1, max=64)},)
    torch.export.save(torch.export.export(PlainOutput(), (sections(2),), dynamic_shapes=shapes), tmp_path / "acnet.pt2")
    loaded = torch.export.load(tmp_path / "acnet.pt2").module()
    with torch.inference_mode():
        logits, masks, *_ = network(sections(3))
        torch.testing.assert_close(loaded(sections(3)), (logits, *masks))


@pytest.mark.parametrize("normalization", ["batch", "group"])
def test_the_evidence_of_all_places_adds_up_to_the_log_odds(normalization: Any) -> None:
    torch.manual_seed(3)
    network = ACNet(normalization=normalization)
    with torch.no_grad():
        dict(network.named_parameters())["head.5.bias"].copy_(torch.tensor([0.7, -0.4]))
    images = torch.rand(2, 1, 128, 128) * 255
    assert network(images).evidence is None, "while it is trained"
    with torch.inference_mode():
        logits, _, evidence, *_ = network.eval()(images)
    assert evidence.shape == (2, 32, 32)
    torch.testing.assert_close(evidence.sum(dim=(1, 2)), logits[:, 1] - logits[:, 0], rtol=1e-4, atol=1e-4)
    assert evidence.std() > 0

"""The five networks against their sources: sizes, depths, and the wiring of the residual attention network."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ACNetLib.errors import ACNetError
from ACNetLib.networks.acnet import ACNetOutput, ResidualUnit
from ACNetTrainerLib.networks.residual_attention import (
    AttentionModule,
    Hourglass,
    MaskBranch,
    ProjectionUnit,
    ResidualAttentionNetwork,
)
from ACNetTrainerLib.training.network import NETWORKS, build_network
from benchmarks.networks import forward_gflop, parameter_count
from made_up_networks import normalized
from repository import REPOSITORY

PAGE = REPOSITORY / "Documentation" / "networks.md"
ROW = re.compile(r"^\| `([a-z0-9-]+)` \| ([0-9,]+) \| ([0-9.]+) \|", re.MULTILINE)

# One input channel instead of three takes this much from a first convolution of 64 x 7 x 7, and two classes instead of
# 1000 that much from a last layer that sees 2048 channels.
FIRST_7 = 2 * 64 * 7 * 7
LAST_2048 = 998 * (2048 + 1)
PARAMETERS = {
    "acnet": 875_298,  # Documentation/paper.md; Testing/classifier/networks/test_network.py
    # Added up over the layers of the authors' Attention-56-deploy.prototxt, two parameters a normalized channel; with
    # its running mean and variance, which are no parameters here, that makes the 31.9 million that they publish.
    "residual-attention-56": 31_810_728 - FIRST_7 - LAST_2048,
    # 138 million in the source, exactly as many in Keras and torchvision; the first dense layer sees 4 x 4, not 7 x 7.
    "vgg16": 138_357_544 - 2 * 64 * 3 * 3 - 512 * (7**2 - 4**2) * 4096 - 998 * (4096 + 1),
    "resnet50": 25_557_032 - FIRST_7 - LAST_2048,  # torchvision's
    "resnet101": 44_549_160 - FIRST_7 - LAST_2048,  # torchvision's
}
DEPTHS = {"residual-attention-56": 56, "vgg16": 16, "resnet50": 50, "resnet101": 101}
MASKS = {
    "acnet": [(128, 32, 32), (128, 32, 32)],
    "residual-attention-56": [(256, 64, 64), (512, 32, 32), (1024, 16, 16)],
    "vgg16": [],
    "resnet50": [],
    "resnet101": [],
}

every_network = pytest.mark.parametrize("name", NETWORKS)


def sections(count: int = 2) -> Tensor:
    return 255 * torch.rand(count, 1, 128, 128, generator=torch.Generator().manual_seed(4))


@cache
def built(name: str) -> nn.Module:
    """The network with weights from a seed; its normalization has seen a batch, so that no mask is saturated."""
    torch.manual_seed(1)
    return normalized(build_network(name), sections())


def run(network: nn.Module, x: Tensor) -> Any:
    with torch.inference_mode():
        return network(x)


def sizes(network: nn.Module, x: Tensor) -> dict[str, list[int]]:
    """The size of what goes in and comes out of each module that takes and gives feature maps, by its name."""
    found: dict[str, list[int]] = {}
    handles = []
    for name, child in network.named_modules():

        def note(_: nn.Module, inputs: tuple[Tensor, ...], output: Any, name: str = name) -> None:
            if isinstance(output, Tensor) and output.ndim == 4:
                found[name] = [inputs[0].shape[-1], output.shape[-1]]

        handles.append(child.register_forward_hook(note))
    run(network, x)
    for handle in handles:
        handle.remove()
    return found


@every_network
def test_a_network_has_the_parameters_that_its_source_adds_up_to(name: str) -> None:
    assert parameter_count(built(name)) == PARAMETERS[name]


@pytest.mark.parametrize("name", DEPTHS)
def test_a_network_is_as_deep_as_its_name_says(name: str) -> None:
    """Layers with weights on the way through, so without mask branches and the convolutions of shortcuts."""
    layers = [
        layer
        for layer, module in built(name).named_modules()
        if isinstance(module, nn.Conv2d | nn.Linear) and not re.search(r"\.mask\.|shortcut|downsample", layer)
    ]
    assert len(layers) == DEPTHS[name]


@every_network
def test_a_section_gets_two_logits_and_masks_where_there_is_attention(name: str) -> None:
    output = run(built(name), sections())
    assert isinstance(output, ACNetOutput)
    assert output.logits.shape == (2, 2)
    assert output.logits[0].ne(output.logits[1]).all(), "they depend on the slice"
    assert [tuple(mask.shape) for mask in output.masks] == [(2, *shape) for shape in MASKS[name]]
    for mask in output.masks:
        assert ((mask > 0) & (mask < 1)).all()
        assert mask.std(dim=1).min() > 0, "every channel has a mask of its own"


@every_network
def test_a_network_looks_at_intensities_on_a_scale_of_one(name: str) -> None:
    network = built(name)
    first = next(module for module in network.modules() if isinstance(module, nn.Conv2d))
    seen: list[Tensor] = []
    handle = first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    run(network, sections())
    handle.remove()
    torch.testing.assert_close(seen[0], sections() / 255)


@every_network
def test_the_same_seed_gives_the_same_weights_and_evaluation_the_same_answer(name: str) -> None:
    network = built(name)
    torch.testing.assert_close(run(network, sections()), run(network, sections()), rtol=0, atol=0)
    torch.manual_seed(1)
    again = dict(build_network(name).named_parameters())
    assert all(torch.equal(parameter, again[key]) for key, parameter in network.named_parameters())


@every_network
def test_a_gradient_reaches_every_parameter(name: str) -> None:
    torch.manual_seed(8)
    network = build_network(name).train()
    F.cross_entropy(network(sections()).logits, torch.tensor([0, 1])).backward()
    assert [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().max() > 0] == []


def test_the_settings_of_acnet_reach_it() -> None:
    assert run(build_network("acnet", attention="none", dropout=0.1).eval(), sections(1)).masks == ()


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("vgg19", {}, "found 'vgg19'; expected one of acnet, residual-attention-56, vgg16, resnet50, resnet101"),
        ("vgg16", {"attention": "none"}, "'vgg16': found settings attention; expected none"),
        ("acnet", {"depth": 3}, "found settings depth; expected attention_modules, attention, normalization, dropout"),
    ],
)
def test_a_network_or_a_setting_that_there_is_not_is_refused(name: str, settings: Any, message: str) -> None:
    with pytest.raises(ACNetError, match=re.escape(message)):
        build_network(name, **settings)


def test_the_documentation_says_what_is_counted() -> None:
    rows = {name: (parameters, gflop) for name, parameters, gflop in ROW.findall(PAGE.read_text(encoding="utf-8"))}
    assert list(rows) == list(NETWORKS)
    for name, (parameters, gflop) in rows.items():
        with torch.device("meta"):
            network = build_network(name)
        assert parameters == f"{parameter_count(network):,}"
        assert gflop == f"{forward_gflop(network):.2f}"


@pytest.mark.parametrize("name", ["resnet50", "resnet101"])
def test_the_stem_of_a_resnet_halves_the_size_twice_and_three_stages_do_once_each(name: str) -> None:
    found = sizes(built(name).get_submodule("network"), sections() / 255)
    assert [found["conv1"], found["maxpool"]] == [[128, 64], [64, 32]]
    assert [found[f"layer{stage}"] for stage in (1, 2, 3, 4)] == [[32, 32], [32, 16], [16, 8], [8, 4]]


def test_each_block_of_vgg16_halves_the_size_at_its_end() -> None:
    features = built("vgg16").get_submodule("features")
    found = sizes(features, sections() / 255)
    pools = [found[name] for name, layer in features.named_children() if isinstance(layer, nn.MaxPool2d)]
    assert pools == [[128, 64], [64, 32], [32, 16], [16, 8], [8, 4]]


def test_the_stages_of_the_residual_attention_network_are_64_32_16_and_8_wide_and_masks_are_made_at_8_x_8() -> None:
    found = sizes(built("residual-attention-56"), sections())
    assert [found["stem.0"], found["stem.3"]] == [[128, 128], [128, 64]]
    assert [found[f"projections.{stage}"] for stage in range(3)] == [[64, 64], [64, 32], [32, 16]]
    assert [found[f"attention_modules.{stage}.mask"] for stage in range(3)] == [[64, 64], [32, 32], [16, 16]]
    for stage, levels in enumerate([[32, 16, 8], [16, 8], [8]]):
        prefix = f"attention_modules.{stage}.mask.hourglass."
        for depth, size in enumerate(levels):
            units = {"down", "up"} if size == 8 else {"down", "skip", "up"}
            at = prefix + "inner." * depth
            assert {name for name in ("down", "skip", "up", "inner") if at + name in found} - {"inner"} == units
            assert all(found[at + name] == [size, size] for name in units)
    assert [found[f"last_stage.{unit}"] for unit in range(3)] == [[16, 8], [8, 8], [8, 8]]


def test_at_the_authors_sizes_the_residual_attention_network_costs_what_they_publish() -> None:
    """6.2 * 10^9 multiplications with their additions; without the stem's stride their 224 x 224 is 112 x 112 here."""
    assert forward_gflop(ResidualAttentionNetwork(), size=112) / 2 == pytest.approx(6.2, abs=0.05)


@pytest.fixture
def features() -> Tensor:
    return 3.0 + 2.0 * torch.randn(2, 16, 32, 32, generator=torch.Generator().manual_seed(3))


def small_module(poolings: int, features: Tensor) -> AttentionModule:
    torch.manual_seed(2)
    module = AttentionModule(16, poolings)
    normalized(module, features)
    return module


def hourglasses(branch: MaskBranch) -> list[Hourglass]:
    """From the outermost to the innermost."""
    return [module for module in branch.modules() if isinstance(module, Hourglass)]


def test_the_mask_branch_is_wired_as_its_authors_define_it(features: Tensor) -> None:
    """Stage A: three poolings, a unit after each and a second one at the bottom; skips at the two inner sizes alone."""
    branch = small_module(3, features).mask
    outer, middle, bottom = hourglasses(branch)
    assert outer.skip is not None
    assert middle.skip is not None
    with torch.inference_mode():
        down_1 = outer.down(F.max_pool2d(features, 3, 2, 1))
        down_2 = middle.down(F.max_pool2d(down_1, 3, 2, 1))
        down_3 = bottom.up(bottom.down(F.max_pool2d(down_2, 3, 2, 1)))
        up = F.interpolate(down_3, (8, 8), mode="bilinear", align_corners=False)
        up = F.interpolate(middle.up(up + middle.skip(down_2)), (16, 16), mode="bilinear", align_corners=False)
        up = F.interpolate(outer.up(up + outer.skip(down_1)), (32, 32), mode="bilinear", align_corners=False)
        torch.testing.assert_close(branch(features), torch.sigmoid(branch.gate[1](branch.gate[0](up))))


@pytest.mark.parametrize(("poolings", "skips"), [(3, 2), (2, 1), (1, 0)])
def test_a_mask_whose_bottom_sees_nothing_sees_the_features_through_the_skips_alone(
    poolings: int, skips: int, features: Tensor
) -> None:
    branch = small_module(poolings, features).mask
    glasses = hourglasses(branch)
    assert sum(glass.skip is not None for glass in glasses) == skips
    glasses[-1].up = Flat()
    spread = run(branch, features).std(dim=(0, 2, 3)).max()
    assert spread > 0.01 if skips else spread < 1e-6


@pytest.mark.parametrize("value", [0.0, 0.25, 1.0])
def test_attention_weighs_the_trunk_by_one_plus_the_mask(value: float, features: Tensor) -> None:
    module = small_module(1, features)
    module.mask = Constant(value)
    with torch.inference_mode():
        trunk = module.trunk[1](module.trunk[0](module.before(features)))
        output, mask = module(features)
        torch.testing.assert_close(output, module.after((1 + value) * trunk))
        assert mask.unique().tolist() == [value]


def test_both_branches_start_from_one_shared_unit(features: Tensor) -> None:
    module = small_module(2, features)
    with torch.inference_mode():
        shared = module.before(features)
        trunk = module.trunk(shared)
        output, mask = module(features)
        torch.testing.assert_close(mask, module.mask(shared))
        torch.testing.assert_close(output, module.after(trunk + mask * trunk))


def test_units_stand_where_the_authors_have_them() -> None:
    """One before, two in the trunk, one after; in the mask branch one a pooling, one more at the bottom, two a skip."""
    modules = built("residual-attention-56").get_submodule("attention_modules").children()
    for module, units in zip(modules, (3 + 1 + 2 * 2, 2 + 1 + 2 * 1, 1 + 1), strict=True):
        parts = [module.get_submodule(name) for name in ("before", "trunk", "mask", "after")]
        assert [sum(isinstance(m, ResidualUnit) for m in part.modules()) for part in parts] == [1, 2, units, 1]


@pytest.mark.parametrize("stride", [1, 2])
def test_a_unit_of_another_width_has_its_shortcut_after_the_first_normalization(stride: int, features: Tensor) -> None:
    torch.manual_seed(5)
    unit = ProjectionUnit(16, 32, stride).eval()
    convolutions = [layer for layer in unit.branch.modules() if isinstance(layer, nn.Conv2d)]
    assert [(c.out_channels, c.kernel_size[0], c.stride[0], c.bias) for c in convolutions] == [
        (8, 1, 1, None),
        (8, 3, stride, None),
        (32, 1, 1, None),
    ]
    scale = (1 + 1e-3) ** 0.5  # of a normalization that has seen nothing
    with torch.inference_mode():
        x = F.relu(features / scale)
        shortcut = F.conv2d(x, unit.shortcut.weight, stride=stride)
        x = F.relu(F.conv2d(x, convolutions[0].weight) / scale)
        x = F.relu(F.conv2d(x, convolutions[1].weight, stride=stride, padding=1) / scale)
        torch.testing.assert_close(unit(features), shortcut + F.conv2d(x, convolutions[2].weight))


class Constant(MaskBranch):
    """Stands in for a mask branch that has the same to say everywhere."""

    def __init__(self, value: float) -> None:
        super().__init__(16, 1)
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        return torch.full_like(x, self.value)


class Flat(ResidualUnit):
    """Stands in for a unit that gives the same everywhere, and of every section: the mean."""

    def __init__(self) -> None:
        super().__init__(16, "batch")

    def forward(self, x: Tensor) -> Tensor:
        return x.mean(dim=(0, 2, 3), keepdim=True).expand_as(x)

"""Whether a model's attention explains its decision: where it lies, what the decision loses without it, whether it
follows the heart, and whether it depends on what the network has learned.

Only simulated cases tell where the wall is. Measures: energy relative to area and the pointing game (Zhang 2018),
deletion against its surroundings (Petsiuk 2018), cascading randomisation of weights (Adebayo 2018).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter, map_coordinates
from scipy.stats import spearmanr
from torch import Tensor, nn

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import attention_maps, enlarged
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNet
from ACNetLib.t1map.section import SECTION_SIZE, to_intensity

from ..cases.library import LABELS, CaseLibrary
from .attention_regions import REGIONS, WALL_MARGIN_MM, FloatArray, regions_of
from .over_patients import SEED, OverPatients

POINTING_MM = 4
"""A map points at the wall when its highest pixel lies within so much of it."""
DELETED_SHARE = 0.10
SURROUNDINGS_MM = 10.0
"""Standard deviation of the blur that stands for a pixel's surroundings; 0 ms would be no tissue."""
SHIFT_MM, TURN_DEGREES = 8, 20.0
RANDOMISED_SLICES = 200
BATCH_SIZE = 32


class FixedMask(nn.Module):
    """Stands in for a mask branch: the same mask for every section."""

    mask: Tensor

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, x: Tensor) -> Tensor:
        return self.mask.expand(len(x), -1, -1, -1)


def with_masks(network: nn.Module, masks: Sequence[Tensor]) -> ACNet:
    """A copy of a network whose modules have the same mask for every slice, (1, C, H, W) each."""
    fixed = cast(ACNet, copy.deepcopy(network))
    for module, mask in zip(fixed.attention_modules, masks, strict=True):
        module.mask = FixedMask(mask)
    return fixed


@dataclass(frozen=True, eq=False)
class Seen:
    """What a network says of slices: log odds (n,) and attention maps by name, (n, 128, 128)."""

    log_odds: NDArray[np.float64]
    maps: dict[str, FloatArray]


@dataclass(frozen=True, eq=False)
class Measured:
    """The slices on which maps are measured, all (n, 128, 128): as they are, shifted and turned, and which pixel lies
    in which of REGIONS."""

    slices: FloatArray
    shifted: FloatArray
    turned: FloatArray
    where: NDArray[np.uint8]
    over_patients: OverPatients


Run = Callable[[FloatArray], Seen]


def validate_attention(
    model: Model,
    library: CaseLibrary,
    device: DeviceChoice,
    others: Sequence[Model] = (),
    untaught: Model | None = None,
) -> dict[str, Any]:
    """Every measure of each attention map, with 95 % intervals over patients.

    others: the same network trained with other seeds; their maps should be alike. untaught: the same network whose
    attention was not taught where to lie; its AUROC should not be higher. Raises ACNetError for a network without
    attention, and for cases without the true outlines of a simulated library.
    """
    if not model.card.attention_thresholds:
        raise ACNetError(f"model {model.card.name}: it has no attention; expected one with an attention module.")
    measured = measured_slices(model, library)
    network = cast(ACNet, model.network.to(device.device).eval())
    seen = _run(network, measured.slices, device)
    runs = [partial(_run, other.network.to(device.device).eval(), device=device) for other in others]
    compared = {} if untaught is None else {"auroc_against_untaught": _against(untaught, seen, measured, device)}
    return {
        "wall_margin_mm": WALL_MARGIN_MM,
        "maps": measure_maps(network, partial(_run, network, device=device), measured, device, runs),
        "auroc_lost": _auroc_lost(network, measured.slices, seen, device, measured.over_patients),
        **compared,
        "rank_correlation_after_randomising": _randomised(model, measured.slices[:RANDOMISED_SLICES], seen, device),
    }


def measured_slices(model: Model, library: CaseLibrary) -> Measured:
    """Raises ACNetError for cases of one class, and without the true outlines of a simulated library."""
    cases = library.cases
    for label in LABELS:
        if not any(case.label == label for case in cases):
            raise ACNetError(f"{library.folder}: no case labelled {label}; expected some of each class.")
    regions = [regions_of(library, case) for case in cases]
    if any(region is None for region in regions):
        raise ACNetError(f"{library.folder}: some cases have no outlines; expected those of a simulated library.")
    return Measured(
        _slices(library, model),
        _slices(library, model, shift_mm=SHIFT_MM),
        _slices(library, model, turn_degrees=TURN_DEGREES),
        np.stack([region for region in regions if region is not None]),
        OverPatients([case.patient for case in cases], np.array([case.is_dcm for case in cases])),
    )


def measure_maps(
    network: nn.Module, run: Run, measured: Measured, device: DeviceChoice, others: Sequence[Run] = ()
) -> dict[str, Any]:
    """Every measure of each map that `run` makes of slices, of none below 0. others: should make the same maps."""
    over_patients, where = measured.over_patients, measured.where
    seen, shifted, turned = (run(slices) for slices in (measured.slices, measured.shifted, measured.turned))
    other_runs = [other(measured.slices) for other in others]
    return {
        name: {
            "where": _where(values, where, over_patients),
            "pointing_game": over_patients.share(_pointing(values, where)),
            "deletion": _deletion(network, measured, seen, values, device),
            "follows_a_shift": over_patients.mean(_after_shift(values, shifted.maps[name])),
            "follows_a_turn": over_patients.mean(_after_turn(values, turned.maps[name])),
            "other_seeds": [over_patients.mean(_correlations(values, each.maps[name])) for each in other_runs],
        }
        for name, values in seen.maps.items()
    }


def _against(untaught: Model, seen: Seen, measured: Measured, device: DeviceChoice) -> dict[str, float]:
    other = _run(untaught.network.to(device.device).eval(), measured.slices, device)
    return measured.over_patients.auroc_difference(seen.log_odds, other.log_odds)


def _slices(library: CaseLibrary, model: Model, turn_degrees: float = 0.0, shift_mm: float = 0.0) -> FloatArray:
    """The network's input, (n, 128, 128), of all cases from grids that are turned and shifted along their rows."""
    found = []
    for case in library.cases:
        t1_map = library.t1_map(case)
        grid = library.grid(case, t1_map).turned(turn_degrees, (shift_mm, 0.0))
        found.append(to_intensity(grid.filled(t1_map), model.card.intensity))
    return np.stack(found)


def _run(network: nn.Module, slices: FloatArray, device: DeviceChoice) -> Seen:
    log_odds: list[Tensor] = []
    parts: list[dict[str, FloatArray]] = []
    with torch.inference_mode():
        for start in range(0, len(slices), BATCH_SIZE):
            batch = torch.from_numpy(slices[start : start + BATCH_SIZE])[:, None].to(device.device)
            logits, masks, *_ = network(batch)
            log_odds.append((logits[:, 1] - logits[:, 0]).double().cpu())
            parts.append(attention_maps([mask.float().cpu().numpy() for mask in masks]))
    maps = {name: enlarged(np.concatenate([part[name] for part in parts])) for name in parts[0]}
    return Seen(torch.cat(log_odds).numpy(), maps)


def _where(maps: FloatArray, regions: NDArray[np.uint8], over_patients: OverPatients) -> dict[str, Any]:
    """Mean on the wall over the slice's and over the cavity's, by class; "mean_map": of the mean over all slices, which
    knows where hearts usually are but nothing of the case."""
    own, usual = (_in_regions(values, regions) for values in (maps, np.broadcast_to(maps.mean(axis=0), maps.shape)))
    wall, cavity, whole = REGIONS.index("wall"), REGIONS.index("cavity"), len(REGIONS)
    found = {}
    for label in LABELS:
        chosen = over_patients.is_dcm == (label == "dcm")
        found[label] = {
            "wall_over_slice": over_patients.mean(own[:, wall] / own[:, whole], chosen),
            "wall_over_cavity": over_patients.mean(own[:, wall] / own[:, cavity], chosen),
            "mean_map_wall_over_slice": over_patients.mean(usual[:, wall] / usual[:, whole], chosen),
        }
    return found


def _in_regions(maps: FloatArray, regions: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Means in each of REGIONS and in the whole slice, (n, 4); NaN where a region is missing."""
    masks = [regions == index for index in range(len(REGIONS))]
    with np.errstate(invalid="ignore"):
        parts = [(maps * mask).sum(axis=(1, 2), dtype=np.float64) / mask.sum(axis=(1, 2)) for mask in masks]
    return np.stack([*parts, maps.mean(axis=(1, 2), dtype=np.float64)], axis=1)


def _pointing(maps: FloatArray, regions: NDArray[np.uint8]) -> NDArray[np.bool_]:
    hits = []
    for values, region in zip(maps, regions, strict=True):
        near = binary_dilation(region == REGIONS.index("wall"), iterations=POINTING_MM - WALL_MARGIN_MM)
        hits.append(near[np.unravel_index(values.argmax(), values.shape)])
    return np.array(hits, bool)


def _deletion(
    network: nn.Module, measured: Measured, seen: Seen, maps: FloatArray, device: DeviceChoice
) -> dict[str, float]:
    """How far the log odds move when the highest tenth of the map gives way to its surroundings, relative to an area of
    the same shape anywhere."""
    rng, slices = np.random.default_rng(SEED), measured.slices
    surroundings = np.stack([gaussian_filter(values, SURROUNDINGS_MM) for values in slices])
    highest = maps >= np.quantile(maps, 1 - DELETED_SHARE, axis=(1, 2), keepdims=True)
    anywhere = np.stack([np.roll(mask, rng.integers(SECTION_SIZE, size=2), axis=(0, 1)) for mask in highest])
    changes = [
        np.abs(_run(network, np.where(mask, surroundings, slices), device).log_odds - seen.log_odds)
        for mask in (highest, anywhere)
    ]
    return measured.over_patients.ratio(np.stack(changes, axis=1))


def _after_shift(maps: FloatArray, moved: FloatArray) -> NDArray[np.float64]:
    return _correlations(maps[:, :, SHIFT_MM:], moved[:, :, :-SHIFT_MM])


def _after_turn(maps: FloatArray, turned: FloatArray) -> NDArray[np.float64]:
    """Within the largest circle."""
    half = (SECTION_SIZE - 1) / 2
    down, right = np.indices((SECTION_SIZE, SECTION_SIZE)) - half
    inside = np.hypot(down, right) < half
    cos, sin = np.cos(np.deg2rad(TURN_DEGREES)), np.sin(np.deg2rad(TURN_DEGREES))
    places = [(right * sin + down * cos)[inside] + half, (right * cos - down * sin)[inside] + half]
    expected = np.stack([map_coordinates(values, places, order=1, mode="nearest") for values in maps])
    return _correlations(expected[:, None], turned[:, None, inside])


def _correlations(maps: FloatArray, others: FloatArray) -> NDArray[np.float64]:
    """Pearson's, slice by slice; 0 where one of the two is flat."""
    flat, other = (values.reshape(len(values), -1).astype(np.float64) for values in (maps, others))
    flat, other = (values - values.mean(axis=1, keepdims=True) for values in (flat, other))
    with np.errstate(invalid="ignore"):
        found = (flat * other).sum(axis=1) / np.sqrt(np.square(flat).sum(axis=1) * np.square(other).sum(axis=1))
    return np.nan_to_num(found)


def _auroc_lost(
    network: ACNet, slices: FloatArray, seen: Seen, device: DeviceChoice, over_patients: OverPatients
) -> dict[str, dict[str, float]]:
    """When each mask is set to its mean over all slices, and to zero."""
    found = {}
    fixes: dict[str, Callable[[Tensor], Tensor]] = {"mean_masks": lambda mask: mask, "no_masks": torch.zeros_like}
    means = _mean_masks(network, slices, device)
    for name, fix in fixes.items():
        fixed = with_masks(network, [fix(mean) for mean in means])
        found[name] = over_patients.auroc_difference(seen.log_odds, _run(fixed, slices, device).log_odds)
    return found


def _mean_masks(network: ACNet, slices: FloatArray, device: DeviceChoice) -> list[Tensor]:
    sums: list[Tensor] = []
    with torch.inference_mode():
        for start in range(0, len(slices), BATCH_SIZE):
            masks = network(torch.from_numpy(slices[start : start + BATCH_SIZE])[:, None].to(device.device)).masks
            sums = [mask.sum(dim=0, keepdim=True) + (sums[n] if sums else 0) for n, mask in enumerate(masks)]
    return [total / len(slices) for total in sums]


def _randomised(model: Model, slices: FloatArray, seen: Seen, device: DeviceChoice) -> dict[str, dict[str, float]]:
    """Spearman's correlation of each map with that of the network whose weights are random from the head to here."""
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        fresh = ACNet(**model.card.network).to(device.device).eval()
    network = cast(ACNet, copy.deepcopy(model.network))
    modules = [f"attention_modules.{index}" for index in reversed(range(len(network.attention_modules)))]
    found = {}
    for name in ("head", *modules, "down_residual"):
        network.set_submodule(name, fresh.get_submodule(name))
        maps = _run(network, slices, device).maps
        found[name] = {key: _mean_rank_correlation(values, seen.maps[key]) for key, values in maps.items()}
    return found


def _mean_rank_correlation(maps: FloatArray, others: FloatArray) -> float:
    """Over slices, at the masks' own resolution; 0 where one of two maps is flat."""
    found = [
        spearmanr(values[::4, ::4].ravel(), other[::4, ::4].ravel()).statistic
        for values, other in zip(maps, others[: len(maps)], strict=True)
    ]
    return round(float(np.nan_to_num(found).mean()), 4)

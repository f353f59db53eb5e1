"""Measures of attention: masks that say nothing fail them, masks on the wall that the decision uses pass them."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from torch import Tensor, nn

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import ATTENTION_MAPS
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.attention_measures import attention_measures, is_validated
from ACNetLib.models.card import read_card
from ACNetLib.models.model import Model, save_model
from ACNetLib.networks.acnet import ACNet
from ACNetLib.ventricle.labels import MYOCARDIUM_LABEL, SEPTUM_LABEL, septum_turn_degrees
from ACNetTrainerLib.cases.library import LABELS, CaseLibrary, masks_file
from ACNetTrainerLib.commands.main import main
from ACNetTrainerLib.evaluation.attention_regions import REGIONS, regions_of
from ACNetTrainerLib.evaluation.attention_validation import FixedMask, validate_attention
from conftest import a_card

CPU = DeviceChoice("cpu", "asked for")
WALL_MS = (900.0, 1350.0)


class BrightWall(nn.Module):
    """A mask branch that is high where the slice has the T1 of myocardium, which it takes from the slice itself."""

    def __init__(self, slices: list[Tensor]) -> None:
        super().__init__()
        self.slices = slices

    def __deepcopy__(self, _memo: object) -> BrightWall:
        return self  # a copied network's slices come by the same list

    def forward(self, x: Tensor) -> Tensor:
        t1_ms = nn.functional.avg_pool2d(self.slices[0], 4) * 2500 / 255
        on_wall = ((t1_ms > WALL_MS[0]) & (t1_ms < WALL_MS[1])).float()
        return (0.02 + 0.9 * on_wall).expand(-1, x.shape[1], -1, -1)


def looking_at_the_wall(network: ACNet) -> ACNet:
    network = copy.deepcopy(network)
    slices: list[Tensor] = [torch.empty(0)]
    network.register_forward_pre_hook(lambda _module, inputs: slices.__setitem__(0, inputs[0]))
    for module in network.attention_modules:
        module.mask = BrightWall(slices)
    return network


def flat(network: ACNet) -> ACNet:
    network = copy.deepcopy(network)
    for module in network.attention_modules:
        module.mask = FixedMask(torch.full((1, 128, 32, 32), 0.5))
    return network


@pytest.fixture(scope="module")
def library(simulated_library: CaseLibrary) -> CaseLibrary:
    """Two patients of each class."""
    chosen: list[str] = []
    for is_dcm in (False, True):
        chosen += sorted({case.patient for case in simulated_library.cases if case.is_dcm == is_dcm})[:2]
    return CaseLibrary(simulated_library.folder, tuple(c for c in simulated_library.cases if c.patient in chosen))


def validated(network: ACNet, library: CaseLibrary, *others: ACNet) -> dict[str, Any]:
    model, *other_models = (Model(each, a_card("untrained")) for each in (network, *others))
    return validate_attention(model, library, CPU, other_models)


def test_a_flat_map_lies_nowhere_follows_nothing_and_is_not_needed(
    an_untrained_network: ACNet, library: CaseLibrary
) -> None:
    result = validated(flat(an_untrained_network), library)
    for name in ATTENTION_MAPS:
        measures = result["maps"][name]
        for label in LABELS:
            assert measures["where"][label]["wall_over_slice"]["value"] == pytest.approx(1, abs=1e-3)
        assert measures["follows_a_shift"]["value"] == measures["follows_a_turn"]["value"] == 0
    assert result["auroc_lost"]["mean_masks"]["value"] == 0


def test_a_map_on_the_wall_lies_there_and_moves_with_the_heart(
    an_untrained_network: ACNet, library: CaseLibrary
) -> None:
    network = looking_at_the_wall(an_untrained_network)
    result = validated(network, library, network)
    assert set(result["maps"]) == set(ATTENTION_MAPS)
    for label in LABELS:
        where = result["maps"]["combined"]["where"][label]
        assert where["wall_over_slice"]["value"] > 1.5
        assert where["wall_over_cavity"]["value"] > 1.5
        assert where["wall_over_slice"]["low"] <= where["wall_over_slice"]["value"] <= where["wall_over_slice"]["high"]
    combined = result["maps"]["combined"]
    assert combined["follows_a_shift"]["value"] > 0.9
    assert combined["follows_a_turn"]["value"] > 0.7
    assert combined["other_seeds"][0]["value"] == pytest.approx(1.0)


def test_the_same_masks_for_every_slice_cost_nothing_and_follow_no_shift(
    an_untrained_network: ACNet, library: CaseLibrary
) -> None:
    network = copy.deepcopy(an_untrained_network)
    pattern = torch.from_numpy(np.random.default_rng(1).uniform(0.1, 0.9, (1, 1, 32, 32))).float()
    for module in network.attention_modules:
        module.mask = FixedMask(pattern.expand(1, 128, 32, 32))
    result = validated(network, library)
    assert result["auroc_lost"]["mean_masks"] == {"value": 0, "low": 0, "high": 0}
    assert result["maps"]["combined"]["follows_a_shift"]["value"] < 0.5


def test_random_weights_make_other_maps(an_untrained_network: ACNet, library: CaseLibrary) -> None:
    result = validated(an_untrained_network, library)["rank_correlation_after_randomising"]
    assert list(result) == ["head", "attention_modules.1", "attention_modules.0", "down_residual"]
    assert result["head"] == dict.fromkeys(ATTENTION_MAPS, 1.0)
    assert abs(result["down_residual"]["module_2"]) < 0.5


def test_a_septum_with_its_own_label_counts_as_wall(simulated_library: CaseLibrary, tmp_path: Path) -> None:
    case = simulated_library.cases[0]
    library = CaseLibrary(tmp_path, (case,))
    for file in (case.file, masks_file(case.case)):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        shutil.copy(simulated_library.folder / file, tmp_path / file)
    with_septum = regions_of(library, case)
    assert with_septum is not None
    assert (with_septum == REGIONS.index("wall")).any()
    masks = sitk.ReadImage(str(tmp_path / masks_file(case.case)))
    labels = sitk.GetArrayFromImage(masks)
    turned = replace(case, turn_degrees=septum_turn_degrees(labels[0], library.t1_map(case)))
    labels[labels == SEPTUM_LABEL] = MYOCARDIUM_LABEL
    one_wall = sitk.GetImageFromArray(labels)
    one_wall.CopyInformation(masks)
    sitk.WriteImage(one_wall, str(tmp_path / masks_file(case.case)))
    np.testing.assert_array_equal(regions_of(library, turned), with_septum)


def test_cases_without_outlines_are_refused(an_untrained_network: ACNet, library: CaseLibrary) -> None:
    (library.folder / "truth").rename(library.folder / "elsewhere")
    try:
        with pytest.raises(ACNetError, match="some cases have no outlines; expected those of a simulated library"):
            validated(an_untrained_network, library)
    finally:
        (library.folder / "elsewhere").rename(library.folder / "truth")


def test_the_command_writes_the_measures_with_their_provenance(
    an_untrained_network: ACNet,
    simulated_library: CaseLibrary,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, output = tmp_path / "untrained.safetensors", tmp_path / "attention.json"
    save_model(Model(an_untrained_network, a_card("untrained")), model)
    assert main(["attention", str(model), str(simulated_library.folder), "--output", str(output)]) == 0
    record = json.loads(output.read_text())
    assert record["model"] == "untrained"
    assert record["command"].startswith("acnet-train ")
    assert set(record["auroc_lost"]) == {"mean_masks", "no_masks"}
    assert "times the slice's mean on the wall" in capsys.readouterr().out


def test_what_was_measured_travels_in_the_models_card(
    an_untrained_network: ACNet, library: CaseLibrary, tmp_path: Path
) -> None:
    model, saved = tmp_path / "untrained.safetensors", tmp_path / "saved.safetensors"
    save_model(Model(an_untrained_network, a_card("untrained")), model)
    asked = ["attention", str(model), str(library.folder), "--patients", "4", "--untaught", str(model)]
    assert main([*asked, "--output", str(tmp_path / "attention.json"), "--save-model", str(saved)]) == 0
    record = json.loads((tmp_path / "attention.json").read_text())
    assert record["patients"] == 4
    card = read_card(saved)
    assert card.metrics["attention"]["measured"]["pointing_game"] == record["maps"]["combined"]["pointing_game"]
    met = {measure.name: measure.met for measure in attention_measures(card)}
    assert met["other trainings make the same"] is None
    assert met["it costs no accuracy"] is True  # beside itself
    assert not is_validated(card)

    again = tmp_path / "again.safetensors"
    with_coverage = replace(card, metrics={**card.metrics, "coverage": {"patients": 4}})
    save_model(Model(an_untrained_network, with_coverage), saved)
    asked = ["evaluate", str(saved), str(library.folder), "--output", str(tmp_path / "metrics.json")]
    assert main([*asked, "--save-model", str(again)]) == 0
    metrics = read_card(again).metrics
    assert metrics["auroc"] == json.loads((tmp_path / "metrics.json").read_text())["auroc"]
    assert metrics["coverage"] == {"patients": 4}
    assert metrics["attention"]["measured"] == card.metrics["attention"]["measured"], "an evaluation takes nothing away"

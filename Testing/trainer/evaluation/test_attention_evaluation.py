"""Evaluating attention: a mask that says nothing is found to say nothing, one on the wall to lie on the wall."""

from __future__ import annotations

import copy
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from ACNetLib.inference.attention import ATTENTION_MAPS
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNet
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetLib.ventricle.labels import MYOCARDIUM_LABEL, SEPTUM_LABEL, is_myocardium, septum_turn_degrees
from ACNetTrainerLib.cases.library import LABELS, CaseLibrary, masks_file
from ACNetTrainerLib.evaluation.attention import FixedMask, judge_attention
from ACNetTrainerLib.evaluation.attention_regions import REGIONS, regions_of
from conftest import a_card

CPU = DeviceChoice("cpu", "asked for")


def judged(network: ACNet, library: CaseLibrary) -> dict:
    return judge_attention(Model(network, a_card("untrained")), library, CPU)


def with_mask(network: ACNet, mask: torch.Tensor) -> ACNet:
    network = copy.deepcopy(network)
    for module in network.attention_modules:
        module.mask = FixedMask(mask.expand(1, 128, 32, 32))
    return network


def test_a_flat_mask_is_enriched_nowhere_and_not_needed(
    an_untrained_network: ACNet, simulated_library: CaseLibrary
) -> None:
    result = judged(with_mask(an_untrained_network, torch.tensor(0.5)), simulated_library)
    assert set(result["enrichment"]) == set(ATTENTION_MAPS)
    for by_label in result["enrichment"].values():
        for label in LABELS:
            for name in REGIONS:
                assert by_label[label]["own_map"][name] == pytest.approx(1.0, abs=1e-3)
    assert result["auroc"]["own_masks"] == result["auroc"]["mean_masks"]


def test_a_mask_around_the_usual_place_of_the_wall_is_enriched_there(
    an_untrained_network: ACNet, simulated_library: CaseLibrary
) -> None:
    walls = []
    for case in simulated_library.cases:
        grid = simulated_library.grid(case, read_t1_map(simulated_library.path(case)))
        masks = sitk.ReadImage(str(simulated_library.folder / masks_file(case.case)))
        walls.append(is_myocardium(grid.sample(masks)))
    usual = np.mean(walls, axis=0).reshape(32, 4, 32, 4).mean(axis=(1, 3))
    result = judged(with_mask(an_untrained_network, torch.from_numpy(usual).float()), simulated_library)
    for label in LABELS:
        enrichment = result["enrichment"]["module_1"][label]
        assert enrichment["own_map"]["wall"] > 1.5
        assert enrichment["own_map"]["elsewhere"] < 1
        assert enrichment["own_map"] == enrichment["mean_map"]


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

"""Evidence and Grad-CAM are measured as attention is."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ACNetLib.errors import ACNetError
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNet
from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.study.explanations import grad_cam, judge_explanations
from conftest import a_card

CPU = DeviceChoice("cpu", "asked for")


def test_both_maps_get_every_measure(an_untrained_network: ACNet, simulated_library: CaseLibrary) -> None:
    one_of_each = {case.label: case.patient for case in simulated_library.cases}.values()
    library = replace(simulated_library, cases=tuple(c for c in simulated_library.cases if c.patient in one_of_each))
    found = judge_explanations(Model(an_untrained_network, a_card("untrained")), library, CPU)
    assert set(found) == {"evidence", "grad_cam"}
    for measures in found.values():
        assert set(measures) >= {"where", "pointing_game", "deletion", "follows_a_shift", "follows_a_turn"}
        assert measures["follows_a_shift"]["value"] > 0.5  # convolutions follow a shift


def test_grad_cam_is_nothing_where_the_answer_does_not_depend_on_the_features(an_untrained_network: ACNet) -> None:
    network = copy.deepcopy(an_untrained_network)
    sections = torch.rand(2, 1, 128, 128) * 255
    assert np.abs(grad_cam(network, sections)).max() > 0
    last = network.head[-1]
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    assert np.abs(grad_cam(network, sections)).max() == 0


def test_cases_of_one_class_are_refused(an_untrained_network: ACNet, simulated_library: CaseLibrary) -> None:
    dcm = tuple(case for case in simulated_library.cases if case.is_dcm)
    with pytest.raises(ACNetError, match="no case labelled normal; expected some of each class"):
        judge_explanations(Model(an_untrained_network, a_card("untrained")), replace(simulated_library, cases=dcm), CPU)


def test_a_network_that_is_no_sum_over_places_is_refused(simulated_library: CaseLibrary) -> None:
    with pytest.raises(ACNetError, match="it is no ACNet"):
        judge_explanations(Model(nn.Linear(1, 2), a_card("other")), simulated_library, CPU)

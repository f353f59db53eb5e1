"""What is unlike the training's hearts is told by the features: of diseases that were shown, and of others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ACNetLib.inference.device import DeviceChoice
from ACNetLib.inference.outside import LimitsByCall, OutsideLimits
from ACNetLib.models.model import Model
from ACNetLib.networks.acnet import ACNet
from ACNetLib.networks.outside import COMPONENTS, REGIONS, OutsideScore
from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.study.outside import (
    REGULARIZATION,
    FeaturesOf,
    Group,
    fit_score,
    logistic_regression,
    share_outside,
    with_score,
)
from ACNetTrainerLib.training.outside_limits import FALSE_ALARMS, limits_by_count, means_by_count
from conftest import a_card

FEATURES = 256
RANDOM = np.random.default_rng(4)
# Slices vary along forty directions of the features; DCM lies along the first.
MIXING = RANDOM.normal(0, 1, (40, FEATURES))


def group(name: str, patients: int, place: dict[int, float]) -> Group:
    """Three slices of each patient, the components at `place` shifted."""
    components = RANDOM.normal(0, 1, (3 * patients, 40))
    for component, shift in place.items():
        components[:, component] += shift
    features = (components @ MIXING).astype(np.float32)
    return Group(features, tuple(f"{name}-{index // 3}" for index in range(3 * patients)))


def joined(first: Group, second: Group) -> Group:
    return Group(np.concatenate([first.features, second.features]), first.patients + second.patients)


@pytest.fixture(scope="module")
def score() -> OutsideScore:
    seen = joined(group("normal", 150, {}), group("dcm", 150, {0: 3.0}))
    unseen = joined(group("other normal", 400, {}), group("other dcm", 400, {0: 3.0}))
    is_dcm = np.repeat([False, True], 450)
    return fit_score(seen, is_dcm, {"hcm": group("hcm", 40, {1: 2.5, 2: -2.0})}, unseen)


def test_a_disease_that_was_shown_and_what_lies_far_away_in_another_direction_are_unlike(score: OutsideScore) -> None:
    for shift in ({1: 2.5, 2: -2.0}, {5: 9.0, 7: -9.0, 9: 9.0}):
        assert share_outside(score, group("new", 60, shift))["value"] > 0.9


def test_what_lies_far_away_is_in_most_directions_the_more_unlike_the_farther(score: OutsideScore) -> None:
    assert (score.square.min() >= 0) & (score.distance.min() >= 0)
    directions = torch.from_numpy(np.random.default_rng(7).normal(0, 1, (50, 40)) @ MIXING).float()
    near, far, farther = (score(scale * directions).numpy() for scale in (1, 10, 100))
    assert np.mean(far > near.max()) > 0.9
    assert (farther > far).mean() > 0.95


def test_weights_that_need_no_bound_are_those_of_logistic_regression() -> None:
    random = np.random.default_rng(8)
    inputs = random.normal(0, 1, (2000, 2 * COMPONENTS + 1))
    pull = inputs[:, :COMPONENTS] @ random.normal(0, 0.3, COMPONENTS) + inputs[:, COMPONENTS:].sum(axis=1) / 4
    is_other = (pull + random.normal(0, 1, 2000) > 1).astype(int)
    weights, bias = logistic_regression(inputs, is_other)
    expected = LogisticRegression(C=REGULARIZATION, class_weight="balanced", max_iter=5000, tol=1e-8)
    expected.fit(inputs / inputs.std(axis=0), is_other)
    assert weights[COMPONENTS:].min() > 0
    assert weights == pytest.approx(expected.coef_[0] / inputs.std(axis=0), abs=1e-3)
    assert bias == pytest.approx(expected.intercept_[0], abs=1e-3)


def test_each_slice_is_shown_as_it_is_and_then_all_once_more_as_another_site_has_them(
    simulated_library: CaseLibrary,
) -> None:
    torch.manual_seed(5)
    model = Model(ACNet().eval(), a_card("untaught"))
    cases = simulated_library.cases[:3]
    features_of = FeaturesOf(model, DeviceChoice("cpu", "asked for"), np.random.default_rng(1))
    once, twice = (features_of.cases(simulated_library, cases, elsewhere) for elsewhere in (False, True))
    np.testing.assert_array_equal(twice.features[:3], once.features)
    changes = np.abs(twice.features[3:] - once.features).mean(axis=1) / np.abs(once.features).mean(axis=1)
    assert changes.min() > 0.001
    assert changes.max() < 0.5
    assert once.patients == tuple(case.patient for case in cases)
    assert twice.patients == once.patients * 2


def test_about_one_in_twenty_of_new_normal_and_dcm_patients_is_called_unlike(score: OutsideScore) -> None:
    share = share_outside(score, joined(group("new normal", 400, {}), group("new dcm", 400, {0: 3.0})))
    assert 0.025 < share["value"] < 0.085
    assert share["patients"] == 800


def test_limits_fall_with_the_number_of_slices_for_a_mean_varies_less(score: OutsideScore) -> None:
    one, two, three = score.limits.tolist()
    assert one > two > three


def test_patients_with_whole_stacks_do_not_set_the_limits_of_those_with_three_slices() -> None:
    seen, hcm = joined(group("normal", 50, {}), group("dcm", 50, {0: 3.0})), group("hcm", 20, {1: 2.5})
    usual, odd = group("usual", 98, {}), group("odd", 2, {1: 5.0})

    def fitted(slices: int) -> tuple[list[float], tuple[float, ...]]:
        """The score's limits, and what the training sets by the same values; the odd have so many slices alike."""
        stacks = Group(np.repeat(odd.features[::3], slices, axis=0), tuple(np.repeat(odd.patients[::3], slices)))
        unseen = joined(usual, stacks)
        score = fit_score(seen, np.repeat([False, True], 150), {"hcm": hcm}, unseen)
        with torch.inference_mode():
            values = unseen.by_patient(score(torch.from_numpy(unseen.features)).double().numpy())
        return score.limits.tolist(), limits_by_count(means_by_count(values), FALSE_ALARMS)

    few, whole = fitted(3), fitted(11)
    assert whole[0] == pytest.approx(few[0], abs=0.1)
    assert whole[0] == pytest.approx(whole[1])


def test_where_nobody_has_three_slices_the_limit_for_three_is_that_for_two() -> None:
    seen, unseen = joined(group("normal", 50, {}), group("dcm", 50, {0: 3.0})), group("other", 60, {})
    two = Group(np.delete(unseen.features, np.s_[::3], axis=0), tuple(np.delete(unseen.patients, np.s_[::3])))
    limits = fit_score(seen, np.repeat([False, True], 150), {"hcm": group("hcm", 20, {1: 2.5})}, two).limits.tolist()
    assert limits[0] > limits[1] == limits[2]


def test_a_network_gives_the_score_of_its_own_features() -> None:
    torch.manual_seed(1)
    network = ACNet(outside=REGIONS).eval()
    assert network.outside_score is not None
    for name, buffer in network.outside_score.named_buffers():
        if name != "limits":
            buffer.copy_(torch.randn(buffer.shape) / 10)
    with torch.inference_mode():
        output = network(torch.rand(2, 1, 128, 128) * 255)
    components = output.features @ network.outside_score.projection.T + network.outside_score.offset
    expected = []
    for one in components:
        squared = min(
            float((one - center) @ network.outside_score.precision @ (one - center))
            for center in network.outside_score.centers
        )
        linear = float(one @ network.outside_score.linear + one**2 @ network.outside_score.square)
        expected.append(linear + float(network.outside_score.distance * np.log1p(squared) + network.outside_score.bias))
    assert output.outside.tolist() == pytest.approx(expected, rel=1e-3, abs=1e-3)


def test_a_score_that_a_model_has_gives_place_to_the_new_one_and_its_limits_go(score: OutsideScore) -> None:
    torch.manual_seed(3)
    one_region = ACNet(outside=1)
    limits = OutsideLimits(score=(3.0, 2.0, 1.0), relative_wall=(0.6,), rv_to_lv=(1.5,))
    card = replace(a_card("taught before"), network={"outside": True}, outside_limits=LimitsByCall(limits, limits))
    taught = with_score(Model(one_region, card), score)
    assert isinstance(taught.network, ACNet)
    assert taught.network.outside_score is not None
    assert torch.equal(taught.network.outside_score.projection, score.projection)
    last = one_region.state_dict()["head.5.weight"]
    assert torch.equal(taught.network.state_dict()["head.5.weight"], last)
    assert taught.card.network == {"outside": REGIONS}
    assert taught.card.outside_limits == LimitsByCall(replace(limits, score=()), replace(limits, score=()))

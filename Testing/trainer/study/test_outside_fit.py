"""What is unlike the training's hearts is told by the features: of diseases that were shown, and of others."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ACNetLib.networks.acnet import ACNet
from ACNetLib.networks.outside import OutsideScore
from ACNetTrainerLib.study.outside import Group, fit_score, share_outside
from ACNetTrainerLib.training.outside_limits import FALSE_ALARMS, limits_by_count, means_by_count

CHANNELS = 128
RANDOM = np.random.default_rng(4)
# Slices vary along forty directions of the features; DCM lies along the first.
MIXING = RANDOM.normal(0, 1, (40, CHANNELS))


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
    network = ACNet(outside=True).eval()
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

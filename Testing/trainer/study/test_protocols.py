"""What the protocols of a comparison train and test on: the paper's leak on purpose, the honest one does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.cases.library import Case, CaseLibrary
from ACNetTrainerLib.study import HONEST, PAPER_1, PAPER_2, VARIANTS
from ACNetTrainerLib.study.protocols import Request, leaks, plan, recipe_for
from ACNetTrainerLib.study.training import CopiedCase, Run
from ACNetTrainerLib.training.network import NETWORKS
from ACNetTrainerLib.training.recipe import ACNetSettings
from made_up_maps import unread_library

EVERY = tuple(NETWORKS)


BIG = unread_library(40, 200)
SMALL = unread_library(40, 40)


def patients(cases: Iterable[Case]) -> set[str]:
    return {case.patient for case in cases}


def labels(runs: Iterable[Run]) -> Counter[str]:
    return Counter(case.label for run in runs for case in run.tested)


def test_paper_1_tests_each_of_485_sections_once_in_five_folds_of_97() -> None:
    runs = plan(BIG, Request(PAPER_1, ("acnet",), ()))
    assert [len(run.tested) for run in runs] == [97] * 5
    assert [len(run.training) for run in runs] == [388] * 5
    assert labels(runs) == {"normal": 36, "dcm": 449}
    assert len({case.case for run in runs for case in run.tested}) == 485
    for run in runs:
        assert not {case.case for case in run.training} & {case.case for case in run.tested}
        assert run.selection == "test"
        assert (run.recipe.optimization.batch_size, run.recipe.optimization.learning_rate) == (3, 0.001)


def test_paper_2_copies_36_normals_to_191_before_the_split_each_as_often_as_any() -> None:
    runs = plan(BIG, Request(PAPER_2, ("acnet",), ()))
    assert [len(run.tested) for run in runs] == [128] * 5
    assert labels(runs) == {"normal": 191, "dcm": 449}
    copies = [case for run in runs for case in run.tested if isinstance(case, CopiedCase)]
    assert len({copy.case for copy in copies}) == len(copies) == 155
    assert set(Counter(copy.copy_of for copy in copies).values()) == {4, 5}
    assert not any(copy.is_dcm for copy in copies)


def test_the_leaks_of_the_paper_are_measured_and_the_honest_protocol_has_none() -> None:
    first, second, honest = (
        leaks(plan(library, Request(protocol, ("acnet", "vgg16"), ())))
        for protocol, library in ((PAPER_1, BIG), (PAPER_2, BIG), (HONEST, SMALL))
    )
    assert 0.9 < first.same_patient < 1
    assert first.copied_normals == 0
    assert second.copied_normals > 0.95
    assert second.copies_among_test_sections == pytest.approx(155 / 640, abs=0.001)
    assert first.epoch_chosen_on_test_sections
    assert second.epoch_chosen_on_test_sections
    assert not honest.epoch_chosen_on_test_sections
    assert honest.same_patient == honest.copied_normals == honest.copies_among_test_sections == 0


def test_every_network_and_seed_of_the_honest_protocol_is_tested_on_the_same_new_patients() -> None:
    runs = plan(SMALL, Request(HONEST, EVERY, (4, 9)))
    assert [(run.network, run.number) for run in runs] == [(name, seed) for seed in (4, 9) for name in EVERY]
    assert len({(run.training, run.tested) for run in runs}) == 1
    assert not patients(runs[0].training) & patients(runs[0].tested)
    assert len(patients(runs[0].tested)) == 20
    assert {run.selection for run in runs} == {"validation"}
    assert {run.recipe.optimization.seed for run in runs} == {4, 9}


def test_every_network_gets_the_same_epochs_and_none_stops_early() -> None:
    for protocol, library in ((PAPER_1, BIG), (HONEST, SMALL)):
        settings = [run.recipe.optimization for run in plan(library, Request(protocol, EVERY, (1,), epochs=7))]
        assert {one.epochs for one in settings} == {7}
        assert {one.early_stopping_epochs for one in settings} == {7}
    recipes = {run.network: run.recipe for run in plan(SMALL, Request(HONEST, EVERY, (1,)))}
    assert recipes["vgg16"].name == "vgg16", "which does not learn at the others' rate"
    assert {recipes[name].name for name in EVERY if name != "vgg16"} == {"recommended"}
    assert all(recipes[name].network.name == name for name in EVERY)


def test_so_many_slices_are_drawn_of_whole_patients_half_of_each_class_and_always_the_same() -> None:
    fresh = unread_library(10, 10, "fresh")
    request = Request(HONEST, EVERY, (1, 2), slices=23, test_libraries=(fresh,))
    runs = plan(SMALL, request)
    (training,) = {run.training for run in runs}
    assert Counter(case.label for case in training) == {"normal": 12, "dcm": 11}
    of_a_patient = Counter(case.patient for case in training)
    assert sorted(of_a_patient.values()) == [2] + [3] * 7, "the last patient's surplus is left out"
    assert {run.tested for run in runs} == {fresh.cases}, "tested on all slices"
    shuffled = replace(SMALL, cases=SMALL.cases[::-1])
    assert patients(plan(shuffled, request)[0].training) == patients(training)


def test_libraries_of_fresh_patients_take_the_place_of_those_held_out() -> None:
    home, abroad = unread_library(10, 10, "home"), unread_library(4, 6, "abroad")
    (run,) = plan(SMALL, Request(HONEST, ("acnet",), (1,), test_libraries=(home, abroad)))
    assert run.training == SMALL.cases
    assert [(cohort.name, cohort.cases) for cohort in run.tests] == [("home", home.cases), ("abroad", abroad.cases)]
    assert [len(cohort.shown) for cohort in run.tests] == [4, 0], "two of each class, of the first library"
    known = replace(abroad, cases=(*abroad.cases, SMALL.cases[0]))
    with pytest.raises(ACNetError, match=r"abroad: 1 of its patients, 'library-normal000' first, are in library"):
        plan(SMALL, Request(HONEST, ("acnet",), (1,), test_libraries=(home, known)))
    hidden = replace(abroad, folder=Path("elsewhere") / ".abroad")
    with pytest.raises(ACNetError, match=r"found the name '\.abroad'; expected one that files can have, too"):
        plan(SMALL, Request(HONEST, ("acnet",), (1,), test_libraries=(hidden,)))
    namesake = replace(abroad, folder=Path("elsewhere") / "home")
    with pytest.raises(ACNetError, match=r"--test-cases: found the names home, home; expected folders of different"):
        plan(SMALL, Request(HONEST, ("acnet",), (1,), test_libraries=(home, namesake)))


def test_a_variant_is_trained_as_acnet_but_for_the_part_that_it_lacks() -> None:
    rates = {"acnet": 0.0004, "resnet50": 0.003}
    recipes = {
        name: recipe_for(Request(HONEST, (name,), (1,), learning_rates=rates), name, 1, has_masks=True)
        for name in ("acnet", *VARIANTS)
    }
    network, settings = recipes["acnet"].network, recipes["acnet"].optimization
    assert isinstance(network, ACNetSettings)
    assert (settings.learning_rate, settings.mask_loss_weight) == (0.0004, 1.0)
    untaught = replace(settings, mask_loss_weight=0.0)
    changed = {
        "acnet-without-attention": (replace(network, attention="none"), untaught),
        "acnet-mask-only": (replace(network, attention="product"), settings),
        "acnet-one-module": (replace(network, attention_modules=1), settings),
        "acnet-untaught": (network, untaught),
    }
    assert {name: (recipes[name].network, recipes[name].optimization) for name in VARIANTS} == changed


def test_networks_with_attention_are_taught_where_masks_are_known() -> None:
    request = Request(HONEST, EVERY, (1,), learning_rates=dict.fromkeys(EVERY, 0.002))
    for has_masks, taught in ((True, {"acnet", "residual-attention-56"}), (False, set[str]())):
        settings = {name: recipe_for(request, name, 1, has_masks).optimization for name in EVERY}
        assert {name for name in EVERY if settings[name].mask_loss_weight > 0} == taught
        same = {replace(one, mask_loss_weight=0.0) for one in settings.values()}
        assert len(same) == 1, "all else is the same for all, VGG16 included"


@pytest.mark.parametrize(
    ("library", "request_", "message"),
    [
        (unread_library(11, 200), Request(PAPER_1, ("acnet",), ()), "found 33 slices labelled normal; expected 36"),
        (unread_library(12, 149), Request(PAPER_2, ("acnet",), ()), "found 447 slices labelled dcm; expected 449"),
        (SMALL, Request(HONEST, ("acnet",), (), slices=190), "found 90 slices labelled normal; expected 95"),
    ],
)
def test_too_few_of_a_class_are_refused(library: CaseLibrary, request_: Request, message: str) -> None:
    with pytest.raises(ACNetError, match=message):
        plan(library, request_)


def test_several_field_strengths_are_refused() -> None:
    mixed = replace(SMALL, cases=(*SMALL.cases[:-1], replace(SMALL.cases[-1], field_strength_tesla=3.0)))
    with pytest.raises(ACNetError, match=r"found cases of 1\.5 T, 3 T; expected one field strength"):
        plan(mixed, Request(HONEST, ("acnet",), (1,)))

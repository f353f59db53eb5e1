"""Attention that is taught where the myocardium is, by the masks that some cases have."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ACNetLib.errors import ACNetError
from ACNetLib.inference.attention import attention_maps, enlarged
from ACNetTrainerLib.cases.library import LABELS, CaseLibrary, read_case_library
from ACNetTrainerLib.evaluation.attention_regions import enrichments, regions_of
from ACNetTrainerLib.training.batches import InOrder
from ACNetTrainerLib.training.dataset import CaseDataset, RandomChanges
from ACNetTrainerLib.training.loop import Place
from ACNetTrainerLib.training.recipe import ACNetSettings, Recipe
from ACNetTrainerLib.training.task import wall_attention_loss
from ACNetTrainerLib.training.train import train
from tiny_training import CPU, changed, few_cases, file_bytes, tiny_recipe

EPOCHS = 12


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """Group normalization: in so few steps the statistics of batches don't become those of inference."""
    recipe = tiny_recipe(tmp_path_factory.mktemp("recipe"))
    recipe = replace(recipe, network=ACNetSettings(normalization="group"))
    return changed(
        recipe, epochs=EPOCHS, batch_size=4, early_stopping_epochs=EPOCHS, schedule="constant", warmup_epochs=0
    )


@pytest.fixture
def library(simulated_library: CaseLibrary, tmp_path: Path) -> CaseLibrary:
    """A copy, whose masks may be removed."""
    return read_case_library(shutil.copytree(simulated_library.folder, tmp_path / "cases"))


def test_supervision_moves_attention_onto_the_wall(
    simulated_library: CaseLibrary, recipe: Recipe, tmp_path: Path
) -> None:
    """In two dozen steps; without it, attention is as high on the wall as anywhere after fifty."""
    middle = tuple(case for case in simulated_library.cases if case.case.endswith("-mid"))
    library = replace(simulated_library, cases=middle)
    model = train(library, changed(recipe, mask_loss_weight=2.0), "taught", Place(tmp_path / "work", CPU))
    model.network.load_state_dict(torch.load(tmp_path / "work" / "last.ckpt", weights_only=True)["network"])
    sections = torch.cat([batch[0] for batch in InOrder(CaseDataset(library, middle, model.card.intensity))])
    with torch.inference_mode():
        masks = model.network.eval()(sections).masks
    maps = enlarged(attention_maps([mask.numpy() for mask in masks])["combined"])
    for label in LABELS:
        found = []
        for case, attention in zip(middle, maps, strict=True):
            regions = regions_of(library, case)
            assert regions is not None
            if case.label == label:
                found.append(enrichments(attention, regions))
        assert np.mean([each["wall"] for each in found]) > 1.3
        assert np.mean([each["elsewhere"] for each in found]) < 0.95


def test_masks_change_nothing_at_weight_zero(library: CaseLibrary, recipe: Recipe, tmp_path: Path) -> None:
    one_epoch, few = changed(recipe, epochs=1), few_cases(library)
    # How the septum lies is in the table then.
    turns = [library.turn_degrees(case, library.t1_map(case)) for case in few.cases]
    cases = tuple(replace(case, turn_degrees=turn) for case, turn in zip(few.cases, turns, strict=True))
    few = replace(few, cases=cases)
    first = file_bytes(train(few, one_epoch, "tiny", Place(tmp_path / "with", CPU)), tmp_path)
    for case in library.cases:
        path = library.masks_path(case)
        assert path is not None
        path.unlink()
    assert file_bytes(train(few, one_epoch, "tiny", Place(tmp_path / "without", CPU)), tmp_path) == first


def test_a_library_without_any_masks_can_not_supervise(library: CaseLibrary, recipe: Recipe, tmp_path: Path) -> None:
    shutil.rmtree(library.folder / "truth")
    with pytest.raises(ACNetError, match=r"has masks; expected some, for mask_loss_weight is 0\.5 in the recipe"):
        train(few_cases(library), changed(recipe, mask_loss_weight=0.5), "tiny", Place(tmp_path / "work", CPU))
    assert not (tmp_path / "work").exists(), "the recipe can be changed and the same output given"


def test_a_network_without_attention_can_not_be_supervised(
    simulated_library: CaseLibrary, recipe: Recipe, tmp_path: Path
) -> None:
    no_attention = replace(recipe, network=ACNetSettings(attention="none"))
    with pytest.raises(ACNetError, match=r"recipe tiny: mask_loss_weight is 0\.5, but its network has no attention"):
        train(
            few_cases(simulated_library),
            changed(no_attention, mask_loss_weight=0.5),
            "tiny",
            Place(tmp_path / "work", CPU),
        )
    assert not (tmp_path / "work").exists()


def test_the_card_counts_the_sections_that_supervised(library: CaseLibrary, recipe: Recipe, tmp_path: Path) -> None:
    few = few_cases(library)
    path = library.masks_path(few.cases[0])
    assert path is not None
    path.unlink()
    model = train(few, changed(recipe, epochs=1, mask_loss_weight=0.5), "tiny", Place(tmp_path / "work", CPU))
    assert model.card.training["sections_with_masks"] in (3, 4), "two of six are held back"


def test_walls_follow_the_section_and_are_unknown_without_masks(library: CaseLibrary, recipe: Recipe) -> None:
    path = library.masks_path(library.cases[1])
    assert path is not None
    path.unlink()
    plain = CaseDataset(library, library.cases[:2], recipe.intensity, with_walls=True)
    changes = RandomChanges(recipe.augmentation, seed=0)
    turned = CaseDataset(library, library.cases[:2], recipe.intensity, changes, with_walls=True)
    section, _, wall = plain[0, 0, 0]
    assert wall.shape == (128, 128)
    assert 0.02 < float(wall.mean()) < 0.2
    rows, columns = np.nonzero(wall.numpy())
    assert np.hypot(rows.mean() - 63.5, columns.mean() - 63.5) < 8, "around the centre of the left ventricle"
    moved_section, _, moved_wall = turned[3, 0, 0]
    means = [float(image[0][mask > 0].mean()) for image, mask in ((section, wall), (moved_section, moved_wall))]
    assert means[0] == pytest.approx(means[1], rel=0.03), "the same myocardium"
    assert not torch.equal(wall, moved_wall)
    assert torch.isnan(plain[0, 1, 0][2]).all()
    assert len(plain.as_inference_sees_them(2)[0, 0, 0]) == 2


def test_the_loss_is_none_where_attention_is_the_wall_and_ignores_sections_without_one() -> None:
    walls = torch.zeros(3, 128, 128)
    walls[:2, 32:96, 32:96] = 1
    walls[2] = torch.nan
    perfect = walls[:, None, ::4, ::4].nan_to_num(0.3)
    masks = (perfect.expand(-1, 8, -1, -1), torch.nn.functional.interpolate(perfect, scale_factor=2))
    flat = [torch.full_like(mask, 0.5) for mask in masks]
    assert float(wall_attention_loss(flat, walls)) == pytest.approx(np.log(2))
    assert float(wall_attention_loss(masks, walls)) < 0.1
    assert float(wall_attention_loss([1 - mask for mask in masks], walls)) > 5
    other = [mask.clone() for mask in masks]
    for mask in other:
        mask[2] = 0.9
    assert wall_attention_loss(other, walls) == wall_attention_loss(masks, walls)
    assert wall_attention_loss(masks, torch.full_like(walls, torch.nan)) == 0

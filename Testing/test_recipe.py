"""Recipes are read strictly: what is wrong is named."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from ACNetLib.errors import ACNetError
from ACNetLib.network import ACNet
from ACNetTrainerLib.recipe import read_recipe, shipped_recipes


def changed_recipe(tmp_path: Path, old: str, new: str) -> str:
    text = shipped_recipes()["recommended"].read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("name", ["paper", "recommended"])
def test_a_shipped_recipe_is_read_by_its_name_and_holds_what_its_file_says(name: str) -> None:
    assert sorted(shipped_recipes()) == ["paper", "recommended"]
    recipe = read_recipe(name)
    values = asdict(recipe)
    assert values.pop("name") == name
    assert values == tomllib.loads(shipped_recipes()[name].read_text(encoding="utf-8"))
    assert ACNet(**asdict(recipe.network)).head[-2].p == recipe.network.dropout


def test_the_paper_recipe_is_what_the_paper_states() -> None:
    recipe = read_recipe("paper")
    settings = recipe.optimization
    assert (settings.learning_rate, settings.epochs, settings.batch_size) == (0.001, 100, 3)
    assert asdict(recipe.network) == {
        "attention_modules": 2,
        "attention": "residual",
        "normalization": "batch",
        "dropout": 0.0,
    }
    assert recipe.intensity.kind == "minmax_paper"


def test_a_recipe_file_is_named_after_its_file(tmp_path: Path) -> None:
    recipe = read_recipe(changed_recipe(tmp_path, "epochs = 10", "epochs = 3"))
    assert (recipe.name, recipe.optimization.epochs) == ("mine", 3)


def test_a_whole_number_will_do_for_a_decimal_one(tmp_path: Path) -> None:
    dropout = read_recipe(changed_recipe(tmp_path, "dropout = 0.2", "dropout = 0")).network.dropout
    assert isinstance(dropout, float)
    assert dropout == 0


def test_an_unknown_recipe_is_refused_with_the_shipped_ones() -> None:
    with pytest.raises(ACNetError, match=r"'best'; shipped are paper, recommended"):
        read_recipe("best")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("epochs = 10", "epoch = 10", r"\[optimization\]: key 'epoch' is not known"),
        ("epochs = 10\n", "", r"\[optimization\]: key 'epochs' is missing"),
        ("[augmentation]", "[augmentations]", r"key 'augmentation' is missing"),
        ("[network]", "depth = 5\n[network]", r"key 'depth' is not known"),
        ("epochs = 10", "epochs = 10.0", r"\[optimization\]: epochs is 10.0; expected int"),
        ("epochs = 10", "epochs = true", r"epochs is True; expected int"),
        ("epochs = 10", 'epochs = "10"', r"epochs is '10'; expected int"),
        ("class_balance = true", "class_balance = 1", r"class_balance is 1; expected bool"),
        ("learning_rate = 0.001", 'learning_rate = "high"', r"learning_rate is 'high'; expected float"),
        ("learning_rate = 0.001", "learning_rate = -0.001", r"learning_rate is -0.001; expected at least 0"),
        ("learning_rate = 0.001", "learning_rate = nan", r"learning_rate is nan"),
        ("learning_rate = 0.001", "learning_rate = inf", r"learning_rate is inf"),
        ("batch_size = 32", "batch_size = 0", r"batch_size is 0; expected at least 1"),
        ("epochs = 10", "epochs = 0", r"epochs is 0; expected at least 1"),
        ("dropout = 0.2", "dropout = 1.0", r"\[network\]: dropout is 1.0; expected at least 0 and below 1"),
        ("validation_fraction = 0.15", "validation_fraction = 1.5", r"validation_fraction is 1.5"),
        ('optimizer = "adamw"', 'optimizer = "adam"', r"optimizer is 'adam'; expected one of 'adamw', 'nesterov'"),
        ('attention = "residual"', 'attention = "none at all"', r"\[network\]: attention is 'none at all'"),
        ('kind = "fixed_window"', 'kind = "histogram"', r"kind is 'histogram'"),
        ("high_ms = 2500.0", "high_ms = 0.0", r"window of 0 to 0 ms"),
        ("[intensity]", "[intensity", r"not a TOML file"),
    ],
)
def test_a_wrong_key_type_or_choice_is_named(tmp_path: Path, old: str, new: str, reason: str) -> None:
    with pytest.raises(ACNetError, match=reason) as error:
        read_recipe(changed_recipe(tmp_path, old, new))
    assert "mine.toml" in str(error.value) or "intensity scaling" in str(error.value)


def test_a_value_in_place_of_a_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flat.toml"
    path.write_text("network = 1\nintensity = 1\noptimization = 1\naugmentation = 1\n", encoding="utf-8")
    with pytest.raises(ACNetError, match=r"\[network\]: found 1; expected a table"):
        read_recipe(str(path))

"""Recipes are read strictly: what is wrong is named."""

from __future__ import annotations

import inspect
import tomllib
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ACNetLib.errors import ACNetError
from ACNetLib.networks.acnet import ACNet
from ACNetTrainerLib.training.network import build_network
from ACNetTrainerLib.training.recipe import ACNetSettings, ComparedNetwork, read_recipe, shipped_recipes, with_network


def changed_recipe(tmp_path: Path, old: str, new: str) -> str:
    text = shipped_recipes()["recommended"].read_text(encoding="utf-8")
    assert text.count(old) == 1
    path = tmp_path / "mine.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    return str(path)


def test_the_shipped_recipes_are_these() -> None:
    assert sorted(shipped_recipes()) == ["fine-tune", "paper", "recommended", "simulated", "vgg16"]


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_is_read_by_its_name_and_holds_what_its_file_says(name: str) -> None:
    recipe = read_recipe(name)
    values = asdict(recipe)
    assert values.pop("name") == name
    assert values == tomllib.loads(shipped_recipes()[name].read_text(encoding="utf-8"))


def test_the_networks_settings_are_those_of_acnet_and_by_default_its_own() -> None:
    settings = asdict(ACNetSettings(dropout=0.3, attention_modules=1))
    network = build_network(**settings)
    assert isinstance(network, ACNet)
    assert (network.head[-2].p, len(network.attention_modules)) == (0.3, 1)
    defaults = {name: parameter.default for name, parameter in inspect.signature(ACNet).parameters.items()}
    assert defaults.pop("outside") == 0, "no training makes it: it is fitted afterwards"
    assert asdict(ACNetSettings()) == {"name": "acnet", **defaults}


def test_the_paper_recipe_is_what_the_paper_states() -> None:
    recipe = read_recipe("paper")
    settings = recipe.optimization
    assert (settings.learning_rate, settings.epochs, settings.batch_size) == (0.001, 100, 3)
    assert asdict(recipe.network) == {
        "name": "acnet",
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
    network = read_recipe(changed_recipe(tmp_path, "dropout = 0.2", "dropout = 0")).network
    assert isinstance(network, ACNetSettings)
    assert isinstance(network.dropout, float)
    assert network.dropout == 0


@pytest.mark.parametrize("line", ['name = "acnet"\n', "mask_loss_weight = 0.0\n", "t1_scale = 0.0\n"])
def test_a_recipe_of_before_lacks_what_came_later(tmp_path: Path, line: str) -> None:
    recipe = read_recipe(changed_recipe(tmp_path, line, ""))
    assert recipe == replace(read_recipe("recommended"), name="mine")


def test_a_recipe_can_be_taken_for_another_network(tmp_path: Path) -> None:
    recommended, vgg16 = read_recipe("recommended"), read_recipe("vgg16")
    assert with_network(recommended, "resnet50") == replace(recommended, network=ComparedNetwork("resnet50"))
    assert with_network(recommended, "acnet") == recommended
    assert with_network(vgg16, "acnet").network == ACNetSettings()
    with pytest.raises(ACNetError, match="--network: name is 'resnet18'; expected one of 'acnet', "):
        with_network(recommended, "resnet18")


def test_an_unknown_recipe_is_refused_with_the_shipped_ones() -> None:
    with pytest.raises(ACNetError, match=r"'best'; shipped are fine-tune, paper, recommended, simulated, vgg16"):
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
        ('name = "acnet"', 'name = "vgg19"', r"\[network\]: name is 'vgg19'; expected one of 'acnet', .*'resnet101'"),
        ('name = "acnet"', 'name = ["acnet"]', r"\[network\]: name is \['acnet'\]"),
        ('name = "acnet"', 'name = "vgg16"', r"\[network\]: key 'attention' is not known"),
        ("dropout = 0.2\n", "", r"\[network\]: key 'dropout' is missing"),
        (
            'precision = "auto"',
            'precision = "bf16-true"',
            r"precision is 'bf16-true'; expected one of 'auto', '32-true'",
        ),
        ("mirror = 0.25", "mirror = 1.5", r"\[augmentation\]: mirror is 1.5; expected at least 0 and below 1"),
        ("mask_loss_weight = 0.0", "mask_loss_weight = -1", r"mask_loss_weight is -1\.0; expected at least 0"),
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


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("epochs = 10\n", f"epochs = {'9' * 5000}\n", "not a TOML file"),
        ("epochs = 10\n", f"epochs = 0x{'f' * 5000}\n", "epochs is a number of more than ten digits"),
        ("epochs = 10\n", f"epochs = {'9' * 400}\n", "epochs is a number of more than ten digits"),
        ("mirror = 0.25", f"mirror = {'9' * 400}", "mirror is a number of more than ten digits"),
        ("mirror = 0.25", f"mirror = {'[' * 50_000}", "not a TOML file"),
        ("mirror = 0.25", "mirror = nan", "mirror is nan; expected at least 0 and below 1"),
    ],
    ids=["decimal", "hexadecimal", "400 digits", "too large for a float", "nested without end", "no number"],
)
def test_a_number_without_end_is_one_line(tmp_path: Path, old: str, new: str, reason: str) -> None:
    with pytest.raises(ACNetError, match=reason) as error:
        read_recipe(changed_recipe(tmp_path, old, new))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400

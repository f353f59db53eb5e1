"""Training a model on: what is kept of its parent, what its card says of it, and which parents won't do."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from ACNetLib.errors import ACNetError
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.model import Model, load_model, save_model
from ACNetLib.models.store import model_for_field
from ACNetLib.t1map.section import IntensityScaling
from ACNetTrainerLib.cases.library import CaseLibrary
from ACNetTrainerLib.commands import main as cli
from ACNetTrainerLib.evaluation.wording import CHECKED, NOT_TOLD
from ACNetTrainerLib.training.dataset import CaseDataset
from ACNetTrainerLib.training.fine_tuning import FineTuning, check_parent
from ACNetTrainerLib.training.loop import Place
from ACNetTrainerLib.training.patients import known_patients
from ACNetTrainerLib.training.predictions import Predictions
from ACNetTrainerLib.training.recipe import ACNetSettings, Recipe, read_recipe, shipped_recipes, with_network
from ACNetTrainerLib.training.split import split_of_training, split_patients
from ACNetTrainerLib.training.train import predict, train
from tiny_training import CPU, changed, few_cases


@pytest.fixture(scope="module")
def shipped() -> Model:
    return load_model(model_for_field(1.5))


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return changed(read_recipe("fine-tune"), epochs=1, batch_size=3, precision="32-true")


@pytest.fixture(scope="module")
def a_child(
    shipped: Model, recipe: Recipe, middle_library: CaseLibrary, tmp_path_factory: pytest.TempPathFactory
) -> Model:
    """The shipped model, trained on with a few cases."""
    place = Place(tmp_path_factory.mktemp("child") / "work", CPU)
    return train(few_cases(middle_library), recipe, "child", place, fine_tuning=FineTuning(shipped))


def test_the_shipped_recipe_is_for_the_shipped_models_and_learns_more_slowly(shipped: Model) -> None:
    recipe = read_recipe("fine-tune")
    check_parent(FineTuning(shipped), recipe)
    assert recipe.optimization.learning_rate < read_recipe("recommended").optimization.learning_rate


@pytest.mark.parametrize("freeze", [False, True])
def test_a_child_starts_from_its_parent_keeps_what_is_frozen_and_names_it(
    shipped: Model, recipe: Recipe, a_child: Model, middle_library: CaseLibrary, tmp_path: Path, freeze: bool
) -> None:
    child = a_child
    if freeze:
        place, frozen = Place(tmp_path / "work", CPU), FineTuning(shipped, freeze)
        child = train(few_cases(middle_library), recipe, "child", place, fine_tuning=frozen)
    assert child.card.training["parent"] == {
        "name": "acnet-simulated-1.5T",
        "weights_sha256": shipped.card.weights_sha256,
        "freeze_down_residual": freeze,
    }
    assert child.card.training["parents_patients"] == CHECKED
    assert child.card.intensity == shipped.card.intensity
    before, after = shipped.network.state_dict(), child.network.state_dict()
    for module in ("down_residual", "attention_modules"):
        names = [name for name in before if name.startswith(module)]
        same = [torch.equal(before[name], after[name]) for name in names]
        assert all(same) if freeze and module == "down_residual" else not any(same), "statistics of layers included"
    weights = [name for name, _ in shipped.network.named_parameters()]
    assert max(float((before[name] - after[name]).abs().max()) for name in weights) < 0.01, "it starts from the parent"


def test_a_child_knows_the_patients_of_its_parent(
    recipe: Recipe, a_child: Model, middle_library: CaseLibrary, other_library: CaseLibrary, tmp_path: Path
) -> None:
    first, parent = few_cases(middle_library), a_child
    others = few_cases(other_library)
    assert known_patients(parent.card, first) == (set(first.patients), True), (
        "its own parent, the shipped model, names all"
    )
    open_record = {"patients": {**parent.card.training["patients"], "complete": True}}
    parent = Model(parent.network, replace(parent.card, training={**parent.card.training, **open_record}))
    child = train(others, recipe, "child", Place(tmp_path / "child", CPU), fine_tuning=FineTuning(parent))
    for library in (first, others):
        assert known_patients(child.card, library) == (set(library.patients), True)


def test_a_child_chooses_nothing_on_patients_whom_its_parent_has_learned_from(
    recipe: Recipe,
    a_child: Model,
    middle_library: CaseLibrary,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A year later cases are added to the same library. Another seed would hold back others of the first."""
    first, grown, parent = few_cases(middle_library), middle_library, a_child
    asked: set[str] = set()

    def followed(network: torch.nn.Module, dataset: CaseDataset, device: DeviceChoice) -> Predictions:
        asked.update(case.patient for case in dataset.cases)
        return predict(network, dataset, device)

    monkeypatch.setattr("ACNetTrainerLib.training.train.predict", followed)
    for seed in (1, 3):
        seeded = changed(recipe, seed=seed)
        child = train(grown, seeded, "child", Place(tmp_path / f"child{seed}", CPU), fine_tuning=FineTuning(parent))
        assert child.card.training["patients_of_parent"] == len(set(first.patients))
        assert asked == {case.patient for case in split_of_training(grown, child.card)[1]}
        assert not asked & set(first.patients)
        asked.clear()

    earlier = {name: value for name, value in child.card.training.items() if name != "patients_of_parent"}
    split = split_patients(grown, recipe.optimization.validation_fraction, 3)
    assert split_of_training(grown, replace(child.card, training=earlier)) == split, "which held back any of them"

    with pytest.raises(ACNetError, match=r"0 patients labelled normal whom .* has not learned from; expected at least"):
        train(first, recipe, "again", Place(tmp_path / "again", CPU), fine_tuning=FineTuning(parent))
    assert not (tmp_path / "again").exists()

    settings = tmp_path / "child1" / "settings.json"
    begun = json.loads(settings.read_text(encoding="utf-8"))
    settings.write_text(json.dumps({name: begun[name] for name in begun if name != "patients_of_parent"}))
    with pytest.raises(ACNetError, match=r"holds an unfinished training of .*, or of an earlier version;"):
        train(grown, changed(recipe, seed=1), "child", Place(tmp_path / "child1", CPU), FineTuning(parent))


def test_a_training_says_where_its_parent_may_have_learned_from_those_held_back(
    shipped: Model, middle_library: CaseLibrary, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training = {name: value for name, value in shipped.card.training.items() if name != "patients"}
    save_model(Model(shipped.network, replace(shipped.card, training=training)), tmp_path / "older.safetensors")
    tiny = shipped_recipes()["fine-tune"].read_text(encoding="utf-8")
    for old, new in (("\nepochs = 10", "\nepochs = 1"), ('"auto"', '"32-true"')):
        assert tiny.count(old) == 1, old
        tiny = tiny.replace(old, new)
    (tmp_path / "tiny.toml").write_text(tiny, encoding="utf-8")
    arguments = ["train", middle_library.folder, "--recipe", tmp_path / "tiny.toml", "--device", "cpu"]
    output = tmp_path / "child.safetensors"
    arguments += ["--from", tmp_path / "older.safetensors", "--output", output]
    assert cli.main([str(each) for each in arguments]) == 0
    said = capsys.readouterr().out
    assert said.splitlines()[-1] == f"Whether the model that it starts from has learned from them {NOT_TOLD}."
    assert load_model(output).card.training["parents_patients"] == NOT_TOLD


def test_the_command_takes_the_recipe_for_fine_tuning_when_none_is_named(
    shipped: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str], simulated_library: CaseLibrary
) -> None:
    paper = Model(shipped.network, replace(shipped.card, intensity=IntensityScaling("minmax_paper")))
    save_model(paper, tmp_path / "paper.safetensors")
    arguments = ["train", simulated_library.folder, "--output", tmp_path / "child.safetensors"]
    assert cli.main([str(a) for a in (*arguments, "--from", tmp_path / "paper.safetensors")]) == 2
    assert "recipe fine-tune: intensity is high_ms 2500.0, kind fixed_window, low_ms 0.0; " in capsys.readouterr().err
    assert cli.main([str(a) for a in (*arguments, "--freeze-down-residual")]) == 2
    assert "--freeze-down-residual: found without --from" in capsys.readouterr().err
    assert cli.main([str(a) for a in (*arguments[:2], "--recipe", "fine-tune", *arguments[2:])]) == 2
    assert "--recipe fine-tune: found without --from" in capsys.readouterr().err
    assert not (tmp_path / "child.training").exists()


def test_a_parent_of_another_network_or_intensity_is_refused(shipped: Model, recipe: Recipe) -> None:
    group = replace(recipe, network=ACNetSettings(normalization="group", dropout=0.2))
    with pytest.raises(ACNetError, match=r"network is .*normalization group.*the parent 'acnet-simulated-1.5T' has "):
        check_parent(FineTuning(shipped), group)
    with pytest.raises(ACNetError, match="network is name vgg16; the parent"):
        check_parent(FineTuning(shipped), with_network(recipe, "vgg16"))
    with pytest.raises(ACNetError, match=r"Give a recipe with the parent's intensity\."):
        check_parent(FineTuning(shipped), replace(recipe, intensity=IntensityScaling("fixed_window", 0, 2000)))

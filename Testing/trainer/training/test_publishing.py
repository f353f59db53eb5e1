"""Publishing: an evaluated model is in the classifier's list at once, any other is refused with what it lacks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ACNetLib.errors import ACNetError
from ACNetLib.models.header import COMPARISON
from ACNetLib.models.model import Model, load_model, save_model
from ACNetLib.models.store import available_models, stored_models
from ACNetTrainerLib.commands import main as cli
from ACNetTrainerLib.training.network import build_network
from ACNetTrainerLib.training.publishing import publish

ESTIMATE = {"value": 0.9, "low": 0.8, "high": 0.95}
JUDGED = dict.fromkeys(("auroc", "recall_dcm", "recall_normal", "balanced_accuracy"), ESTIMATE)
TRAINED = {"recipe": {"name": "recommended"}, "training": {}, "validation": {}}


def write_model(model: Model, path: Path, **card: Any) -> Path:
    values = {"name": "ward", "training": TRAINED, "metrics": JUDGED, **card}
    save_model(Model(model.network, replace(model.card, **values)), path)
    return path


def test_a_published_model_is_listed_by_the_classifier_at_once(
    a_model: Model, own_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_model(a_model, tmp_path / "judged.safetensors")
    assert "ward" not in available_models()
    assert cli.main(["publish", str(file)]) == 0
    assert str(own_folder / "ward.safetensors") in capsys.readouterr().out
    assert available_models()["ward"] == own_folder / "ward.safetensors"
    assert available_models()["ward"].read_bytes() == file.read_bytes()
    assert [model.auroc for model in stored_models() if model.name == "ward"] == [0.9]


def test_it_can_have_another_name_and_take_the_place_of_ones_own(a_model: Model, tmp_path: Path) -> None:
    file = write_model(a_model, tmp_path / "judged.safetensors")
    path = publish(file, "ward 2026")
    assert path == available_models()["ward 2026"]
    assert load_model(path).card == replace(load_model(file).card, name="ward 2026")
    with pytest.raises(ACNetError, match="has a model named 'ward 2026' already"):
        publish(file, "ward 2026")
    publish(write_model(a_model, file, decision_threshold=0.3), "ward 2026", replace_own=True)
    assert load_model(path).card.decision_threshold == 0.3


def test_a_model_that_few_patients_have_judged_is_published_with_a_warning(
    a_model: Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    counts = {"sections_normal": 18, "sections_dcm": 60, "patients_normal": 6, "patients_dcm": 20}
    file = write_model(a_model, tmp_path / "judged.safetensors", metrics={**JUDGED, "cases": counts})
    assert cli.main(["publish", str(file)]) == 0
    (warning,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Warning")]
    assert warning.startswith("Warning: Patients who are normal: 6; expected 20 or more")


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ({"metrics": {}}, r"does not say how well it does \(auroc, recall_dcm, .*\)\. Evaluate it first"),
        ({"metrics": {"auroc": ESTIMATE}}, r"\(recall_dcm, recall_normal, balanced_accuracy\)"),
        ({"training": {}}, r"does not say what it was trained with \(recipe, training, validation\)"),
    ],
)
def test_a_card_that_lacks_something_is_refused(
    a_model: Model, own_folder: Path, tmp_path: Path, card: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ACNetError, match=reason):
        publish(write_model(a_model, tmp_path / "poor.safetensors", **card))
    assert not own_folder.exists()


def test_a_network_that_acnet_is_compared_with_is_refused(a_model: Model, own_folder: Path, tmp_path: Path) -> None:
    model = Model(build_network("resnet50").eval(), replace(a_model.card, attention_thresholds={}))
    file = write_model(model, tmp_path / "resnet.safetensors", kind=COMPARISON, network={"name": "resnet50"})
    with pytest.raises(ACNetError, match="it holds resnet50, which ACNet is compared with; expected an ACNet"):
        publish(file)
    assert not own_folder.exists()

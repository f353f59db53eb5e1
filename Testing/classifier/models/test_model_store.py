"""Where models live, which one is taken, and how a person adds and removes them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ACNetLib.errors import ACNetError
from ACNetLib.models import check as model_check
from ACNetLib.models import store as model_store
from ACNetLib.models.model import Model, load_model
from ACNetLib.models.store import (
    available_models,
    default_localizer,
    find_model,
    import_model,
    model_for_field,
    model_for_reference,
    remove_model,
    stored_models,
    user_models_folder,
)
from model_files import SHIPPED, change_card, named

# Where they live


def test_the_folder_of_the_users_own_models_follows_the_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    home = Path.home()
    for variable in ("ACNET_MODELS", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(variable, raising=False)
    places = {
        "linux": home / ".local" / "share",
        "darwin": home / "Library" / "Application Support",
        "win32": home / "AppData" / "Local",
    }
    for platform, place in places.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert user_models_folder() == place / "ACNet" / "models"
    for platform, variable in {"linux": "XDG_DATA_HOME", "win32": "LOCALAPPDATA"}.items():
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setenv(variable, str(home / "data"))
        assert user_models_folder() == home / "data" / "ACNet" / "models"


def test_a_site_puts_the_folder_elsewhere(own_folder: Path) -> None:
    assert user_models_folder() == own_folder


def test_shipped_models_come_before_the_users_own_and_localizers_are_no_classifiers(
    a_model: Model, localizer_file: Path, tmp_path: Path
) -> None:
    for name in ("b-ward", "a-ward"):
        import_model(named(a_model, name, tmp_path / "new.safetensors"))
    import_model(localizer_file)
    models = list(available_models())
    assert SHIPPED in models[:-2]
    assert models[-2:] == ["a-ward", "b-ward"]
    own = [(model.name, model.kind, model.field_strengths_tesla) for model in stored_models() if not model.shipped]
    assert own == [
        ("a-ward", "classifier", (1.5,)),
        ("b-ward", "classifier", (1.5,)),
        ("ventricle", "localizer", (1.5, 3.0)),
    ]
    shipped = next(model for model in stored_models() if model.name == SHIPPED)
    assert shipped.simulated
    assert shipped.auroc is not None


def test_models_are_listed_without_torch(model_file: Path) -> None:
    import_model(model_file)
    code = (
        "import sys; from ACNetLib.models.store import available_models; print(*available_models());"
        "assert not {'torch', 'safetensors'} & set(sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(Path(model_store.__file__).parents[2])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert {SHIPPED, "untrained"} <= set(result.stdout.split())


def test_a_damaged_file_is_listed_with_its_reason_and_can_not_be_chosen(model_file: Path) -> None:
    path = import_model(model_file)
    path.write_bytes(path.read_bytes()[:-1])
    assert "cut off" in next(model.problem for model in stored_models() if model.name == "untrained")
    assert "untrained" not in available_models()


CARDS_OF_DAMAGED: dict[str, tuple[dict[str, Any], str]] = {
    "another name": ({"name": "other"}, "its card names it 'other'"),
    "no name": ({"name": None}, "field name of its model card is missing; expected a text"),
    "unknown kind": ({"kind": "oracle"}, "a network of kind 'oracle'"),
    "no kind": ({"kind": None}, "a network of kind None"),
    "a strange field strength": ({"field_strength_tesla": [1.5]}, "expected a number"),
    "a number without end": ({"field_strength_tesla": 10**400}, "a number of 401 digits"),
    "a localizer without field strengths": ({"kind": "localizer"}, "missing or wrong"),
}


@pytest.mark.parametrize(("values", "reason"), CARDS_OF_DAMAGED.values(), ids=CARDS_OF_DAMAGED)
def test_no_file_that_lies_in_the_folder_breaks_the_list(
    model_file: Path, own_folder: Path, values: dict[str, Any], reason: str
) -> None:
    own_folder.mkdir()
    change_card(model_file, **values).rename(own_folder / "untrained.safetensors")
    assert reason in next(model.problem for model in stored_models() if model.name == "untrained")
    assert SHIPPED in available_models()


def test_a_file_put_into_the_folder_does_not_stand_in_for_a_shipped_model(a_model: Model, own_folder: Path) -> None:
    named(a_model, SHIPPED, own_folder / f"{SHIPPED}.safetensors")
    assert available_models()[SHIPPED].parent == model_store.SHIPPED_MODELS_FOLDER
    assert "a shipped model is named" in stored_models()[-1].problem


def test_half_written_and_hidden_files_are_not_listed(a_model: Model, own_folder: Path) -> None:
    named(a_model, "untrained", own_folder / ".writing-1234.safetensors")
    (own_folder / "._untrained.safetensors").write_bytes(b"what a Mac notes")
    (own_folder / "notes.txt").write_text("not a model")
    assert [model.name for model in stored_models() if not model.shipped] == []


# Which is taken


def test_a_model_is_found_by_its_name_or_as_a_file(model_file: Path) -> None:
    path = import_model(model_file)
    assert find_model("untrained") == path
    assert find_model(SHIPPED) == model_store.SHIPPED_MODELS_FOLDER / f"{SHIPPED}.safetensors"
    assert find_model(str(model_file)) == model_file
    with pytest.raises(ACNetError, match=rf"nor a model 'unknown'; there are .*{SHIPPED}.*, untrained"):
        find_model("unknown")


@pytest.fixture
def shipped_folder(a_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two shipped models, and no localizer."""
    folder = tmp_path / "shipped"
    for field in (1.5, 3.0):
        name = f"acnet-simulated-{field:g}T"
        named(a_model, name, folder / f"{name}.safetensors", field_strength_tesla=field)
    monkeypatch.setattr(model_store, "SHIPPED_MODELS_FOLDER", folder)
    return folder


@pytest.mark.parametrize(
    ("field", "name"), [(1.5, SHIPPED), (1.494, SHIPPED), (3.0, "acnet-simulated-3T"), (2.8936, "acnet-simulated-3T")]
)
def test_the_shipped_model_of_a_field_strength_is_taken(shipped_folder: Path, field: float, name: str) -> None:
    assert model_for_field(field) == shipped_folder / f"{name}.safetensors"


def test_a_shipped_model_that_is_replaced_is_looked_at_anew(shipped_folder: Path, a_model: Model) -> None:
    assert model_for_field(3.0).stem == "acnet-simulated-3T"
    named(a_model, SHIPPED, shipped_folder / f"{SHIPPED}.safetensors", field_strength_tesla=3.0)
    (shipped_folder / "acnet-simulated-3T.safetensors").unlink()
    assert model_for_field(3.0).stem == SHIPPED


def test_a_field_strength_without_a_shipped_model_is_refused_though_the_user_has_one(
    shipped_folder: Path, a_model: Model, tmp_path: Path
) -> None:
    import_model(named(a_model, "ward-7T", tmp_path / "new.safetensors", field_strength_tesla=7.0))
    with pytest.raises(ACNetError, match=r"none is shipped for 7 T; shipped are acnet-simulated-1\.5T, acnet-sim.*-3T"):
        model_for_field(7.0)


@pytest.mark.parametrize(("mean_ms", "name"), [(930.0, SHIPPED), (1089.0, SHIPPED), (1091.0, "acnet-simulated-3T")])
def test_the_shipped_model_whose_own_normal_lies_nearest_to_a_reference_is_taken(
    shipped_folder: Path, a_model: Model, tmp_path: Path, mean_ms: float, name: str
) -> None:
    for field, normal_ms in ((1.5, 996.0), (3.0, 1184.0)):
        shipped = f"acnet-simulated-{field:g}T"
        path = shipped_folder / f"{shipped}.safetensors"
        named(a_model, shipped, path, field_strength_tesla=field, normal_t1_ms=(normal_ms, 30.0))
    import_model(named(a_model, "ward", tmp_path / "new.safetensors", normal_t1_ms=(mean_ms, 30.0)))
    assert model_for_reference(mean_ms) == shipped_folder / f"{name}.safetensors"


def test_without_a_model_that_knows_its_own_normal_no_reference_stands_for_the_field(shipped_folder: Path) -> None:
    with pytest.raises(ACNetError, match=r"no shipped model knows its own normal T1.*--field"):
        model_for_reference(1000.0)


def test_the_shipped_localizer_is_found_or_said_to_be_missing(shipped_folder: Path, localizer_file: Path) -> None:
    with pytest.raises(ACNetError, match=r"localizer-simulated\.safetensors: the shipped localizer is missing"):
        default_localizer()
    localizer_file.rename(shipped_folder / "localizer-simulated.safetensors")
    assert default_localizer().parent == shipped_folder


# Import and removal


def test_an_imported_model_has_the_same_bytes_under_the_name_of_its_card(model_file: Path, own_folder: Path) -> None:
    path = import_model(model_file)
    assert path == own_folder / "untrained.safetensors"
    assert path.read_bytes() == model_file.read_bytes()
    assert list(own_folder.iterdir()) == [path]
    assert available_models()["untrained"] == path


def test_a_localizer_is_imported_too(localizer_file: Path) -> None:
    assert import_model(localizer_file).read_bytes() == localizer_file.read_bytes()


def test_a_model_of_the_same_name_is_only_replaced_when_asked(a_model: Model, model_file: Path, tmp_path: Path) -> None:
    path = import_model(model_file)
    before = path.read_bytes()
    newer = named(a_model, "untrained", tmp_path / "newer.safetensors", decision_threshold=0.3)
    with pytest.raises(ACNetError, match=r"newer\.safetensors: .* has a model named 'untrained' already"):
        import_model(newer)
    assert path.read_bytes() == before
    import_model(newer, replace=True)
    assert load_model(path).card.decision_threshold == 0.3


def test_a_refused_replacement_leaves_the_old_model(model_file: Path, own_folder: Path) -> None:
    path = import_model(model_file)
    before = path.read_bytes()
    damaged = bytearray(before)
    damaged[-1000] ^= 1
    model_file.write_bytes(damaged)
    with pytest.raises(ACNetError, match="checksum"):
        import_model(model_file, replace=True)
    assert path.read_bytes() == before
    assert list(own_folder.iterdir()) == [path]


def test_names_that_differ_in_case_only_are_one_name(a_model: Model, model_file: Path, tmp_path: Path) -> None:
    """As they are for Windows and macOS, with which the folder may be shared."""
    import_model(model_file)
    for replaced in (False, True):
        with pytest.raises(ACNetError, match="has a model named 'untrained' already"):
            import_model(named(a_model, "Untrained", tmp_path / "new.safetensors"), replace=replaced)
    for name in (SHIPPED, SHIPPED.upper()):
        with pytest.raises(ACNetError, match=rf"a shipped model is named '{name}' already"):
            import_model(named(a_model, name, tmp_path / "new.safetensors"), replace=True)


def test_what_is_copied_are_the_bytes_that_were_checked(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = model_file.read_bytes()
    check = model_check.check_model

    def exchange_and_check(path: Path) -> object:
        model_file.write_bytes(b"something else")
        return check(path)

    monkeypatch.setattr(model_check, "check_model", exchange_and_check)
    assert import_model(model_file).read_bytes() == before


def test_a_folder_that_can_not_be_written_is_named(model_file: Path, own_folder: Path) -> None:
    own_folder.write_text("a file where the folder should be")
    with pytest.raises(ACNetError, match=r"own: it can't be changed \(.*set ACNET_MODELS"):
        import_model(model_file)


def test_only_the_users_own_models_can_be_removed(model_file: Path, own_folder: Path) -> None:
    path = import_model(model_file)
    with pytest.raises(ACNetError, match=rf"{SHIPPED}: it is shipped with ACNet and can't be removed"):
        remove_model(SHIPPED)
    for name in ("unknown", "../elsewhere/from-a-friend", str(model_file), ""):
        with pytest.raises(ACNetError, match=r"there is no such model; your own in .* are untrained"):
            remove_model(name)
    assert model_file.exists()
    assert remove_model("untrained") == path
    assert list(own_folder.iterdir()) == []
    assert "untrained" not in available_models()


def test_a_damaged_model_can_be_removed(own_folder: Path) -> None:
    own_folder.mkdir()
    (own_folder / "broken.safetensors").write_bytes(b"nothing")
    remove_model("broken")
    assert list(own_folder.iterdir()) == []

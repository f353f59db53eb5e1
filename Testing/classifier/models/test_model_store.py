"""Where models live, and what a model file from elsewhere must pass before it may live there."""

from __future__ import annotations

import io
import json
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ACNetLib.errors import ACNetError
from ACNetLib.models import check as model_check
from ACNetLib.models import header as weights_header
from ACNetLib.models import store as model_store
from ACNetLib.models.header import LARGEST_HEADER_BYTES, METADATA_KEY
from ACNetLib.models.model import Model, load_model, save_model
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
from ACNetLib.networks.localizer import LocalizerCard, LocalizerModel, LocalizerNetwork, save_localizer

SHIPPED = "acnet-simulated-1.5T"


@pytest.fixture
def model_file(a_model: Model, tmp_path: Path) -> Path:
    """A model file from elsewhere; its card names it "untrained"."""
    path = tmp_path / "elsewhere" / "from-a-friend.safetensors"
    save_model(a_model, path)
    return path


@pytest.fixture
def localizer_file(tmp_path: Path) -> Path:
    card = LocalizerCard("ventricle", simulated=False, confidence_threshold=0.5, field_strengths_tesla=(1.5, 3.0))
    path = tmp_path / "elsewhere" / "ventricle.safetensors"
    save_localizer(LocalizerModel(LocalizerNetwork().eval(), card), path)
    return path


def named(model: Model, name: str, path: Path, **values: Any) -> Path:
    save_model(Model(model.network, replace(model.card, name=name, **values)), path)
    return path


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


# What is refused

NAMES = {
    "a way up": "../untrained",
    "a folder": "ward/untrained",
    "a folder of Windows": "ward\\untrained",
    "a drive": "C:untrained",
    "the folder above": "..",
    "hidden": ".untrained",
    "an option": "-untrained",
    "reserved on Windows": "con",
    "reserved on Windows with an ending": "Aux.1",
    "a line break": "un\ntrained",
    "the terminal's own characters": "un\x1b[2Jtrained",
    "turned reading direction": "un\u202etrained",
    "other letters": "größe",
    "a trailing dot": "untrained.",
    "a trailing space": "untrained ",
    "nothing": "",
    "too long": "a" * 101,
}


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_name_that_is_no_plain_file_name_everywhere_is_refused(
    a_model: Model, tmp_path: Path, own_folder: Path, name: str
) -> None:
    before = sorted(tmp_path.rglob("*"))
    file = named(a_model, name, tmp_path / "new.safetensors")
    with pytest.raises(ACNetError, match=r"new\.safetensors: (its card names it|its model card is damaged)"):
        import_model(file)
    assert sorted(tmp_path.rglob("*")) == sorted([*before, file])


@pytest.mark.parametrize("name", ["A", "3T", "St. Mary 1", "acnet_2-b 1.5T", "a" * 100])
def test_a_plain_name_is_accepted(a_model: Model, tmp_path: Path, name: str) -> None:
    assert import_model(named(a_model, name, tmp_path / "new.safetensors")).stem == name


def test_what_is_no_file_in_its_own_right_is_refused(model_file: Path, own_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    refused = {
        tmp_path / "folder.safetensors": "link, folder or device",
        tmp_path / "gone.safetensors": "can't be read",
    }
    if sys.platform != "win32":  # where links need a right of their own
        (tmp_path / "link.safetensors").symlink_to(model_file)
        os.mkfifo(tmp_path / "pipe.safetensors")
        refused |= dict.fromkeys((tmp_path / "link.safetensors", tmp_path / "pipe.safetensors"), "folder or device")
    for path, reason in refused.items():
        with pytest.raises(ACNetError, match=rf"{path.name}: .*{reason}"):
            import_model(path)
    assert not own_folder.exists()


@pytest.mark.parametrize("name", ["model.pt", "model.pth", "model.ckpt", "model.pkl", "model", "model.safetensors.zip"])
def test_a_file_of_another_suffix_is_refused_though_it_is_a_model(
    model_file: Path, own_folder: Path, name: str
) -> None:
    with pytest.raises(ACNetError, match=rf"{name}: its name does not end in \.safetensors"):
        import_model(model_file.rename(model_file.with_name(name)))
    assert not own_folder.exists()


def change_card(path: Path, **values: Any) -> Path:
    """Other values on the card; None takes a field away."""
    header, data = parts(path)
    card = {**json.loads(header["__metadata__"][METADATA_KEY]), **values}
    card = {name: value for name, value in card.items() if name not in values or value is not None}
    return write_parts(path, {**header, "__metadata__": {METADATA_KEY: json.dumps(card)}}, data)


def change_tensors(path: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    header, _ = parts(path)
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata=header["__metadata__"])
    return path


def parts(path: Path) -> tuple[dict[str, Any], bytes]:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def write_parts(path: Path, header: dict[str, Any] | str | bytes, data: bytes) -> Path:
    if isinstance(header, dict):
        header = json.dumps(header)
    text = header.encode() if isinstance(header, str) else header
    path.write_bytes(len(text).to_bytes(8, "little") + text + data)
    return path


def with_header_text(change: Callable[[str], str | bytes]) -> Callable[[Path], object]:
    def apply(path: Path) -> None:
        header, data = parts(path)
        write_parts(path, change(json.dumps(header)), data)

    return apply


def with_card_text(change: Callable[[str], str]) -> Callable[[Path], object]:
    def apply(path: Path) -> None:
        header, data = parts(path)
        header["__metadata__"][METADATA_KEY] = change(header["__metadata__"][METADATA_KEY])
        write_parts(path, header, data)

    return apply


def with_entry(**values: Any) -> Callable[[Path], object]:
    """Another entry of one weight in the header's table; the weights stay."""

    def apply(path: Path) -> None:
        header, data = parts(path)
        header["head.5.bias"].update(values)
        write_parts(path, header, data)

    return apply


def a_zip() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("model.safetensors", b"x" * 1000)
    return content.getvalue()


def with_nan(path: Path) -> None:
    model = load_model(path)
    with torch.no_grad():
        model.network.get_parameter("head.5.bias")[0] = float("nan")
    save_model(model, path)


def with_huge_weights(path: Path) -> None:
    """Each a number, but not what the network makes of them."""
    model = load_model(path)
    with torch.no_grad():
        model.network.get_parameter("head.5.weight").fill_(3e38)
    save_model(model, path)


def flip_last_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DEEP = "[" * 100_000
REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "an empty file": (lambda path: path.write_bytes(b""), "it has 0 bytes"),
    "a pickle": (lambda path: path.write_bytes(pickle.dumps({"weights": [1.0] * 99})), "it is a pickle"),
    "a pickle of old": (lambda path: path.write_bytes(pickle.dumps([1.0] * 99, protocol=0)), "at most 1000000"),
    "torch.save": (lambda path: torch.save({"weights": torch.zeros(3)}, path), "as torch.save writes"),
    "a zip archive": (lambda path: path.write_bytes(a_zip()), "it is a zip archive"),
    "a text": (lambda path: path.write_text("weights: none"), "at most 1000000"),
    "a header of 2^60 bytes": (
        lambda path: path.write_bytes((2**60).to_bytes(8, "little") + path.read_bytes()[8:]),
        "a header of 1152921504606846976, of which at most 1000000",
    ),
    "a header longer than the file": (lambda path: path.write_bytes(path.read_bytes()[:9000]), "it has 9000 bytes"),
    "a header of blanks": (with_header_text(lambda text: text + " " * LARGEST_HEADER_BYTES), "at most 1000000"),
    "a header of length 0": (lambda path: path.write_bytes(bytes(100)), "a header of 0"),
    "a header nested deep": (with_header_text(lambda text: f'{{"a":{DEEP}'), "recursion"),
    "a header that is a list": (with_header_text(lambda _: "[1]"), "no table"),
    "a header that is no UTF-8": (with_header_text(lambda text: text.encode("utf-16")), "utf-8"),
    "a weight twice": (
        with_header_text(lambda text: text[:-1] + ', "head.5.bias": {"dtype": "F32"}}'),
        "it has 'head.5.bias' twice",
    ),
    "weights that overlap": (with_entry(data_offsets=[0, 8]), "not a readable"),
    "weights beyond the end": (with_entry(data_offsets=[2**40, 2**40 + 8]), "cut off"),
    "a weight before the start": (with_entry(data_offsets=[-8, 0]), "not a readable"),
    "a shape that does not fill its bytes": (with_entry(shape=[2**40]), "not a readable"),
    "an unknown number format": (with_entry(dtype="F128"), "not a readable"),
    "a number format that torch has not": (with_entry(dtype="F4", shape=[16]), "not a readable"),
    "a weight without a place": (with_header_text(lambda text: text[:-1] + ', "a": {}}'), "data_offsets"),
    "something after the weights": (lambda path: path.write_bytes(path.read_bytes() + b"PK"), "something follows"),
    "no card": (with_header_text(lambda text: text.replace("__metadata__", "acnet")), "not a readable|no model card"),
    "a card nested deep": (with_card_text(lambda text: DEEP), "card is damaged .*recursion"),
    "a card nested deeper than ours": (
        lambda path: change_card(path, metrics={"a": json.loads("[" * 20 + "]" * 20)}),
        "card is damaged .*nested more than 10 deep",
    ),
    "a card with a long text": (
        lambda path: change_card(path, licence="x" * 60_000),
        "card is damaged .*a text of 60000 characters, at most 2000",
    ),
    "a card with a long key": (lambda path: change_card(path, metrics={"x" * 60_000: 1}), "a name of 60000 characters"),
    "a card with a field twice": (
        with_card_text(lambda text: text[:-1] + ', "simulated": false}'),
        "card is damaged .*'simulated' twice",
    ),
    "a card that would clear the screen": (
        lambda path: change_card(path, licence="\x1b[2J"),
        "card is damaged .*control characters",
    ),
    "an unknown kind": (lambda path: change_card(path, kind="oracle"), "of kind 'oracle'"),
    "another kind": (lambda path: change_card(path, kind="localizer"), "lacks or adds these fields"),
    "no kind": (lambda path: change_card(path, kind=None), "of kind None"),
    "a name that is none": (lambda path: change_card(path, name=["a"]), "field name .* expected a text"),
    "no word of simulation": (lambda path: change_card(path, simulated=0), "field simulated .* true or false"),
    "an endless temperature": (lambda path: change_card(path, temperatures=[float("inf")]), "temperatures"),
    "a field strength of another type": (
        lambda path: change_card(path, field_strength_tesla="1.5"),
        "expected a number",
    ),
    "an intensity window of another type": (
        lambda path: change_card(path, intensity={"kind": "fixed_window", "low_ms": "0", "high_ms": "9"}),
        "wrong type",
    ),
    "a dropout that is no number": (
        lambda path: change_card(path, network={"dropout": float("nan")}),
        "a network can't have the settings",
    ),
    "bands out of order": (
        lambda path: change_card(path, attention_thresholds={"module_1": [0.2, 0.1, 0.3, 0.4]}),
        "attention_thresholds",
    ),
    "a network that fills the memory": (
        lambda path: change_card(path, network={"attention_modules": 10**9}),
        "attention_modules 1000000000; expected one of 0, 1, 2",
    ),
    "a weight of another shape": (
        lambda path: change_tensors(path, lambda weights: weights.update({"head.5.bias": torch.zeros(3)})),
        r"head\.5\.bias is float32 \(3,\); its network has float32 \(2,\)",
    ),
    "a weight of another number format": (
        lambda path: change_tensors(path, lambda weights: weights.update({"head.5.bias": torch.zeros(2).half()})),
        r"head\.5\.bias is float16",
    ),
    "a weight too many": (
        lambda path: change_tensors(path, lambda weights: weights.update({"extra": torch.zeros(1)})),
        r"weight extra is float32 \(1,\); its network has none",
    ),
    "a weight too few": (
        lambda path: change_tensors(path, lambda weights: weights.pop("head.5.bias")),
        r"head\.5\.bias is missing",
    ),
    "a changed bit": (flip_last_bit, "checksum"),
    "weights that are no numbers": (with_nan, "no numbers"),
    "weights that give no numbers": (with_huge_weights, "on a trial slice its network gives no numbers"),
}


@pytest.mark.parametrize("field", ["licence", "intended_use", "training_prior_dcm", "weights_sha256", "metrics"])
def test_a_card_without_a_field_that_the_panel_reads_is_refused_by_its_reader(model_file: Path, field: str) -> None:
    change_card(model_file, **{field: None})
    with pytest.raises(ACNetError, match=rf"field {field} of its model card is missing; expected"):
        weights_header.read_card_values(model_file)


@pytest.mark.parametrize(("spoil", "reason"), REFUSED.values(), ids=REFUSED)
def test_a_file_from_elsewhere_is_refused_with_its_reason(
    model_file: Path, own_folder: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    spoil(model_file)
    with pytest.raises(ACNetError, match=reason) as error:
        import_model(model_file)
    assert str(error.value).startswith(("from-a-friend.safetensors: ", "intensity scaling: "))
    assert "\n" not in str(error.value), "one line on the terminal"
    assert str(error.value).isprintable()
    assert not own_folder.exists(), "nothing is written"


def test_a_file_that_is_too_large_is_refused(
    model_file: Path, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights_header, "LARGEST_FILE_BYTES", 1_000_000)
    with pytest.raises(ACNetError, match=r"from-a-friend\.safetensors: .* bytes, at most 1000000 are expected"):
        import_model(model_file)
    assert not own_folder.exists()


def test_the_limits_leave_room_around_the_files_that_there_are(model_file: Path, localizer_file: Path) -> None:
    for path in (model_file, localizer_file, find_model(SHIPPED)):
        content = path.read_bytes()
        assert int.from_bytes(content[:8], "little") < LARGEST_HEADER_BYTES / 10
        assert len(content) < weights_header.LARGEST_FILE_BYTES / 10


class Trap:
    """What a malicious pickle does: reading it makes a file."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return Path.touch, (self.sprung,)  # type: ignore[return-value]


@pytest.mark.parametrize("protocol", range(6))
def test_nothing_is_unpickled(tmp_path: Path, own_folder: Path, protocol: int) -> None:
    sprung, path = tmp_path / "sprung", tmp_path / "model.safetensors"
    path.write_bytes(pickle.dumps(Trap(sprung), protocol))
    pickle.loads(path.read_bytes())
    assert sprung.exists(), "the trap works"
    sprung.unlink()
    own_folder.mkdir()
    (own_folder / path.name).write_bytes(path.read_bytes())
    assert stored_models()[-1].problem
    with pytest.raises(ACNetError, match="not a readable"):
        import_model(path)
    assert not sprung.exists()

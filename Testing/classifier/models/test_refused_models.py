"""What a model file from elsewhere must pass before it may be imported."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ACNetLib.errors import ACNetError
from ACNetLib.models import header as weights_header
from ACNetLib.models.card import read_card
from ACNetLib.models.header import LARGEST_HEADER_BYTES, METADATA_KEY
from ACNetLib.models.model import Model, load_model, save_model
from ACNetLib.models.store import (
    find_model,
    import_model,
    stored_models,
)
from model_files import SHIPPED, change_card, named, parts, write_parts

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


def change_tensors(path: Path, change: Callable[[dict[str, Tensor]], object]) -> Path:
    header, _ = parts(path)
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata=header["__metadata__"])
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


def with_weight(value: float) -> Callable[[Path], object]:
    def apply(path: Path) -> None:
        model = load_model(path)
        with torch.no_grad():
            model.network.get_parameter("head.5.bias")[0] = value
        save_model(model, path)

    return apply


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
WRONG_CARDS: dict[str, tuple[dict[str, Any], str]] = {
    "nested deeper than ours": ({"metrics": {"a": json.loads("[" * 20 + "]" * 20)}}, "damaged .*more than 10 deep"),
    "a long text": ({"licence": "x" * 60_000}, "card is damaged .*a text of 60000 characters, at most 2000"),
    "a long key": ({"metrics": {"x" * 60_000: 1}}, "a name of 60000 characters"),
    "would clear the screen": ({"licence": "\x1b[2J"}, "card is damaged .*control characters"),
    "an unknown kind": ({"kind": "oracle"}, "of kind 'oracle'"),
    "another kind": ({"kind": "localizer"}, "lacks or adds these fields"),
    "no kind": ({"kind": None}, "of kind None"),
    "no temperatures": ({"temperatures": None}, "lacks or adds these fields: temperatures"),
    "a name that is none": ({"name": ["a"]}, "field name .* expected a text"),
    "no word of simulation": ({"simulated": 0}, "field simulated .* true or false"),
    "an endless temperature": ({"temperatures": [float("inf")]}, "temperatures"),
    "a field strength of another type": ({"field_strength_tesla": "1.5"}, "expected a number"),
    "an intensity window of another type": (
        {"intensity": {"kind": "fixed_window", "low_ms": "0", "high_ms": "9"}},
        "wrong type",
    ),
    "a dropout that is no number": ({"network": {"dropout": float("nan")}}, "a network can't have the settings"),
    "bands out of order": ({"attention_thresholds": {"module_1": [0.2, 0.1, 0.3, 0.4]}}, "attention_thresholds"),
    "a network that fills the memory": (
        {"network": {"attention_modules": 10**9}},
        "attention_modules 1000000000; expected one of 0, 1, 2",
    ),
    "other format": ({"format_version": 8}, "model format 8; this version reads format 7"),
    "field added": ({"colour": "blue"}, "colour"),
    "unknown network setting": ({"network": {"depth": 50}}, "settings depth"),
    "unknown attention": ({"network": {"attention": "spatial"}}, "attention 'spatial'"),
    "unknown normalization": ({"network": {"normalization": "layer"}}, "normalization 'layer'"),
    "a score of more regions than there are": (
        {"network": {"outside": 10**9}},
        "outside 1000000000; expected one of 0, 1, 2",
    ),
    "network setting of another type": ({"network": {"attention_modules": "two"}}, "two"),
    "impossible network setting": ({"network": {"dropout": 2.0}}, "dropout"),
    "no network settings": ({"network": 7}, "network"),
    "other classes": ({"class_names": ["dcm", "normal"]}, "class_names"),
    "other slice size": ({"section_size": 64}, "section_size"),
    "other spacing": ({"section_spacing_mm": 2.0}, "section_spacing_mm"),
    "no temperature": ({"temperatures": []}, "temperatures"),
    "a temperature of zero": ({"temperatures": [1.0, 0]}, "temperatures"),
    "metrics of another type": ({"metrics": [1]}, "field metrics"),
    "no range": ({"uncertain_range": [0.8, 0.2]}, "field uncertain_range"),
    "temperature of another type": ({"temperatures": ["hot"]}, "wrong type"),
    "threshold out of range": ({"decision_threshold": 1.0}, "decision_threshold"),
    "prior out of range": ({"training_prior_dcm": 0.0}, "training_prior_dcm"),
    "too few bands": ({"attention_thresholds": {"module_1": [0.5]}}, "attention_thresholds"),
    "no scale for a map": ({"attention_thresholds": {"module_1": [0.1, 0.2, 0.3, 0.4]}}, "lacks combined, module_2"),
    "a normal T1 without SD": ({"normal_t1_ms": [996.0]}, "field normal_t1_ms"),
    "a normal T1 of zero": ({"normal_t1_ms": [0.0, 31.5]}, "field normal_t1_ms"),
    "a normal T1 of another type": ({"normal_t1_ms": 996.0}, "wrong type"),
    "a wider range that is none": (
        {"uncertain_range_without_reference": [0.9, 0.1]},
        "field uncertain_range_without_reference",
    ),
    "an empty wider range": ({"uncertain_range_without_reference": []}, "field uncertain_range_without_reference"),
    "unknown intensity": ({"intensity": {"kind": "histogram", "low_ms": 0, "high_ms": 1}}, "histogram"),
    "intensity of another shape": ({"intensity": {"window": 2}}, "wrong type"),
}
"""Other values on the card; None takes a field away."""
WEIGHT = "head.5.weight"
STEPS = torch.ones(2, 128, dtype=torch.int8)


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
    "a card with a field twice": (
        with_card_text(lambda text: text[:-1] + ', "simulated": false}'),
        "card is damaged .*'simulated' twice",
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
    "steps of 8 bits without their size": (
        lambda path: change_tensors(path, lambda weights: weights.update({WEIGHT: STEPS})),
        r"weight head\.5\.weight is int8",
    ),
    "steps of 8 bits with sizes of another shape": (
        lambda path: change_tensors(
            path,
            lambda weights: weights.update({WEIGHT: STEPS, f"{WEIGHT}.scale": torch.ones(1)}),
        ),
        r"weight head\.5\.weight is int8",
    ),
    "a changed bit": (flip_last_bit, "checksum"),
    "weights that are no numbers": (with_weight(float("nan")), "no numbers"),
    "weights without end": (with_weight(float("inf")), "no numbers"),
    "weights that give no numbers": (with_huge_weights, "on a trial slice its network gives no numbers"),
    **{f"a card: {name}": (partial(change_card, **values), reason) for name, (values, reason) in WRONG_CARDS.items()},
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


@pytest.mark.parametrize("protocol", [*range(6), "torch.save"])
def test_nothing_is_unpickled(tmp_path: Path, own_folder: Path, protocol: Any) -> None:
    sprung, path = tmp_path / "sprung", tmp_path / "model.safetensors"
    if protocol == "torch.save":
        torch.save(Trap(sprung), path)
        with path.open("rb") as file:  # of this suffix it takes a path to another reader
            torch.load(file, weights_only=False)
    else:
        path.write_bytes(pickle.dumps(Trap(sprung), protocol))
        pickle.loads(path.read_bytes())
    assert sprung.exists(), "the trap works"
    sprung.unlink()
    own_folder.mkdir()
    (own_folder / path.name).write_bytes(path.read_bytes())
    assert stored_models()[-1].problem
    for read in (load_model, read_card, import_model):
        with pytest.raises(ACNetError, match="not a readable"):
            read(path)
    assert not sprung.exists()

"""Model files of an untrained network and of a localizer, and files with another card or header."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ACNetLib.models.header import METADATA_KEY

if TYPE_CHECKING:
    from ACNetLib.models.model import Model
    from ACNetLib.networks.acnet import ACNet

SHIPPED = "acnet-simulated-1.5T"


@pytest.fixture(scope="session")
def an_untrained_file(an_untrained_network: ACNet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from ACNetLib.models.model import Model, save_model
    from conftest import a_card

    path = tmp_path_factory.mktemp("untrained") / "untrained.safetensors"
    save_model(Model(an_untrained_network, a_card("untrained")), path)
    return path


@pytest.fixture
def model_file(an_untrained_file: Path, tmp_path: Path) -> Path:
    """A model file from elsewhere, yours to change; its card names it "untrained"."""
    path = tmp_path / "elsewhere" / "from-a-friend.safetensors"
    path.parent.mkdir(exist_ok=True)
    return Path(shutil.copy(an_untrained_file, path))


@pytest.fixture
def localizer_file(tmp_path: Path) -> Path:
    from ACNetLib.networks.localizer import LocalizerCard, LocalizerModel, LocalizerNetwork, save_localizer

    card = LocalizerCard("ventricle", simulated=False, confidence_threshold=0.5, field_strengths_tesla=(1.5, 3.0))
    path = tmp_path / "elsewhere" / "ventricle.safetensors"
    save_localizer(LocalizerModel(LocalizerNetwork().eval(), card), path)
    return path


def named(model: Model, name: str, path: Path, **values: Any) -> Path:
    from ACNetLib.models.model import Model, save_model

    save_model(Model(model.network, replace(model.card, name=name, **values)), path)
    return path


def change_card(path: Path, **values: Any) -> Path:
    """Other values on the card; None takes a field away."""
    header, data = parts(path)
    card = {**json.loads(header["__metadata__"][METADATA_KEY]), **values}
    card = {name: value for name, value in card.items() if name not in values or value is not None}
    return write_parts(path, {**header, "__metadata__": {METADATA_KEY: json.dumps(card)}}, data)


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

"""Where models live: the shipped ones beside the module, the user's own in a folder that all Slicer versions share."""

from __future__ import annotations

import os
import stat
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ACNetLib.errors import ACNetError
from ACNetLib.files import LONGEST_NAME, FileState, atomic_path, is_plain_name, state_of_file, temporary_folder
from ACNetLib.models.header import CLASSIFIER, LARGEST_FILE_BYTES, LOCALIZER, WEIGHTS_SUFFIX, read_card_values
from ACNetLib.resources import resources_folder
from ACNetLib.t1map.field_strength import nominal_field_strength

SHIPPED_MODELS_FOLDER = resources_folder() / "Models"
DEFAULT_LOCALIZER = "localizer-simulated"
FOLDER_VARIABLE = "ACNET_MODELS"
"""The environment variable that puts the user's models into another folder."""

MODEL_NAMES = (
    f"a plain file name of at most {LONGEST_NAME} letters A to Z, digits, dots, hyphens, underscores and spaces"
)
RENAMING = "acnet-train names a model after its --output; train it under another name."


@dataclass(frozen=True)
class StoredModel:
    """A file in one of the folders, as its header describes it.

    problem: why it can't be used, "" when its card is right; the weights are checked when they are loaded.
    auroc: on the cases that it was evaluated on, if it was. normal_t1_ms: mean septal T1 of its normal training
    patients, if its card tells it.
    """

    name: str
    path: Path
    shipped: bool
    kind: str = ""
    field_strengths_tesla: tuple[float, ...] = ()
    simulated: bool = False
    auroc: float | None = None
    problem: str = ""
    normal_t1_ms: float | None = None


def user_models_folder() -> Path:
    """The folder of the user's own models, by the platform's convention; it need not exist."""
    if folder := os.environ.get(FOLDER_VARIABLE):
        return Path(folder)
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return base / "ACNet" / "models"


def stored_models() -> tuple[StoredModel, ...]:
    """Every file of both folders, damaged ones too: the shipped first, then the user's, each in the order of names."""
    return (*_models_in(SHIPPED_MODELS_FOLDER, shipped=True), *_models_in(user_models_folder(), shipped=False))


def available_models() -> dict[str, Path]:
    """Name and file of each classifier that can be chosen, the shipped first."""
    return {model.name: model.path for model in stored_models() if model.kind == CLASSIFIER and not model.problem}


def find_model(name_or_path: str) -> Path:
    """The file of a model by its name, or the path of another model file. Raises ACNetError when neither is."""
    models = available_models()
    if name_or_path in models:
        return models[name_or_path]
    path = Path(name_or_path)
    if os.path.isfile(path):
        return path
    raise ACNetError(
        f"model: found neither a file nor a model '{name_or_path}'; there are {', '.join(models) or 'none'}. "
        "See acnet models list."
    )


def model_for_field(field_strength_tesla: float) -> Path:
    """The shipped model for a field strength. A user's own is only taken when it is named.

    Raises ACNetError when there is none.
    """
    shipped = [model for model in _models_in(SHIPPED_MODELS_FOLDER, shipped=True) if model.kind == CLASSIFIER]
    for model in shipped:
        if nominal_field_strength(field_strength_tesla) in map(nominal_field_strength, model.field_strengths_tesla):
            return model.path
    raise ACNetError(
        f"model: none is shipped for {field_strength_tesla:g} T; shipped are "
        f"{', '.join(model.name for model in shipped) or 'none'}. Name a model of your own, see acnet models list."
    )


def model_for_reference(mean_ms: float) -> Path:
    """The shipped model whose own normal T1 lies nearest to a site's, for a map that doesn't tell its field strength.

    Raises ACNetError when no card tells it.
    """
    distances = {
        model.path: abs(model.normal_t1_ms - mean_ms)
        for model in _models_in(SHIPPED_MODELS_FOLDER, shipped=True)
        if model.normal_t1_ms is not None
    }
    if not distances:
        raise ACNetError(
            "model: no shipped model knows its own normal T1, so a reference T1 can't stand for the field strength, "
            "which the map does not tell.",
            cli="Give it: --field 1.5 or --field 3.",
            panel="field strength",
        )
    return min(distances, key=lambda path: distances[path])


def default_localizer() -> Path:
    """The shipped localizer. Raises ACNetError when it is missing."""
    path = SHIPPED_MODELS_FOLDER / f"{DEFAULT_LOCALIZER}{WEIGHTS_SUFFIX}"
    if not path.is_file():
        raise ACNetError(f"{path}: the shipped localizer is missing. Reinstall ACNet.")
    return path


def import_model(file: Path, *, replace: bool = False) -> Path:
    """Copy a model file from elsewhere into the user's folder, under the name on its card, once it has proved to work.

    What is copied are the very bytes that were checked. Raises ACNetError with the reason when the file is none of ours
    or its name can't be used; `replace` lets it take the place of the user's own model of that name.
    """
    from ACNetLib.models.check import check_model

    file = Path(file)
    content = _read_plain_file(file)
    with temporary_folder() as room:
        copy = room / file.name  # errors name it as the user does
        copy.write_bytes(content)
        name = check_model(copy).name
    _check_name(name, file.name)
    folder = user_models_folder()
    same_name = [path for path in _files(folder) if path.stem.casefold() == name.casefold()]
    if same_name and not (replace and same_name[0].stem == name):
        remedy = "Use --replace to put this one in its place." if same_name[0].stem == name else "Remove that first."
        raise ACNetError(f"{file.name}: {folder} has a model named '{same_name[0].stem}' already. {remedy}")
    target = folder / f"{name}{WEIGHTS_SUFFIX}"
    try:
        with atomic_path(target) as temporary:
            temporary.write_bytes(content)
    except OSError as error:
        raise not_writable(folder, error) from error
    return target


def remove_model(name: str) -> Path:
    """Delete one of the user's own models; returns where it was. Raises ACNetError for a shipped or unknown one."""
    folder = user_models_folder()
    own = {path.stem: path for path in _files(folder)}
    if name not in own:
        shipped = any(path.stem == name for path in _files(SHIPPED_MODELS_FOLDER))
        reason = "it is shipped with ACNet and can't be removed" if shipped else "there is no such model"
        raise ACNetError(f"model {name}: {reason}; your own in {folder} are {', '.join(own) or 'none'}.")
    try:
        own[name].unlink()
    except OSError as error:
        raise not_writable(folder, error) from error
    return own[name]


def _files(folder: Path) -> list[Path]:
    """The model files of a folder, in order. Hidden ones are half-written ones, or a Mac's notes on others."""
    return sorted(path for path in folder.glob(f"*{WEIGHTS_SUFFIX}") if not path.name.startswith("."))


def _models_in(folder: Path, shipped: bool) -> list[StoredModel]:
    models = []
    for path in _files(folder):
        try:
            models.append(_shipped(path, state_of_file(path)) if shipped else _described(path, shipped))
        except ACNetError as error:
            models.append(StoredModel(path.stem, path, shipped, problem=str(error)))
    return models


@lru_cache(maxsize=32)
def _shipped(path: Path, _of_state: FileState) -> StoredModel:
    """Described once: every study of a list asks for the model of its field strength."""
    return _described(path, shipped=True)


def _described(path: Path, shipped: bool) -> StoredModel:
    """Raises ACNetError when the header is not that of a model which can be used under the file's name."""
    card = read_card_values(path)
    kind, name = card.get("kind"), card.get("name")
    if name != path.stem:
        raise ACNetError(f"{path.name}: its card names it {name!r}. Rename it so, or use acnet models import.")
    if not shipped:
        _check_name(path.stem, path.name)
    try:
        if kind == CLASSIFIER:
            fields = [card["field_strength_tesla"]]
        elif kind == LOCALIZER:
            fields = card["field_strengths_tesla"]
        else:
            raise ACNetError(f"{path.name}: it holds a network of kind {kind!r}; this version knows no such kind.")
        field_strengths = tuple(float(field) for field in fields)
        simulated = bool(card["simulated"])
    except (LookupError, TypeError, ValueError) as error:
        raise ACNetError(f"{path.name}: a field of its model card is missing or wrong ({error}).") from error
    auroc = normal_t1_ms = None
    match card.get("metrics"):
        case {"auroc": {"value": float(value)}}:
            auroc = value
    match card.get("normal_t1_ms"):
        case [float(mean), float()]:
            normal_t1_ms = mean
    return StoredModel(path.stem, path, shipped, kind, field_strengths, simulated, auroc, normal_t1_ms=normal_t1_ms)


def _read_plain_file(file: Path) -> bytes:
    """Raises ACNetError unless it is a file in its own right with the suffix of model files."""
    if file.suffix.lower() != WEIGHTS_SUFFIX:
        raise ACNetError(
            f"{file}: its name does not end in {WEIGHTS_SUFFIX}. Other files can hold code that runs when they are "
            "read; ask for a file that acnet-train wrote."
        )
    try:
        if not stat.S_ISREG(file.lstat().st_mode):
            raise ACNetError(f"{file}: it is a link, folder or device; expected a plain file. Give the file itself.")
        with file.open("rb") as opened:
            return opened.read(LARGEST_FILE_BYTES + 1)  # one more than is accepted, so that the check refuses it
    except OSError as error:
        raise ACNetError(f"{file}: it can't be read ({error.strerror}); expected a model file.") from error


def is_model_name(name: str) -> bool:
    """Whether a model can have the name, which is its file's too and is typed in commands."""
    return name.isascii() and is_plain_name(name)


def _check_name(name: str, file_name: str) -> None:
    """Raises ACNetError unless the name makes a plain file name on every system, and no shipped model has it."""
    if not is_model_name(name):
        raise ACNetError(f"{file_name}: its card names it {name!r}; expected {MODEL_NAMES}. {RENAMING}")
    if any(path.stem.casefold() == name.casefold() for path in _files(SHIPPED_MODELS_FOLDER)):
        raise ACNetError(f"{file_name}: a shipped model is named '{name}' already. {RENAMING}")


def not_writable(folder: Path, error: OSError) -> ACNetError:
    """Of the folder of the user's models, or of what lies beside it."""
    return ACNetError(
        f"{folder}: it can't be changed ({error.strerror}). Ask for the right to, or set {FOLDER_VARIABLE} to another "
        "folder."
    )

"""Where models live: the shipped ones lie beside the module."""

from __future__ import annotations

from pathlib import Path

from ACNetLib.errors import ACNetError

SHIPPED_MODELS_FOLDER = Path(__file__).resolve().parents[1] / "Resources" / "Models"
DEFAULT_MODEL = "acnet-simulated-1.5T"


def shipped_models() -> dict[str, Path]:
    """Name and file of each shipped model, in the order of their names."""
    return {path.stem: path for path in sorted(SHIPPED_MODELS_FOLDER.glob("*.safetensors"))}


def find_model(name_or_path: str) -> Path:
    """The file of a shipped model by its name, or the path of another model file. Raises ACNetError when neither is."""
    models = shipped_models()
    if name_or_path in models:
        return models[name_or_path]
    path = Path(name_or_path)
    if path.is_file():
        return path
    raise ACNetError(
        f"model: found neither a file nor a shipped model '{name_or_path}'; shipped are {', '.join(models) or 'none'}."
    )

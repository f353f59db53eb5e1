"""Write slicer_api.json.gz, the part of Slicer's API that our tests compare with.

    python -m slicer_host.extract_api FULL_LISTING.json

The full listing comes from a running Slicer. It has for each class its properties, methods, signals and slots beyond
those of the class that it inherits from.
"""

from __future__ import annotations

import ast
import gzip
import json
import re
import sys
from pathlib import Path

STORED = Path(__file__).with_name("slicer_api.json.gz")
CLASSES = (
    "ctk.ctkCollapsibleButton",
    "ctk.ctkMessageBox",
    "ctk.ctkSliderWidget",
    "qt.QCheckBox",
    "qt.QComboBox",
    "qt.QDesktopServices",
    "qt.QDoubleSpinBox",
    "qt.QFileDialog",
    "qt.QHBoxLayout",
    "qt.QIcon",
    "qt.QLabel",
    "qt.QLineEdit",
    "qt.QObject",
    "qt.QPixmap",
    "qt.QProgressBar",
    "qt.QPushButton",
    "qt.QSpinBox",
    "qt.QTableWidget",
    "qt.QTableWidgetItem",
    "qt.QTimer",
    "qt.QUrl",
    "qt.QVBoxLayout",
    "qt.QWidget",
    "qt.Qt",
    "slicer.qMRMLCheckableNodeComboBox",
    "slicer.qMRMLNodeComboBox",
    "slicer.qMRMLWidget",
    "slicer.qSlicerCoreIOManager",
    "slicer.qSlicerMainWindow",
    "slicer.qSlicerModuleFactoryManager",
    "slicer.qSlicerModuleManager",
    "slicer.qSlicerModuleSelectorToolBar",
    "slicer.qSlicerScriptedLoadableModule",
    "slicer.qSlicerScriptedLoadableModuleWidget",
)
PACKAGES = (
    "slicer.ScriptedLoadableModule",
    "slicer.i18n",
    "slicer.packaging",
    "slicer.parameterNodeWrapper",
    "slicer.util",
)


def extract(listing: dict) -> dict:
    """Names only; a signal keeps its signature where the listing has it."""
    classes = {}
    for name in CLASSES:
        entry = listing["classes"][name]
        methods = [match[1] for text in entry.get("methods", []) if (match := re.match(r"X\.(\w+)\(", text))]
        slots = [slot for text in entry.get("slotSignatures", []) if not (slot := _slot_name(text)).startswith("_")]
        classes[name] = {
            "inherits": entry["inherits_attributes_of"],
            "properties": sorted(entry.get("properties", {})),
            "methods": sorted({*methods, *slots}),
            "signals": entry.get("signalSignatures", entry.get("signals", [])),
            "values": sorted({*entry.get("enumValues", {}), *entry.get("types", [])}),
        }
    packages = {
        name: {item: _package_item(entry) for item, entry in listing["slicer.packages"][name].items()}
        for name in PACKAGES
    }
    return {
        "slicer": listing["meta"]["slicer"],
        "classes": classes,
        "names": sorted({*listing["classes"], *(f"slicer.{name}" for name in listing["vtkMRML"])}),
        "app": sorted(listing["app"]),
        "packages": packages,
    }


def _package_item(entry: dict) -> dict[str, list[str]]:
    if entry["kind"] == "class":
        return {"methods": sorted(entry["methods"])}
    signature = re.sub(r"<[^>]*>( at \w+>)?", "...", entry["signature"])  # the default is an object
    function = ast.parse(f"def f{signature}: ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    names = [argument.arg for argument in function.args.args + function.args.kwonlyargs]
    return {"parameters": [*names, *([f"**{function.args.kwarg.arg}"] if function.args.kwarg else [])]}


def _slot_name(signature: str) -> str:
    return signature.partition("(")[0].rpartition(" ")[2]


def _with_lists_on_one_line(text: str) -> str:
    return re.sub(r"\[[^]]*\]", lambda found: " ".join(found[0].split()), text)


if __name__ == "__main__":
    full_listing = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    text = json.dumps(extract(full_listing), indent=1)
    # As text it has 120 kB: an extension's repository has a limit.
    STORED.write_bytes(gzip.compress((_with_lists_on_one_line(text) + "\n").encode(), mtime=0))

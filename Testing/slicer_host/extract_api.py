"""Write slicer_api.json, the part of Slicer's API that our tests compare with.

    python -m slicer_host.extract_api FULL_LISTING.json

The full listing comes from a running Slicer. It has for each class its properties, methods, signals and slots beyond
those of the class that it inherits from.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

STORED = Path(__file__).with_name("slicer_api.json")
CLASSES = (
    "ctk.ctkCollapsibleButton",
    "ctk.ctkSliderWidget",
    "qt.QComboBox",
    "qt.QDoubleSpinBox",
    "qt.QLabel",
    "qt.QObject",
    "qt.QPushButton",
    "qt.QTableWidget",
    "qt.QTableWidgetItem",
    "qt.QTimer",
    "qt.QWidget",
    "slicer.qMRMLNodeComboBox",
    "slicer.qMRMLWidget",
    "slicer.qSlicerScriptedLoadableModule",
    "slicer.qSlicerScriptedLoadableModuleWidget",
)


def extract(listing: dict) -> dict:
    """Names only; a signal or slot keeps its signature."""
    classes = {}
    for name in CLASSES:
        entry = listing["classes"][name]
        methods = [match[1] for text in entry.get("methods", []) if (match := re.match(r"X\.(\w+)\(", text))]
        slots = [slot for text in entry.get("slotSignatures", []) if not (slot := _slot_name(text)).startswith("_")]
        classes[name] = {
            "inherits": entry["inherits_attributes_of"],
            "properties": sorted(entry.get("properties", {})),
            "methods": sorted({*methods, *slots}),
            "signals": entry.get("signalSignatures", []),
        }
    packages = {
        name: {item: sorted(entry.get("methods", {})) for item, entry in listing["slicer.packages"][name].items()}
        for name in ("slicer.ScriptedLoadableModule", "slicer.i18n", "slicer.parameterNodeWrapper")
    }
    return {
        "slicer": listing["meta"]["slicer"],
        "classes": classes,
        "app": sorted(listing["app"]),
        "packages": packages,
    }


def _slot_name(signature: str) -> str:
    return signature.partition("(")[0].rpartition(" ")[2]


if __name__ == "__main__":
    full_listing = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    STORED.write_text(json.dumps(extract(full_listing), indent=1) + "\n", encoding="utf-8")

#!/bin/sh
# slicer-core 5.13.31053.0: a table whose text holds double quotes comes back from its file with other text.
#
# A table node is stored as tab-separated values, its texts as they are. When the file is read, a double quote begins and
# ends a text, also in the middle of a cell: what lies before the first is lost. Both steps succeed.
# Expected: the text that was stored, or an error. Seen: 'the "new" T1 map' becomes 'new T1 map'. So a module replaces
# double quotes in what it puts into a table, or keeps the text elsewhere too.
#
# Needs python3 and the Python package index. Exits with 0 while it behaves so, with 1 when it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check slicer-core==5.13.31053.0 vtk==9.6.2
cat > "$folder/check.py" <<'PYTHON'
import sys
import tempfile
from pathlib import Path

import slicer
import vtk

TEXTS = ["plain text", 'the "new" T1 map']


def stored_and_read(text):
    """The file's second line, whether both steps succeeded, and the text that is read."""
    column = vtk.vtkStringArray()
    column.SetName("name")
    column.InsertNextValue(text)
    scene = slicer.vtkMRMLScene()
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", "table")
    table.AddColumn(column)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.tsv"
        storage = scene.AddNewNodeByClass("vtkMRMLTableStorageNode")
        storage.SetFileName(str(file))
        written = bool(storage.WriteData(table))
        line = file.read_text(encoding="utf-8").splitlines()[1]
        other = scene.AddNewNodeByClass("vtkMRMLTableNode", "read")
        read = bool(storage.ReadData(other))
        return line, written and read, other.GetTable().GetColumnByName("name").GetValue(0)


print("slicer-core 5.13.31053.0")
found = {}
for text in TEXTS:
    line, succeeded, found[text] = stored_and_read(text)
    print(f"stored {text!r}: in the file {line!r}, succeeded {succeeded}, read {found[text]!r}")
sys.exit(0 if found == {TEXTS[0]: TEXTS[0], TEXTS[1]: "new T1 map"} else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

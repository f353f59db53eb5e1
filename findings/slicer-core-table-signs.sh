#!/bin/sh
# slicer-core 5.13.31053.0: a table whose text holds double quotes or a # comes back from its file with less in it.
#
# A table node is stored as tab-separated values, its texts as they are. When the file is read, a double quote begins and
# ends a text, also in the middle of a cell: what lies before the first is lost. A # begins a comment: the rest of the row
# is lost, the cells after this one too. Both steps succeed.
# Expected: the texts that were stored, or an error. Seen: 'the "new" T1 map' becomes 'new T1 map', and 'T1 #2' becomes
# 'T1 ', after which the row's next cell is empty. So a module replaces both signs in what it puts into a table, or keeps
# the text elsewhere too.
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

EXPECTED = {
    "plain text": ["plain text", "next"],
    'the "new" T1 map': ["new T1 map", "next"],
    "T1 #2": ["T1 ", None],
}


def stored_and_read(text):
    """The file's second line, whether both steps succeeded, and what is read of the text and of the next cell."""
    scene = slicer.vtkMRMLScene()
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", "table")
    for name, value in (("name", text), ("next", "next")):
        column = vtk.vtkStringArray()
        column.SetName(name)
        column.InsertNextValue(value)
        table.AddColumn(column)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "table.tsv"
        storage = scene.AddNewNodeByClass("vtkMRMLTableStorageNode")
        storage.SetFileName(str(file))
        written = bool(storage.WriteData(table))
        line = file.read_text(encoding="utf-8").splitlines()[1]
        other = scene.AddNewNodeByClass("vtkMRMLTableNode", "read")
        read = bool(storage.ReadData(other))
        columns = [other.GetTable().GetColumnByName(name) for name in ("name", "next")]
        values = [each.GetValue(0) if each is not None and each.GetNumberOfValues() else None for each in columns]
        return line, written and read, values


print("slicer-core 5.13.31053.0")
found = {}
for text in EXPECTED:
    line, succeeded, found[text] = stored_and_read(text)
    print(f"stored {text!r}: in the file {line!r}, succeeded {succeeded}, read {found[text]!r}")
sys.exit(0 if found == EXPECTED else 1)
PYTHON
"$folder/venv/bin/python" "$folder/check.py"

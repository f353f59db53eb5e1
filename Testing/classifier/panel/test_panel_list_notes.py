"""What the process that makes the reading list has to say beside its rows, in the panel."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from dicom_files import RAMP, RAW_TYPE, write_section
from slicer_host import wait_until
from trainer_panel_fixtures import texts_of

ANSWER = 1
LIST_SECONDS = 300.0


def test_studies_that_leave_the_list_are_told(
    a_module: Any, ui: Any, tmp_path: Path, chosen_folders: list[Path]
) -> None:
    def make_the_list() -> list[str]:
        ui.listButton.click()
        wait_until(lambda: not a_module.widget.panel.making_list, LIST_SECONDS)
        return ui.listStatusLabel.text.splitlines()

    for patient in "abc":
        file = tmp_path / "ward" / patient / "1.dcm"
        write_section(file, RAMP, PatientID=patient, ImageType=RAW_TYPE, SeriesDescription="cine")
    chosen_folders += [tmp_path / "ward", tmp_path / "list"]
    ui.studiesFolderButton.click()
    ui.listFolderButton.click()
    assert make_the_list() == ["3 No T1 map; read: 0 of 3."]
    for patient in "ab":
        shutil.rmtree(tmp_path / "ward" / patient)
    note, counts = make_the_list()
    assert note.endswith("so no longer in the list: 2 studies. What was written of them stays.")
    assert counts == "1 No T1 map; read: 0 of 1."
    assert texts_of(ui.listTable, ANSWER) == ["No T1 map"]
    assert make_the_list() == [counts]

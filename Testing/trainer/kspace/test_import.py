"""`acnet-train cases import-cmrxrecon`: simulated challenge folders to cases, stopped and gone on, with bad files among
them; and the whole road to a fine-tuned model.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from ACNetLib.errors import ACNetError
from ACNetLib.inference.ventricle_choice import NO_TURN
from ACNetLib.models.model import load_model
from ACNetLib.t1map.checks import NATIVE_MAP
from ACNetLib.t1map.t1_map import read_t1_map
from ACNetTrainerLib.cases.library import read_case_library
from ACNetTrainerLib.commands import main as cli
from ACNetTrainerLib.kspace import importing
from ACNetTrainerLib.kspace.importing import import_cmrxrecon
from ACNetTrainerLib.training.recipe import shipped_recipes
from cmrxrecon_files import COARSE, SimulatedScan, simulate_scan, write_k_space, write_scan
from conftest import Finder
from made_up_maps import content_of

MAPPING = Path("MultiCoil", "Mapping", "TrainingSet", "FullSample")
SCANNER = "Siemens_30T_Vida"


@pytest.fixture(scope="module")
def scans() -> tuple[SimulatedScan, SimulatedScan]:
    normal = simulate_scan(0, "normal", coils=3, view=COARSE)
    return normal, simulate_scan(1, "dcm", levels=("base", "mid"), coils=3, view=COARSE)


@pytest.fixture
def challenge(tmp_path: Path, scans: tuple[SimulatedScan, SimulatedScan]) -> Path:
    """P001 healthy, P002 with DCM and two slices, P003 with another disease whose scan is P001's, turned round."""
    folder = tmp_path / "ChallengeData"
    normal, dcm = scans
    place = folder / MAPPING / "Center001" / SCANNER
    write_scan(place / "P001", normal)
    write_scan(place / "P002", dcm)
    write_scan(place / "P003", dcm)
    write_k_space(place / "P003" / "T1map.mat", 2 * dcm.k_space[:, :, :, ::-1, :] + np.complex64(1e-3))
    return folder


def write_sheet(folder: Path, *rows: str) -> Path:
    path = folder / "sheet.csv"
    lines = ["Center,Manufacturer,AnonPatientID,Disease1", *(f"Center001,{SCANNER},{row}" for row in rows)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def nobody() -> Finder:
    raise AssertionError("no map should have been made")


def test_scans_become_cases_with_geometry_field_strength_sequence_and_label(
    challenge: Path,
    scans: tuple[SimulatedScan, SimulatedScan],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = content_of(challenge)
    sheet = write_sheet(tmp_path, "P001,Healthy", "P002,DCM", "P003,HCM")
    imported = import_cmrxrecon(challenge, sheet, tmp_path / "cases", Finder)
    assert len(imported.notes) == 3, "a scan's file has no geometry, and these have no septum"
    assert all(note.endswith(NO_TURN) for note in imported.notes)
    library = read_case_library(tmp_path / "cases")
    assert [case.label for case in library.cases] == ["normal", "dcm", "dcm"]
    assert [case.label for case in library.others] == ["other:hcm", "other:hcm"]
    assert len(library.patients) == 2
    assert cli.main(["cases", "check", str(tmp_path / "cases")]) == 0
    said = capsys.readouterr().out
    assert "2 patients, 3 slices\n" in said
    assert "To evaluate on alone: 1 patients with hcm\n" in said
    for case in library.every_case:
        assert case.sequence == "MOLLI 4(1)3(1)2"
        assert case.manufacturer == "SIEMENS"
        assert case.field_strength_tesla == 3
        assert case.source == f"Center001 {SCANNER}"
        assert case.center_source == "localizer"
    normal = read_t1_map(library.path(library.cases[0]))
    assert normal.image.GetSpacing() == pytest.approx((scans[0].pixel_mm, scans[0].pixel_mm, 8))
    muscle = scans[0].myocardium()
    truth = scans[0].true_t1_ms()
    assert normal.array[0].shape == muscle.shape
    assert np.median(normal.array[0][muscle]) == pytest.approx(np.median(truth[muscle]), rel=0.1)
    assert content_of(challenge) == before


def test_an_import_that_was_stopped_goes_on_with_the_next_patient(
    challenge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet, library = write_sheet(tmp_path, "P001,Healthy", "P002,DCM", "P003,HCM"), tmp_path / "cases"
    read_scan = importing.read_scan
    read: list[str] = []

    def stopped_at_the_second(scan: importing.Scan, told: importing.Told) -> object:
        if read:
            raise KeyboardInterrupt
        read.append(scan.patient)
        return read_scan(scan, told)

    monkeypatch.setattr(importing, "read_scan", stopped_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        import_cmrxrecon(challenge, sheet, library, Finder)
    assert len(read_case_library(library).cases) == 1
    monkeypatch.setattr(importing, "read_scan", read_scan)
    imported = import_cmrxrecon(challenge, sheet, library, Finder)
    assert (imported.there, len(imported.cases)) == (1, 4)
    again = import_cmrxrecon(challenge, sheet, library, nobody)
    assert (again.there, again.cases) == (3, ())


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("T1map.csv", None, r"found no inversion times beside it .* Give them: --times FILE\."),
        (
            "T1map.csv",
            b",Slice1\nTI1,100\nTI2,1100\n",
            "found 9 images and 2 inversion times; expected as many, and 3 or more",
        ),
        ("T1map_info.csv", None, r"its pixel size is not told .* Give it: --spacing COLUMN,ROW,SLICE in mm\."),
        ("T1map.mat", b"MATLAB 5.0", "no MATLAB 7.3 file, or damaged"),
        ("scanner", None, r"names no disease of Center001 UIH_50T_Jupiter P001"),
    ],
    ids=["no times", "too few times", "no pixel size", "damaged", "a scanner of 5 T"],
)
def test_a_scan_that_will_not_do_is_one_line(
    challenge: Path, tmp_path: Path, file: str, content: bytes | None, reason: str
) -> None:
    scanner = challenge / MAPPING / "Center001" / SCANNER
    for patient in ("P002", "P003"):
        (scanner / patient / "T1map.mat").unlink()
    if file == "scanner":
        scanner.rename(scanner.with_name("UIH_50T_Jupiter"))
    elif content is None:
        (scanner / "P001" / file).unlink()
    else:
        (scanner / "P001" / file).write_bytes(content)
    with pytest.raises(ACNetError, match=r"no case was made of its 1 scans\.") as error:
        import_cmrxrecon(challenge, write_sheet(tmp_path, "P001,DCM"), tmp_path / "cases", nobody)
    assert len(error.value.lines) == 2
    assert re.search(f"Left out: .*{reason}", error.value.lines[1])


def test_a_note_advises_no_option_of_another_command(
    challenge: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looks_as_after_contrast(*_: object) -> None:
        raise ACNetError("map: it looks as after contrast.", **NATIVE_MAP)

    monkeypatch.setattr(importing, "by_localizer", looks_as_after_contrast)
    with pytest.raises(ACNetError) as error:
        import_cmrxrecon(challenge, write_sheet(tmp_path, "P001,DCM"), tmp_path / "cases", Finder)
    assert "Left out: map: it looks as after contrast." in error.value.lines
    assert "--post-contrast" not in str(error.value)


def test_the_whole_road_from_a_challenge_s_folder_to_a_fine_tuned_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the documented commands, with the shipped localizer and model: simulated k-space to an evaluation."""
    folders = {}
    for name, patients, first in (("learn", 3, 0), ("judge", 6, 20)):
        rows, folders[name] = [], tmp_path / name
        for number in range(2 * patients):
            label = ("normal", "dcm")[number % 2]
            disease = {"normal": "Healthy", "dcm": "DCM"}[label]
            scan = simulate_scan(first + number, label, coils=2, view=COARSE)  # type: ignore[arg-type]
            write_scan(folders[name] / MAPPING / "Center001" / SCANNER / f"P{number:03}", scan)
            rows.append(f"P{number:03},{disease}")
        rows[-1] = rows[-1].replace("DCM", "HCM") if name == "judge" else rows[-1]
        arguments = ["--labels", write_sheet(folders[name], *rows), "--output", tmp_path / f"{name}-cases"]
        assert cli.main([str(part) for part in ("cases", "import-cmrxrecon", folders[name], *arguments)]) == 0
    text = shipped_recipes()["fine-tune"].read_text(encoding="utf-8")
    recipe = tmp_path / "recipe.toml"
    epochs = next(line for line in text.splitlines() if line.startswith("epochs ="))
    recipe.write_text(text.replace(epochs, "epochs = 1").replace('"auto"', '"32-true"'), encoding="utf-8")
    model, metrics = tmp_path / "site.safetensors", tmp_path / "metrics.json"
    train = ["train", tmp_path / "learn-cases", "--recipe", recipe, "--from", "acnet-simulated-3T", "--output", model]
    assert cli.main([str(part) for part in train]) == 0, capsys.readouterr().err
    judge = ["evaluate", model, tmp_path / "judge-cases", "--output", metrics]
    assert cli.main([str(part) for part in judge]) == 0, capsys.readouterr().err
    assert load_model(model).card.training["parent"]["name"] == "acnet-simulated-3T"
    result = json.loads(metrics.read_text(encoding="utf-8"))
    assert (result["cases"]["patients_normal"], result["cases"]["patients_dcm"]) == (6, 5)
    other = result["other_diseases"]["hcm"]
    assert other["patients"] == 1
    assert sum(other["verdicts"].values()) == 1
    assert result["auroc"]["value"] > 0.5

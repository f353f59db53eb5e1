"""Reading the challenges' files: their folders of three years, their tables, and files that are none or mean harm."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from openpyxl import Workbook

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.kspace import workbook
from ACNetTrainerLib.kspace.k_space_file import open_k_space
from ACNetTrainerLib.kspace.labels import read_disease_sheet
from ACNetTrainerLib.kspace.scans import find_scans, oversampling, read_tables, read_times, spacing_mm
from cmrxrecon_files import K_SPACE_TYPE, write_k_space

SHAPE = (9, 2, 3, 20, 32)
"""Inversions, slices, coils, phase, readout."""


def some_k_space() -> np.ndarray:
    values = np.random.default_rng(1).standard_normal((2, *SHAPE), np.float32)
    return (values[0] + 1j * values[1]).astype(np.complex64)


# Folders


def test_the_folders_of_three_years_are_found_and_each_patient_is_taken_once(tmp_path: Path) -> None:
    for file in (
        "2023/MultiCoil/Mapping/TrainingSet/FullSample/P001/T1map.mat",
        "2023/MultiCoil/Mapping/TrainingSet/AccFactor04/P001/T1map.mat",
        "2023/MultiCoil/Mapping/ValidationSet/AccFactor10/P001/T1map.mat",
        "2023/MultiCoil/Mapping/ValidationSet/AccFactor04/P001/T1map.mat",
        "2023/MultiCoil/Mapping/ValidationSet/AccFactor04/P001/T1map_mask.mat",
        "2024/MultiCoil/Mapping/ValidationSet/UnderSample_Task1/P002/T1map_kus_Uniform10.mat",
        "2024/MultiCoil/Mapping/ValidationSet/UnderSample_Task1/P002/T1map_kus_Uniform4.mat",
        "2024/MultiCoil/Mapping/ValidationSet/UnderSample_Task1/P002/T2map_kus_Uniform4.mat",
        "2024/MultiCoil/Mapping/ValidationSet/Mask_Task1/P002/T1map_mask_Uniform4.mat",
        "2025/MultiCoil/Mapping/TrainingSet/FullSample/Center005/UIH_15T_umr670/P003/T1map.mat",
        "2025/MultiCoil/Mapping/TrainingSet/FullSample/Center005/UIH_15T_umr670/P003/T1mappost.mat",
        "2025/MultiCoil/Mapping/TrainingSet/FullSample/Center001/Siemens_30T_CIMA.X/P003/T1map.mat",
        "2025/TaskR2/MultiCoil/Mapping/ValidationSet/UnderSample_TaskR2/Center009/GE_055T_x/P7/T1map_kus_ktRadial8.mat",
    ):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    found = {(*scan.key, scan.acceleration, scan.field_strength_tesla) for scan in find_scans(tmp_path)}
    assert found == {
        ("TrainingSet", "", "P001", 1, None),
        ("ValidationSet", "", "P001", 4, None),
        ("ValidationSet", "", "P002", 4, None),
        ("Center005", "UIH_15T_umr670", "P003", 1, 1.5),
        ("Center001", "Siemens_30T_CIMA.X", "P003", 1, 3.0),
        ("Center009", "GE_055T_x", "P7", 8, 0.55),
    }
    with pytest.raises(ACNetError, match=r"found no T1map\.mat; expected a folder of the CMRxRecon challenge"):
        find_scans(tmp_path / "2024" / "MultiCoil" / "Mapping" / "ValidationSet" / "Mask_Task1")


def test_a_file_whose_table_of_variables_is_damaged_is_refused_in_one_line(tmp_path: Path) -> None:
    path = write_k_space(tmp_path / "T1map.mat", np.ones((4, 1, 2, 20, 24), np.complex64))
    content = path.read_bytes()
    assert b"SNOD" in content
    path.write_bytes(content.replace(b"SNOD", b"odds"))
    with pytest.raises(ACNetError, match=r"T1map\.mat: no MATLAB 7\.3 file, or damaged"), open_k_space(path):
        pass


# Tables


def test_inversion_times_of_each_slice_are_read_without_those_of_no_image(tmp_path: Path) -> None:
    table = tmp_path / "T1map.csv"
    table.write_text(
        ",Slice1,Slice2,\nTI1,100,105,\nTI2,180,185,\nTI3,1100,1200,\nTI4,0,2100,\n,,,\n", encoding="utf-8"
    )
    times = read_times(table)
    expected = np.array([[100, 105], [180, 185], [1100, 1200], [np.nan, 2100]])
    assert np.array_equal(times, expected, equal_nan=True)
    table.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(ACNetError, match=r"T1map\.csv: found no inversion times"):
        read_times(table)


def test_inversion_times_in_seconds_are_refused(tmp_path: Path) -> None:
    table = tmp_path / "T1map.csv"
    table.write_text(",Slice1\nTI1,0.1\nTI2,0.18\nTI3,1.1\nTI4,2.1\n", encoding="utf-8")
    with pytest.raises(
        ACNetError, match=r"T1map\.csv: found inversion times of 0\.1 to 2\.1; expected ms, 200 or more"
    ):
        read_times(table)


@pytest.mark.parametrize(
    ("fov_x", "readout", "pixel_mm"),
    [(360, 512, 360 / 256), (299, 304, 299 / 152), (720, 448, 720 / 448)],
    ids=["Siemens", "Philips", "UIH tells the field of view of all samples"],
)
def test_pixels_are_what_was_acquired_and_not_the_scanner_s_grid(
    tmp_path: Path, fov_x: float, readout: int, pixel_mm: float
) -> None:
    folder = tmp_path / "MultiCoil/Mapping/TrainingSet/FullSample/P001"
    snapshots = tmp_path / "MultiCoil/Mapping/TrainingSet/ImgSnapshot/P001"
    for each in (folder, snapshots):
        each.mkdir(parents=True)
    (folder / "T1map.mat").touch()
    (snapshots / "T1map_info.csv").write_text(
        f"FOVx,{fov_x}\nFOVy(mm),300\nReconMatrix_X,256\nReadOutOversample,2\nSliceThickness,8\nTI1,100,110\nTI2,900,910\n",
        encoding="utf-8",
    )
    (scan,) = find_scans(tmp_path)
    tables = read_tables(scan)
    assert oversampling(tables) == 2
    assert spacing_mm(tables, readout, 150) == pytest.approx((pixel_mm, 2.0, 8.0))
    assert tables.times_ms is not None
    assert tables.times_ms.tolist() == [[100, 110], [900, 910]]


def test_a_sheet_gives_labels_by_centre_scanner_and_patient(tmp_path: Path) -> None:
    for patient in ("P1", "P2", "P3", "P4", "P5"):
        file = tmp_path / "FullSample" / "Center001" / "Siemens_30T_Vida" / patient / "T1map.mat"
        file.parent.mkdir(parents=True)
        file.touch()
    sheet = tmp_path / "sheet.csv"
    rows = ["P1,Dilated_cardiomyopathy,Arrhythmia", "P2,Healthy,", "P3,,HCM", "P4,,", "P9,DCM,"]
    header = "Center,Manufacturer,AnonPatientID,Disease1,Disease2\n"
    sheet.write_text(header + "".join(f"Center001,Siemens_30T_Vida,{row}\n" for row in rows), encoding="utf-8")
    labels = read_disease_sheet(sheet)
    assert [labels.label(scan) for scan in find_scans(tmp_path)] == ["dcm", "normal", "other:hcm", None, None]
    sheet.write_text("AnonPatientID,Disease1\nP1,DCM\nP1,HCM\n", encoding="utf-8")
    with pytest.raises(ACNetError, match=r"row 3: the patient is other:hcm here and dcm above; expected one"):
        read_disease_sheet(sheet)
    sheet.write_text("AnonPatientID,Diagnosis\nP1,DCM\n", encoding="utf-8")
    with pytest.raises(ACNetError, match="it has no column of diseases"):
        read_disease_sheet(sheet)


# Files


@pytest.mark.parametrize("variable", ["kspace", "kspace_full", "kspace_sub04", "kus"])
def test_a_slice_of_a_file_is_what_was_written(tmp_path: Path, variable: str) -> None:
    k_space = some_k_space()
    with open_k_space(write_k_space(tmp_path / "T1map.mat", k_space, variable)) as file:
        assert (file.inversions, file.slices) == (9, 2)
        assert np.array_equal(file.read_slice(1), k_space[:, 1])


def cut_off(path: Path) -> None:
    write_k_space(path, some_k_space())
    path.write_bytes(path.read_bytes()[:4000])


def damaged_values(path: Path) -> None:
    write_k_space(path, some_k_space())
    with h5py.File(path, "r") as file:
        chunk = file["kspace"].id.get_chunk_info(0)
    damaged = bytearray(path.read_bytes())
    damaged[chunk.byte_offset : chunk.byte_offset + 600] = bytes(600)
    path.write_bytes(damaged)


def a_link_elsewhere(path: Path) -> None:
    write_k_space(path.with_name("secret.mat"), some_k_space())
    with h5py.File(path, "w") as file:
        file["kspace"] = h5py.ExternalLink(str(path.with_name("secret.mat")), "/kspace")


def values_elsewhere(path: Path) -> None:
    path.with_name("secret").write_bytes(bytes(1 << 20))
    with h5py.File(path, "w") as file:
        external = [(str(path.with_name("secret")), 0, h5py.h5f.UNLIMITED)]
        file.create_dataset("kspace", SHAPE, K_SPACE_TYPE, external=external)


def endless(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("kspace", (60, 60, 120, 2000, 4000), K_SPACE_TYPE, chunks=(1, 1, 1, 20, 40))


def too_long(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file.create_dataset("kspace", (9, 2, 3, 20, 100_000), K_SPACE_TYPE, chunks=(1, 1, 1, 20, 40))


def real_numbers(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["kspace"] = np.ones(SHAPE)


def two_variables(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["kspace"], file["kus"] = np.ones(3), np.ones(3)


@pytest.mark.parametrize(
    ("write", "reason"),
    [
        (
            lambda path: path.write_bytes(b"MATLAB 5.0 MAT-file, Platform: PCWIN64" + bytes(200)),
            "no MATLAB 7.3 file, or damaged",
        ),
        (cut_off, "no MATLAB 7.3 file, or damaged"),
        (damaged_values, "its slice 0 can't be read; expected it whole"),
        (a_link_elsewhere, "its variable kspace is no array within the file"),
        (values_elsewhere, "its variable kspace is no array within the file"),
        (endless, "a slice takes .* MB; expected at most 1024 MB"),
        (too_long, "it has 100000 readout samples; expected 16 to 4096"),
        (
            lambda path: write_k_space(path, np.full(SHAPE, np.nan, np.complex64)),
            "slice 0 has values that are no numbers",
        ),
        (lambda path: write_k_space(path, np.zeros(SHAPE, np.complex64)), "slice 0 is 0 everywhere"),
        (real_numbers, "its k-space is of type float64; expected complex numbers, real and imag"),
        (lambda path: write_k_space(path, some_k_space()[0]), "its k-space has 4 dimensions; expected 5"),
        (two_variables, "found 2 variables with k-space; expected one"),
    ],
)
def test_what_is_no_k_space_of_the_challenge_is_refused_in_one_sentence(
    tmp_path: Path, write: Callable[[Path], object], reason: str
) -> None:
    path = tmp_path / "T1map.mat"
    write(path)
    with pytest.raises(ACNetError, match=rf"T1map\.mat: .*{reason}"), open_k_space(path) as file:
        file.read_slice(0)


# Workbooks


def test_a_workbook_gives_the_labels_that_its_sheet_as_csv_does(tmp_path: Path) -> None:
    rows = [
        ["AnonPatientID", "Disease1", "Disease2", None],
        ["P001", "DCM", "HCM"],
        [2, "Healthy"],
        [],
        ["P003", "HCM"],
    ]
    book = Workbook()
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / "sheet.xlsx")
    found = read_disease_sheet(tmp_path / "sheet.xlsx")
    assert dict(found.labels) == {("p001",): "dcm", ("2",): "normal", ("p003",): "other:hcm"}


def test_what_is_no_workbook_is_refused_in_one_line(tmp_path: Path) -> None:
    book = tmp_path / "sheet.xlsx"
    book.write_text("AnonPatientID,Disease1\n", encoding="utf-8")
    with pytest.raises(ACNetError, match=r"sheet\.xlsx: no workbook that can be read; expected \.xlsx"):
        read_disease_sheet(book)
    with zipfile.ZipFile(book, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    with pytest.raises(ACNetError, match=r"sheet\.xlsx: no workbook that can be read"):
        read_disease_sheet(book)


def test_a_workbook_that_is_larger_than_a_table_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    book = Workbook()
    book.active.append(["AnonPatientID", "Disease1"])
    book.save(tmp_path / "sheet.xlsx")
    monkeypatch.setattr(workbook, "LARGEST_UNPACKED_BYTES", 1000)
    with pytest.raises(ACNetError, match=r"sheet\.xlsx: unpacked it has \d+ bytes; expected a table of at most 50 MB"):
        read_disease_sheet(tmp_path / "sheet.xlsx")

"""A site's own normal T1: what passes as one, and how it is remembered for each scanner."""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ACNetLib.commands.main import main
from ACNetLib.commands.reference import SEQUENCE_NAMES
from ACNetLib.dicom.sequences import named_sequence
from ACNetLib.errors import ACNetError
from ACNetLib.inference.exam import exam_reference
from ACNetLib.reference.store import (
    forget_reference,
    not_taken,
    reference_for,
    references_file,
    remember_reference,
    remembered_references,
)
from ACNetLib.reference.t1 import ReferenceT1, parse_reference
from ACNetLib.t1map.t1_map import T1Map
from repository import REPOSITORY

CORE = REPOSITORY / "ACNetClassifier"
AVANTO = "SIEMENS Avanto"
Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1012", ReferenceT1(1012.0)), ("1012,28", ReferenceT1(1012.0, 28.0)), (" 700, 10 ", ReferenceT1(700.0, 10.0))],
)
def test_a_reference_is_a_mean_and_perhaps_its_standard_deviation(text: str, expected: ReferenceT1) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "found ''"),
        ("normal", "found 'normal'"),
        ("1012,", "found '1012,'"),
        (",28", "found ',28'"),
        ("1012,28,3", "found '1012,28,3'"),
        ("1.012", "found a mean of 1.012 ms; expected 700 to 1700 ms"),
        ("699", "found a mean of 699 ms"),
        ("1701", "found a mean of 1701 ms"),
        ("nan", "found a mean of nan ms"),
        ("1012,9.9", "found an SD of 9.9 ms; expected 10 to 150 ms"),
        ("1012,5", "found an SD of 5 ms; .* decimals have a point: 1012.5,28."),
        ("1012,151", "found an SD of 151 ms"),
        ("1012,nan", "found an SD of nan ms"),
    ],
)
def test_what_no_healthy_septum_has_is_refused(text: str, found: str) -> None:
    with pytest.raises(ACNetError, match="reference T1: ") as error:
        parse_reference(text)
    assert re.search(found, str(error.value))


def test_the_z_score_counts_standard_deviations_and_is_unknown_without_them() -> None:
    reference = ReferenceT1(1000.0, 30.0)
    assert reference.z_score(1045.0) == pytest.approx(1.5)
    assert reference.z_score(970.0) == pytest.approx(-1.0)
    assert math.isnan(reference.z_score(math.nan))
    assert math.isnan(ReferenceT1(1000.0).z_score(1045.0))


@pytest.fixture
def an_avanto_map(an_oblique_t1_map: T1Map) -> T1Map:
    return replace(an_oblique_t1_map, scanner=AVANTO, field_strength_tesla=1.494)


def test_a_reference_is_remembered_for_its_scanner_and_field_strength_only(an_avanto_map: T1Map) -> None:
    assert reference_for(an_avanto_map, None) is None
    remember_reference("  siemens  AVANTO ", 1.5, ReferenceT1(1012.0, 28.0))
    assert reference_for(an_avanto_map, None) == ReferenceT1(1012.0, 28.0, "remembered")
    for other in (
        replace(an_avanto_map, field_strength_tesla=3.0),
        replace(an_avanto_map, field_strength_tesla=None),
        replace(an_avanto_map, scanner="SIEMENS Avanto_fit"),
        replace(an_avanto_map, scanner=""),
    ):
        assert reference_for(other, None) is None


def test_the_reference_that_is_given_wins_over_the_remembered_one_and_is_not_kept(an_avanto_map: T1Map) -> None:
    remember_reference(AVANTO, 1.5, ReferenceT1(1012.0))
    given = ReferenceT1(950.0, 21.0)
    assert reference_for(an_avanto_map, given) is given
    assert reference_for(an_avanto_map, None) == ReferenceT1(1012.0, None, "remembered")


def test_a_scanner_has_one_reference_which_can_be_forgotten(an_avanto_map: T1Map) -> None:
    remember_reference(AVANTO, 1.5, ReferenceT1(1012.0))
    remember_reference("Siemens Avanto", 1.5, ReferenceT1(1000.0, 25.0))
    remember_reference(AVANTO, 3.0, ReferenceT1(1190.0))
    assert {key: each.mean_ms for key, each in remembered_references().items()} == {
        (AVANTO, 1.5, ""): 1000.0,
        (AVANTO, 3.0, ""): 1190.0,
    }
    forget_reference("siemens avanto", 1.5)
    assert list(remembered_references()) == [(AVANTO, 3.0, "")]
    with pytest.raises(
        ACNetError, match=r"none is remembered for SIEMENS Avanto, 1\.5 T; there are SIEMENS Avanto, 3 T"
    ):
        forget_reference(AVANTO, 1.5)


def test_the_file_lies_with_the_users_models_and_holds_nothing_but_scanners_and_numbers(own_folder: Path) -> None:
    remember_reference(AVANTO, 1.5, ReferenceT1(1012.0, 28.0), "MOLLI")
    assert references_file().parent == own_folder
    values = {"scanner": AVANTO, "field_strength_tesla": 1.5, "sequence": "MOLLI", "mean_ms": 1012.0, "sd_ms": 28.0}
    assert json.loads(references_file().read_text(encoding="utf-8")) == {"format_version": 2, "references": [values]}


def test_a_file_of_an_earlier_version_is_read_and_kept(own_folder: Path, an_avanto_map: T1Map) -> None:
    own_folder.mkdir()
    references_file().write_text(
        '{"format_version": 1, "references": [{"scanner": "SIEMENS Avanto", "field_strength_tesla": 1.5, '
        '"mean_ms": 1012.0, "sd_ms": 28.0}]}',
        encoding="utf-8",
    )
    for sequence in ("", "MOLLI", "SASHA"):
        t1_map = replace(an_avanto_map, sequence=sequence)
        assert reference_for(t1_map, None) == ReferenceT1(1012.0, 28.0, "remembered")
    remember_reference(AVANTO, 1.5, ReferenceT1(1150.0), "SASHA")
    assert {key[2]: each.mean_ms for key, each in remembered_references().items()} == {"": 1012.0, "SASHA": 1150.0}


def test_a_reference_is_taken_for_maps_of_its_sequence(an_avanto_map: T1Map) -> None:
    of_molli, of_sasha = (replace(an_avanto_map, sequence=each) for each in ("MOLLI", "SASHA"))
    remember_reference(AVANTO, 1.5, ReferenceT1(1012.0, 28.0), "MOLLI")
    assert reference_for(of_molli, None) == ReferenceT1(1012.0, 28.0, "remembered for its sequence")
    assert reference_for(of_sasha, None) is None
    (note,) = not_taken(of_sasha)
    told = "is remembered for MOLLI, this exam is of SASHA: it was not taken."
    assert note == f"The reference T1 of SIEMENS Avanto, 1.494 T, {told}"
    assert reference_for(an_avanto_map, None) == ReferenceT1(1012.0, 28.0, "remembered")  # where its names tell none
    remember_reference(AVANTO, 1.5, ReferenceT1(1150.0), "SASHA")
    assert reference_for(of_sasha, None) == ReferenceT1(1150.0, None, "remembered for its sequence")
    assert reference_for(an_avanto_map, None) is None
    assert "remembered for MOLLI and SASHA, this exam does not tell its own" in not_taken(an_avanto_map)[0]
    assert not_taken(of_molli) == not_taken(of_sasha) == not_taken(replace(an_avanto_map, scanner="GE Signa")) == ()


def test_no_reference_is_remembered_for_two_sequences(an_avanto_map: T1Map) -> None:
    with pytest.raises(ACNetError, match="found the sequences MOLLI and SASHA; expected one"):
        remember_reference(AVANTO, 1.5, ReferenceT1(1012.0, 28.0), "MOLLI and SASHA")
    assert remembered_references() == {}


@pytest.mark.parametrize("sequence", ["", "MOLLI"])
def test_a_reference_of_the_scanners_own_maps_is_not_taken_for_maps_that_were_fitted_here(
    sequence: str, an_avanto_map: T1Map
) -> None:
    by_scanner = replace(an_avanto_map, sequence="MOLLI")
    fitted = replace(by_scanner, fitted="MOLLI 5(3)3, magnitude images of series 3")
    remember_reference(AVANTO, 1.5, ReferenceT1(1012.0, 28.0), sequence)
    assert reference_for(by_scanner, None) is not None
    assert not_taken(by_scanner) == ()
    assert reference_for(fitted, None) is None
    told = "is remembered for the scanner's own maps, this exam has one that was fitted by ACNet: it was not taken."
    assert not_taken(fitted) == (f"The reference T1 of SIEMENS Avanto, 1.494 T, {told}",)
    for exam in ([by_scanner, replace(fitted, scanner="")], [fitted, by_scanner]):
        assert exam_reference(exam, None) is None
        assert exam_reference(exam, ReferenceT1(990.0)) == ReferenceT1(990.0)


DAMAGED = {
    "no JSON": "{",
    "no table": "[]",
    "a row of another type": '{"format_version": 2, "references": ["SIEMENS Avanto"]}',
    "another format": '{"format_version": 3, "references": []}',
    "a row without mean": '{"format_version": 1, "references": [{"scanner": "a", "field_strength_tesla": 1.5}]}',
    "a mean that is none": '{"format_version": 1, "references": [{"scanner": "a", "field_strength_tesla": 1.5, '
    '"mean_ms": 12, "sd_ms": null}]}',
    "a mean of another type": '{"format_version": 1, "references": [{"scanner": "a", "field_strength_tesla": 1.5, '
    '"mean_ms": "high", "sd_ms": null}]}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_named_and_not_written_over(own_folder: Path, an_avanto_map: T1Map, content: str) -> None:
    own_folder.mkdir()
    references_file().write_text(content, encoding="utf-8")
    with pytest.raises(ACNetError, match=r"reference-t1\.json: the remembered reference T1 can't be read"):
        reference_for(an_avanto_map, None)
    with pytest.raises(ACNetError, match=r"reference-t1\.json"):
        remember_reference(AVANTO, 1.5, ReferenceT1(1012.0))
    assert references_file().read_text(encoding="utf-8") == content


def test_a_folder_that_can_not_be_written_is_named(own_folder: Path) -> None:
    own_folder.write_text("a file in its place")
    with pytest.raises(ACNetError, match=r"reference-t1\.json: it can't be changed"):
        remember_reference(AVANTO, 1.5, ReferenceT1(1012.0))


REMEMBERING = """
import sys
from ACNetLib.reference.store import remember_reference
from ACNetLib.reference.t1 import ReferenceT1
for number in range(20):
    remember_reference(f"{sys.argv[1]} {number}", 1.5, ReferenceT1(1000.0))
"""


def test_without_the_packages_of_pytorch_nothing_is_remembered_and_the_reason_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "filelock", None)
    with pytest.raises(ACNetError, match="the Python package filelock is not installed"):
        remember_reference("Siemens Aera", 1.5, ReferenceT1(1000.0, 30.0))
    assert not references_file().exists()


def test_processes_that_remember_at_the_same_time_lose_nothing_of_each_other() -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", REMEMBERING, name], env={**os.environ, "PYTHONPATH": str(CORE)})
        for name in ("first", "second")
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0]
    assert len(remembered_references()) == 40


@pytest.mark.parametrize(
    ("described", "sequence"),
    [
        ("t1map_sapphire_sax", "SAPPHIRE"),
        ("SMART1Map 3 slices", "SMART1Map"),
        ("Sat_Rec T1", "saturation recovery"),
        ("ShMOLLI_192i", "ShMOLLI"),
        ("T1 map", ""),
    ],
)
def test_the_command_offers_the_sequences_that_headers_name(described: str, sequence: str) -> None:
    assert named_sequence([{"SeriesDescription": described}]) == sequence
    assert not sequence or sequence in SEQUENCE_NAMES.values()


def test_no_reference_is_remembered_for_a_sequence_that_no_header_names(own_folder: Path, capsys: Captured) -> None:
    with pytest.raises(SystemExit):
        main(["reference", "set", AVANTO, "1.5", "1150", "--sequence", "inversion-recovery"])
    assert "invalid choice: 'inversion-recovery'" in capsys.readouterr().err
    assert main(["reference", "set", AVANTO, "1.5", "1150", "--sequence", "sapphire"]) == 0
    assert list(remembered_references()) == [(AVANTO, 1.5, "SAPPHIRE")]


def test_the_command_sets_lists_and_removes(own_folder: Path, capsys: Captured) -> None:
    file = own_folder / "reference-t1.json"
    assert main(["reference", "set", AVANTO, "1.5", "1012,28"]) == 0
    assert main(["reference", "set", "Philips Ingenia", "3", "1052"]) == 0
    assert main(["reference", "set", AVANTO, "1.5", "1150", "--sequence", "sasha"]) == 0
    assert capsys.readouterr().out == f"Written:\n  {file}\n" * 3
    assert main(["reference", "list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "SIEMENS Avanto, 1.5 T: 1012 ± 28 ms",
        "Philips Ingenia, 3 T: 1052 ms",
        "SIEMENS Avanto, 1.5 T, SASHA: 1150 ms",
        f"Remembered in: {file}",
    ]
    assert main(["reference", "remove", AVANTO, "1.5"]) == 0
    assert main(["reference", "remove", AVANTO, "1.5", "--sequence", "sasha"]) == 0
    assert list(remembered_references()) == [("Philips Ingenia", 3.0, "")]


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["set", AVANTO, "1.5", "12"], "found a mean of 12 ms"),
        (["set", " ", "1.5", "1012"], "scanner: found nothing"),
        (["remove", AVANTO, "1.5"], "none is remembered for SIEMENS Avanto, 1.5 T; there are none"),
    ],
)
def test_a_users_error_of_the_command_is_one_line(capsys: Captured, arguments: list[str], named: str) -> None:
    assert main(["reference", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert named in line
    assert remembered_references() == {}

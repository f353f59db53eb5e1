"""A slice that was acquired again: a list takes the last acquisition, a command asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ACNetLib.errors import ACNetError
from ACNetLib.inference.exam_input import read_exam, read_exam_among
from dicom_files import GAP_MM, write_section
from exam_files import TILTS_DEGREES, write_exam, write_slice


def at(time: str, **others: Any) -> dict[str, Any]:
    return {"AcquisitionDate": "20260102", "AcquisitionTime": time, **others}


def test_of_a_repeated_breath_hold_a_list_takes_the_last_with_a_note_and_a_command_asks(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam", **at("095800"))
    alone = read_exam_among(sorted(folder.iterdir()), "exam")
    for series, time, more_ms in ((9, "100512.345", 1), (11, "100200", 2)):
        write_slice(
            folder / f"series-{series}.dcm", 1, TILTS_DEGREES[1], **at(time, series=series, RescaleIntercept=more_ms)
        )
    with pytest.raises(ACNetError, match="lie at the same place"):
        read_exam([folder])
    base, apex, mid = read_exam_among(sorted(folder.iterdir()), "exam")
    assert [each.name for each in (base, mid, apex)] == ["exam, series 3", "exam, series 9", "exam, series 7"]
    np.testing.assert_array_equal(mid.array, alone[1].array + 1)
    notes = sorted(set(base.warnings) - set(alone[0].warnings))
    assert notes == [
        f"Series {series} was left out where series 9 shows the same slice, repeated within 10 minutes. Look whether "
        "that is the better one."
        for series in (11, 5)
    ]


def test_a_slice_that_was_repeated_within_its_series_leaves_one_stack(tmp_path: Path) -> None:
    for index in range(3):
        write_section(tmp_path / f"{index}.dcm", np.full((40, 30), 1000 + index), index * GAP_MM, **at("100000"))
    write_section(tmp_path / "again.dcm", np.full((40, 30), 1100), GAP_MM, **at("100130"))
    (t1_map,) = read_exam_among(sorted(tmp_path.iterdir()), "exam")
    assert t1_map.array[:, 0, 0].tolist() == [1000, 1100, 1002]
    assert any(note.startswith("The earlier acquisition in series 3 was left out") for note in t1_map.warnings)


@pytest.mark.parametrize("tilt_degrees", [TILTS_DEGREES[1], 4.0])
def test_a_breath_hold_that_was_repeated_in_a_plane_beside_takes_its_place(tmp_path: Path, tilt_degrees: float) -> None:
    folder = write_exam(tmp_path / "exam", **at("100000"))
    write_slice(folder / "again.dcm", 1, tilt_degrees, beside_mm=3.0, **at("100300", series=9))
    with pytest.raises(ACNetError, match="lie at the same place"):
        read_exam([folder])
    t1_maps = read_exam_among(sorted(folder.iterdir()), "exam")
    assert {each.name for each in t1_maps} == {"exam, series 3", "exam, series 9", "exam, series 7"}
    assert any(note.startswith("Series 5 was left out where series 9 shows") for note in t1_maps[0].warnings)


def test_the_last_of_several_repetitions_lies_within_ten_minutes_of_the_first(tmp_path: Path) -> None:
    """A later one may be from after contrast: a person decides."""
    folder = write_exam(tmp_path / "exam", **at("1000"))
    for series, time in ((9, "1008"), (11, "1012")):
        told = at(time, series=series, RescaleIntercept=series)
        write_slice(folder / f"series-{series}.dcm", 1, TILTS_DEGREES[1], **told)
    with pytest.raises(ACNetError, match="series 9 and exam, series 11: they lie at the same place"):
        read_exam_among(sorted(folder.iterdir()), "exam")


def test_a_slice_further_beside_counts_like_the_others(tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam", **at("100000"))
    write_slice(folder / "another.dcm", 1, TILTS_DEGREES[1], beside_mm=8.0, **at("100300", series=9))
    assert len(read_exam_among(sorted(folder.iterdir()), "exam")) == 4


@pytest.mark.parametrize(
    "other",
    [
        at("101000.5"),
        at("100000"),
        at("10:05"),
        at(""),
        at("100500", AcquisitionDate="20260132"),
        at("100500", SeriesDescription="T1map late"),
        at("100500", InversionTime=180),
        at("235900", AcquisitionDate="99991231"),
    ],
    ids=["after ten minutes", "at once", "no time", "not told", "no date", "another protocol", "inversion", "last day"],
)
def test_what_may_be_no_repeated_breath_hold_is_refused_in_a_list_too(other: dict[str, Any], tmp_path: Path) -> None:
    folder = write_exam(tmp_path / "exam", **at("100000", InversionTime=100))
    told: dict[str, Any] = {"InversionTime": 100, "series": 9, "RescaleIntercept": 1, **other}
    write_slice(folder / "other.dcm", 1, TILTS_DEGREES[1], **told)
    with pytest.raises(ACNetError, match="lie at the same place"):
        read_exam_among(sorted(folder.iterdir()), "exam")

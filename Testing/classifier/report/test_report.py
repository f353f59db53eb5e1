"""The files of a result."""

from __future__ import annotations

import csv
import json
import math
import re
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib import __version__
from ACNetLib.errors import ACNetError
from ACNetLib.inference.exam import pool_exam
from ACNetLib.inference.record import StudyRecord, record_from_values, record_values
from ACNetLib.models.card import read_card
from ACNetLib.models.store import model_for_field
from ACNetLib.reference.t1 import ReferenceT1
from ACNetLib.report.files import result_values, write_result
from ACNetLib.report.page import report_page
from ACNetLib.t1map.section import TOWARDS_BASE
from ACNetLib.t1map.t1_map import T1Map
from ACNetLib.ventricle.measures import SectionMeasures
from conftest import made_up_study, with_images, with_map
from repository import REPOSITORY

FORMAT_PAGE = (REPOSITORY / "Documentation" / "result-format.md").read_text(encoding="utf-8")
FILES, SCHEMA = FORMAT_PAGE.split("## result.json")
DOCUMENTED = re.compile(r"^\| `([A-Za-z0-9_.\[\]-]+)` \|", re.MULTILINE)
FREE_FIELDS = ("model",)
"""Its own fields are those of a model's card."""


@pytest.fixture
def a_folder(tmp_path: Path, an_oblique_t1_map: T1Map, a_study: Callable) -> Path:
    write_result(a_study(an_oblique_t1_map), tmp_path / "result")
    return tmp_path / "result"


def test_volumes_lie_on_the_grid_of_the_t1_map(a_folder: Path, an_oblique_t1_map: T1Map, a_study: Callable) -> None:
    study = a_study(an_oblique_t1_map)
    for name, expected in (
        ("attention.nrrd", study.images[0].attention["combined"]),
        ("attention-label.nrrd", study.images[0].bands["combined"]),
        ("ventricle-label.nrrd", study.images[0].ventricle),
    ):
        image = sitk.ReadImage(str(a_folder / name))
        assert image.GetSpacing() == pytest.approx(an_oblique_t1_map.image.GetSpacing())
        assert image.GetOrigin() == pytest.approx(an_oblique_t1_map.image.GetOrigin())
        assert image.GetDirection() == pytest.approx(an_oblique_t1_map.image.GetDirection(), abs=1e-9)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected)


def test_a_result_has_exactly_the_documented_files(tmp_path: Path, three_slices: T1Map, a_study: Callable) -> None:
    write_result(a_study(three_slices), tmp_path / "result", Path.touch)
    written = {re.sub(r"\d+", "N", path.name) for path in (tmp_path / "result").iterdir()}
    assert set(DOCUMENTED.findall(FILES)) == written


def test_result_json_holds_exactly_the_documented_fields(three_slices: T1Map, a_study: Callable) -> None:
    study = replace(a_study(three_slices), model=read_card(model_for_field(1.5)), reference=ReferenceT1(1000.0, 24.0))
    assert set(DOCUMENTED.findall(SCHEMA)) == set(_paths(result_values(study)))


def test_result_json_of_an_exam_is_of_the_same_shape(an_oblique_t1_map: T1Map, a_study: Callable) -> None:
    study = a_study(an_oblique_t1_map)
    of_one, values = result_values(study), result_values(pool_exam([study, study], ["Another was left out."]))
    assert values.keys() == of_one.keys()
    assert (of_one["maps"][0]["folder"], [each["folder"] for each in values["maps"]]) == ("", ["map-1", "map-2"])
    for each in values["maps"]:
        assert {**each, "folder": ""} == of_one["maps"][0]
    assert values["exam_warnings"] == ["Another was left out."]
    assert values["warnings"] == [
        "Another was left out.",
        "The map is odd.",
        "Map 1, slice 1: The crop reaches beyond the map.",
        "Map 2, slice 1: The crop reaches beyond the map.",
    ]


def test_the_record_of_result_json_is_the_one_that_was_written(a_folder: Path, an_oblique_t1_map: T1Map) -> None:
    record = record_from_values(_read_strictly(a_folder / "result.json"))
    assert type(record) is StudyRecord
    assert record_values(record) == record_values(made_up_study(an_oblique_t1_map))
    assert record.leaving_out({1}) == record_from_values(record_values(record.leaving_out({1})))


@pytest.mark.parametrize(("field", "value"), [("format_version", 3), ("maps", [{}]), ("model", {}), ("stability", [1])])
def test_what_is_no_record_is_refused(a_folder: Path, field: str, value: object) -> None:
    with pytest.raises(ACNetError, match=r"^result: .*"):
        record_from_values({**_read_strictly(a_folder / "result.json"), field: value})


def _paths(value: object, prefix: str = "") -> list[str]:
    """The path of every plain value, a list of objects written as name[]."""
    if isinstance(value, dict) and prefix not in FREE_FIELDS:
        return [path for key, part in value.items() for path in _paths(part, f"{prefix}.{key}" if prefix else key)]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return sorted({path for part in value for path in _paths(part, f"{prefix}[]")})
    return [prefix]


def test_result_json_tells_the_verdict_the_rule_and_the_range(a_folder: Path) -> None:
    values = _read_strictly(a_folder / "result.json")
    assert values["verdict"] == "dcm"
    assert values["stability"] == pytest.approx([0.86, 0.94])
    assert values["moved_by"] == {"shift_mm": 3.0, "turn_degrees": 5.0}
    assert values["prevalence_dcm"] == 0.5
    assert values["uncertain_range"] == [0.2, 0.8]
    assert (
        values["verdict_words"] == "normal below a probability of 0.2, uncertain from 0.2 to below 0.8, DCM from 0.8 on"
    )
    assert values["maps"][0]["sections"][1]["measures"]["septal_t1_ms"] == 1043.2
    assert values["warnings"] == ["The map is odd.", "Slice 1: The crop reaches beyond the map."]


def test_what_can_not_be_measured_is_null_in_result_json(
    tmp_path: Path, an_oblique_t1_map: T1Map, a_study: Callable
) -> None:
    study = a_study(an_oblique_t1_map)
    nothing = float("nan")
    sections = (
        replace(study.sections[0], measures=SectionMeasures(nothing, 1010.0, 2500.0, 6.5)),
        replace(study.sections[1], measures=None),
    )
    card = replace(study.model, metrics={"auroc": {"value": 0.9, "low": nothing, "high": 1.0}})
    write_result(replace(with_map(study, sections=sections), model=card), tmp_path / "result")
    values = _read_strictly(tmp_path / "result" / "result.json")
    assert values["maps"][0]["sections"][0]["measures"]["septal_t1_ms"] is None
    assert values["maps"][0]["sections"][0]["measures"]["myocardial_t1_ms"] == 1010.0
    assert values["maps"][0]["sections"][1]["measures"] is None
    assert values["model"]["metrics"]["auroc"] == {"value": 0.9, "low": None, "high": 1.0}


def test_a_model_that_was_not_judged_has_no_auroc_in_result_json(a_folder: Path) -> None:
    assert "auroc" not in _read_strictly(a_folder / "result.json")["model"]["metrics"]


def _read_strictly(path: Path) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_result_json_tells_the_software_and_its_version(an_oblique_t1_map: T1Map, a_study: Callable) -> None:
    software = result_values(a_study(an_oblique_t1_map))["software"]
    assert software == {"name": "SlicerACNet", "version": __version__}


def test_a_folder_whose_name_is_no_text_has_a_result_too(
    tmp_path: Path, an_oblique_t1_map: T1Map, a_study: Callable
) -> None:
    name = b"M\xfcller".decode("utf-8", "surrogateescape")  # as Python reads a Latin-1 name on Linux
    write_result(a_study(replace(an_oblique_t1_map, name=name)), tmp_path / "result")
    assert "M?ller" in (tmp_path / "result" / "report.html").read_text(encoding="utf-8")
    assert _read_strictly(tmp_path / "result" / "result.json")["maps"][0]["name"] == name


def test_the_page_shows_the_pictures_of_the_folder(a_folder: Path) -> None:
    page = (a_folder / "report.html").read_text(encoding="utf-8")
    pictures = sorted(a_folder.glob("section-*.jpg"))
    assert [path.name for path in pictures] == ["section-0.jpg", "section-1.jpg"]
    for path in pictures:
        assert b64encode(path.read_bytes()).decode() in page


def test_the_file_of_the_result_comes_last_so_that_it_marks_a_complete_one(
    tmp_path: Path, an_oblique_t1_map: T1Map, a_study: Callable
) -> None:
    files = write_result(a_study(an_oblique_t1_map), tmp_path / "result")
    assert [path.name for path in files[-2:]] == ["report.html", "result.json"]
    assert sorted(path.name for path in files) == sorted(path.name for path in (tmp_path / "result").iterdir())


def test_the_scene_is_written_before_the_file_that_marks_a_complete_result(
    tmp_path: Path, an_oblique_t1_map: T1Map, a_study: Callable
) -> None:
    def fail(path: Path) -> None:
        raise OSError(f"{path}: no room")

    with pytest.raises(OSError, match="no room"):
        write_result(a_study(an_oblique_t1_map), tmp_path / "result", fail)
    assert not (tmp_path / "result" / "result.json").exists()


def test_an_earlier_result_is_not_overwritten(a_folder: Path, an_oblique_t1_map: T1Map, a_study: Callable) -> None:
    before = {path.name: path.read_bytes() for path in a_folder.iterdir()}
    with pytest.raises(ACNetError, match="not an empty folder"):
        write_result(a_study(an_oblique_t1_map), a_folder)
    assert {path.name: path.read_bytes() for path in a_folder.iterdir()} == before


def test_result_json_tells_the_reference_and_the_z_scores_or_that_there_is_none(
    an_oblique_t1_map: T1Map, a_study: Callable
) -> None:
    t1_map = replace(an_oblique_t1_map, scanner="SIEMENS Avanto")
    study = a_study(t1_map)
    values = result_values(study)
    assert values["maps"][0]["scanner"] == "SIEMENS Avanto"
    words = values["reference_words"]
    assert words.startswith("No reference T1 of this scanner (SIEMENS Avanto) was given: ")
    assert words.endswith("Probabilities from 0.2 to below 0.8 are uncertain.")
    assert (values["reference"], values["t1_factor"]) == (None, 1.0)
    assert (values["septal_t1_ms"], values["septal_z"]) == (1043.2, None)
    assert values["model"]["normal_t1_ms"] is None

    card = replace(study.model, normal_t1_ms=(990.0, 30.0), uncertain_range_without_reference=(0.1, 0.9))
    reference = ReferenceT1(1000.0, 24.0, "remembered")
    values = result_values(replace(study, model=card, reference=reference))
    words = values["reference_words"]
    assert "(SIEMENS Avanto), remembered: 1000 ± 24 ms. For the networks T1 was multiplied by 0.990" in words
    assert words.endswith("It is valid only if the map was acquired with the same sequence.")
    of_sequence = replace(reference, source="remembered for its sequence")
    words = result_values(replace(study, model=card, reference=of_sequence))["reference_words"]
    assert "same sequence" not in words
    assert "(SIEMENS Avanto), remembered for its sequence: 1000 ± 24 ms." in words
    assert values["reference"] == {"source": "remembered", "mean_ms": 1000.0, "sd_ms": 24.0}
    assert values["t1_factor"] == 0.99
    assert values["septal_z"] == values["maps"][0]["sections"][0]["septal_z"] == pytest.approx(1.8)
    assert values["uncertain_range"] == [0.2, 0.8]
    assert values["model"]["normal_t1_ms"] == [990.0, 30.0]
    assert result_values(replace(study, model=card))["uncertain_range"] == [0.1, 0.9]


def test_the_segments_are_the_same_in_result_json_table_and_page(
    tmp_path: Path, three_slices: T1Map, a_study: Callable
) -> None:
    study = replace(a_study(three_slices), reference=ReferenceT1(1000.0, 25.0))
    write_result(study, tmp_path / "result")
    values = _read_strictly(tmp_path / "result" / "result.json")["segments"]
    table = list(csv.DictReader((tmp_path / "result" / "segments.csv").open(encoding="utf-8")))
    assert [row["number"] for row in table] == [str(number) for number in range(1, 17)]
    for value, row, segment in zip(values, table, study.segments, strict=True):
        assert value["t1_ms"] == segment.t1_ms
        assert float(row["t1_ms"]) == pytest.approx(segment.t1_ms, abs=1e-3)
        assert float(row["z"]) == pytest.approx((segment.t1_ms - 1000) / 25, abs=1e-3)
    page = (tmp_path / "result" / "report.html").read_text(encoding="utf-8")
    assert f"<td>{study.segments[0].t1_ms:.0f} (z {values[0]['z']:+.1f})</td>" in page
    assert "16 apical lateral" in page


def apex_of(t1_map: T1Map) -> int:
    return max(range(3), key=lambda section: -float(t1_map.section_center(section) @ TOWARDS_BASE))


def test_leaving_a_slice_out_empties_its_level_and_leaves_the_others_as_they_are(
    three_slices: T1Map, a_study: Callable
) -> None:
    study = a_study(three_slices)
    segments = study.leaving_out([apex_of(three_slices)]).segments
    assert segments[:12] == study.segments[:12]
    assert all(math.isnan(segment.t1_ms) for segment in segments[12:])


def test_a_slice_whose_wall_is_lost_keeps_its_level_unless_only_a_point_says_that_it_shows_the_heart(
    three_slices: T1Map, a_study: Callable
) -> None:
    study = a_study(three_slices)
    apex = apex_of(three_slices)
    labels = study.images[0].ventricle.copy()
    labels[apex] = 0
    sections = tuple(replace(each, measures=None) if each.section == apex else each for each in study.sections)
    moved = with_map(with_images(study, ventricle=labels), sections=sections)
    assert moved.segments[:12] == study.segments[:12]
    assert with_map(moved, center_source="point").segments == ()


def test_of_chosen_slices_no_segments_are_given_and_the_page_says_why(three_slices: T1Map, a_study: Callable) -> None:
    study = with_map(a_study(three_slices), section_count=9, sections_chosen=True)
    assert study.segments == ()
    assert "No segments: only some of the slices were classified" in report_page(study, [b""] * 3)


def test_a_result_from_before_chosen_slices_and_masked_maps_were_told_is_read(a_folder: Path) -> None:
    values = _read_strictly(a_folder / "result.json")
    del values["maps"][0]["sections_chosen"], values["maps"][0]["sections"][0]["masked_fraction"]
    assert record_from_values(values) == record_from_values(_read_strictly(a_folder / "result.json"))

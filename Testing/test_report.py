"""The files of a result."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from ACNetLib.errors import ACNetError
from ACNetLib.report import write_result
from ACNetLib.t1map import T1Map

SCHEMA = Path(__file__).parent.parent / "Documentation" / "result-format.md"


@pytest.fixture
def a_folder(tmp_path: Path, an_oblique_t1_map: T1Map, a_study: Callable) -> Path:
    write_result(a_study(an_oblique_t1_map), tmp_path / "result")
    return tmp_path / "result"


def test_attention_volumes_lie_on_the_grid_of_the_t1_map(
    a_folder: Path, an_oblique_t1_map: T1Map, a_study: Callable
) -> None:
    study = a_study(an_oblique_t1_map)
    for name, expected in (
        ("attention.nrrd", study.attention["combined"]),
        ("attention-label.nrrd", study.bands["combined"]),
    ):
        image = sitk.ReadImage(str(a_folder / name))
        assert image.GetSpacing() == pytest.approx(an_oblique_t1_map.image.GetSpacing())
        assert image.GetOrigin() == pytest.approx(an_oblique_t1_map.image.GetOrigin())
        assert image.GetDirection() == pytest.approx(an_oblique_t1_map.image.GetDirection(), abs=1e-9)
        np.testing.assert_array_equal(sitk.GetArrayFromImage(image), expected)


def test_result_json_holds_exactly_the_documented_fields(a_folder: Path) -> None:
    schema = SCHEMA.read_text(encoding="utf-8").split("## result.json")[1]
    documented = set(re.findall(r"^\| `([a-z0-9_.\[\]]+)` \|", schema, re.MULTILINE))
    assert documented == set(_paths(json.loads((a_folder / "result.json").read_text())))


def _paths(value: object, prefix: str = "") -> list[str]:
    """The path of every plain value, a list of objects written as name[]."""
    if isinstance(value, dict):
        return [path for key, part in value.items() for path in _paths(part, f"{prefix}.{key}" if prefix else key)]
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return sorted({path for part in value for path in _paths(part, f"{prefix}[]")})
    return [prefix]


def test_there_is_one_picture_a_section_that_shows_the_crop_box_and_the_bands(a_folder: Path) -> None:
    pictures = sorted(a_folder.glob("section-*.png"))
    assert [path.name for path in pictures] == ["section-0.png", "section-1.png"]
    pixels = np.asarray(Image.open(pictures[0]).convert("RGB")).reshape(-1, 3).astype(int)
    box = (np.abs(pixels - (255, 217, 26)) < 3).all(axis=1)
    assert box.sum() > 400
    colored = np.ptp(pixels, axis=1) > 40
    assert colored.mean() > 0.05


def test_the_file_of_the_result_comes_last_so_that_it_marks_a_complete_one(
    tmp_path: Path, an_oblique_t1_map: T1Map, a_study: Callable
) -> None:
    files = write_result(a_study(an_oblique_t1_map), tmp_path / "result")
    assert files[-1].name == "result.json"
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

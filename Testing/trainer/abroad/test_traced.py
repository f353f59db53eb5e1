"""Left ventricles that readers traced, in place of drawn ones: round ones, of which every radius is known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.abroad.patients import draw_patient, with_traced_ventricle
from ACNetTrainerLib.abroad.traced import COLUMNS, TracedSurfaces, read_traced_hearts
from ACNetTrainerLib.commands.main import main
from trace_hearts import CONTOURS, PIXEL_MM, RV_DIRECTION_DEGREES, trace

REAL = Path(__file__).parents[3] / "Documentation" / "real-hearts" / "sunnybrook.csv"
HEADER = ",".join([*COLUMNS, "-180", "-90", "0", "90"])
RADII = (30, 28, 26, 24, 22, 20)
"""Of the cavity from base to apex, 8 mm apart; the wall has 9 mm on the side of the RV and 7 mm elsewhere."""


def table(path: Path, rows: Sequence[str]) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def cone(radii: Sequence[float] = RADII, kind: str = "normal") -> list[str]:
    rows = []
    for number, radius in enumerate(radii, start=1):
        rows.append(f"round,{kind},8,{number},endocardium,{radius},{radius},{radius},{radius}")
        rows.append(f"round,{kind},8,{number},epicardium,{radius + 7},{radius + 7},{radius + 9},{radius + 7}")
    return rows


def test_a_traced_heart_has_its_radii_at_each_level_and_between_slices(tmp_path: Path) -> None:
    (heart,) = read_traced_hearts(table(tmp_path / "hearts.csv", cone()))
    drawn = draw_patient(3, 0, "normal", 1.5, 1.0).surfaces
    surfaces = TracedSurfaces(heart, drawn)
    for level, radius in enumerate((28, 25, 22)):  # at 20, 50 and 80 % of five steps of 2 mm
        np.testing.assert_allclose(surfaces.levels[level].endocardium, radius)
    np.testing.assert_allclose(surfaces.at(1, 4.0).endocardium, 24.0)
    np.testing.assert_allclose(surfaces.at(2, 80.0).endocardium, 20.0, err_msg="no farther than the last slice")
    wall = surfaces.levels[1].epicardium - surfaces.levels[1].endocardium
    assert wall[90] == pytest.approx(9.0)  # at angle 0, towards the right ventricle
    assert wall[0] == pytest.approx(7.0)


def test_the_patient_keeps_all_but_the_left_ventricle(tmp_path: Path) -> None:
    (heart,) = read_traced_hearts(table(tmp_path / "hearts.csv", cone()))
    drawn = draw_patient(3, 0, "normal", 1.5, 1.0)
    real = with_traced_ventricle(heart, drawn)
    np.testing.assert_allclose(real.heart.diameter, [56, 50, 44])
    np.testing.assert_array_equal(real.tissue_t1_ms, drawn.tissue_t1_ms)
    for mine, its in zip(real.surfaces.levels, drawn.surfaces.levels, strict=True):
        np.testing.assert_allclose(mine.rv - mine.epicardium, its.rv - its.epicardium, atol=1e-9)
        assert mine.insertion_angles == its.insertion_angles


def test_the_eight_real_hearts_have_walls_and_sizes_of_hearts() -> None:
    hearts = {heart.name: heart for heart in read_traced_hearts(REAL)}
    assert [heart.kind for heart in hearts.values()] == [
        "infarct", "infarct", "dcm", "dcm", "hcm", "hcm", "normal", "normal",
    ]  # fmt: skip
    for heart in hearts.values():
        middle = len(heart.endocardium) // 2
        assert 35 < 2 * heart.endocardium[middle].mean() < 85
        assert 4 < (heart.epicardium - heart.endocardium)[middle].mean() < 14


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (["round,normal,8,1,endocardium,30,30,30,30,30"], "row 2: found 10 cells; expected 9"),
        (["round,normal,8,1,endocardium,30,30,30"], "row 2: column 90 is ''; expected a number"),
        (["round,athlete,8,1,endocardium,30,30,30,30"], "row 2: found 'athlete' and 'endocardium'; expected one of"),
        (["round,normal,8,1,endocardium,30,thirty,30,30"], "row 2: column -90 is 'thirty'; expected a number"),
        (["round,normal,nan,1,endocardium,30,30,30,30"], "row 2: column slice_mm is 'nan'; expected a number"),
        (cone((300, 28, 26)), "radii of 26 to 309 mm on slices 8 mm apart; expected"),
        (cone((-30, 28, 26)), "radii of -30 to 37 mm"),
        ([row.replace("normal,8,", "normal,0,") for row in cone()], "on slices 0 mm apart"),
        (
            [row.replace("normal,8,1,epicardium,37", "normal,8,1,epicardium,29") for row in cone()],
            "the endocardium within",
        ),
        (cone((30, 28)), "heart 'round' has 2 endocardial and 2 epicardial outlines"),
        (cone()[:-1], "6 endocardial and 5 epicardial"),
        ([*cone(), *(row.replace("endo", "epi") for row in cone() if "endo" in row)], "6 endocardial and 12"),
    ],
)
def test_what_is_no_such_table_is_refused_in_one_line(
    tmp_path: Path, rows: list[str], found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file, output = table(tmp_path / "hearts.csv", rows), tmp_path / "result.json"
    with pytest.raises(ACNetError, match=r"hearts\.csv") as caught:
        read_traced_hearts(file)
    assert found in str(caught.value)
    assert main(["real-hearts", "acnet-simulated-1.5T", str(file), "--output", str(output)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not output.exists()


def test_a_file_that_is_missing_or_of_other_columns_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ACNetError, match="it can't be read"):
        read_traced_hearts(tmp_path / "nothing.csv")
    other = tmp_path / "other.csv"
    other.write_text("case,patient\n", encoding="utf-8")
    with pytest.raises(ACNetError, match="columns heart, kind"):
        read_traced_hearts(other)


def test_a_real_normal_heart_is_found_measured_and_not_called_dcm(tmp_path: Path) -> None:
    header, *rows = REAL.read_text(encoding="utf-8").splitlines()
    one, output = tmp_path / "one.csv", tmp_path / "result.json"
    one.write_text("\n".join([header, *(row for row in rows if row.startswith("SC-N-03"))]), encoding="utf-8")
    assert main(["real-hearts", "acnet-simulated-3T", str(one), "--scans", "1", "--output", str(output)]) == 0
    heart = json.loads(output.read_text(encoding="utf-8"))["hearts"]["SC-N-03"]
    assert heart["center_error_median_mm"] < 4
    assert heart["dice_median"] > 0.7
    assert heart["relative_wall_median"]["found"] == pytest.approx(heart["relative_wall_median"]["true"], abs=0.1)
    assert heart["verdicts"]["dcm"] == heart["verdicts"]["not_answered"] == 0
    assert sum(heart["verdicts"].values()) == heart["scans"] == 1


def test_contours_in_pixels_become_radii_in_mm_and_open_slices_are_left_out(tmp_path: Path) -> None:
    """Circles around a point, their wall thickest on the screen's left, where the right ventricle is."""
    turn = np.linspace(0, 2 * np.pi, 200, endpoint=False)
    on_screen = np.column_stack([np.cos(turn), np.sin(turn)])
    for name in RV_DIRECTION_DEGREES:
        folder = tmp_path / "contours" / name / CONTOURS
        folder.mkdir(parents=True)
        for number in range(4):
            inner = np.full((200, 1), 20.0)
            outer = inner + (0.0 if number == 0 else 6.0) + np.where(on_screen[:, :1] < -0.9, 3.0, 0.0)
            for letter, radii in (("i", inner), ("o", outer)):
                file = folder / f"IM-0001-{20 * (number + 1):04d}-{letter}contour-manual.txt"
                np.savetxt(file, np.array([125.0, 131.0]) + radii * on_screen)
    output = tmp_path / "hearts.csv"
    trace(tmp_path / "contours", output)
    hearts = read_traced_hearts(output)
    assert [heart.name for heart in hearts] == list(RV_DIRECTION_DEGREES)
    for heart in hearts:
        assert heart.endocardium.shape == (3, 180)
        np.testing.assert_allclose(heart.endocardium, 20 * PIXEL_MM, atol=0.1)
        wall = (heart.epicardium - heart.endocardium)[0]
        assert wall[90] == pytest.approx(9 * PIXEL_MM, abs=0.2)  # towards the right ventricle
        assert wall[0] == pytest.approx(6 * PIXEL_MM, abs=0.2)
    with pytest.raises(ACNetError, match="no contours of SC-HF-I-05"):
        trace(tmp_path / "elsewhere", output)

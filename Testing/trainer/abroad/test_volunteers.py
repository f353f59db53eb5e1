"""Ventricles put together again from a shape model as the Cardiac Atlas Project's: round ones of known radius."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from ACNetLib.errors import ACNetError
from ACNetTrainerLib.abroad.traced import read_traced_hearts
from ACNetTrainerLib.commands.main import main
from trace_volunteers import EVERY, SLICES, trace

ROUND, RINGS, AROUND = 24.0, 30, 48
"""Radius of the mean cavity in mm, and how finely the surfaces are cut in triangles."""
WALL_MM, SEPTUM_MM = 8.0, 3.0
"""The wall has so much more towards the right ventricle."""


def surface(wall_mm: float, septum_mm: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (n, 3) of a round ventricle, x to the apex and y to the right ventricle, and triangles (m, 3) from 1 on.

    A tube from -40 to 0 mm, then half a ball.
    """
    angle = np.linspace(0, 2 * np.pi, AROUND, endpoint=False)  # some rays meet corners exactly
    down = np.linspace(-40, ROUND + wall_mm, RINGS)
    in_ball = np.clip(down, 0, None) / (ROUND + wall_mm)
    radius = (ROUND + wall_mm) * np.sqrt(np.clip(1 - in_ball**2, 0, 1))
    thicker = septum_mm * (1 + np.cos(angle)) / 2
    points = [
        (x, (r + t * (r > 0)) * np.cos(a), (r + t * (r > 0)) * np.sin(a))
        for x, r in zip(down, radius, strict=True)
        for a, t in zip(angle, thicker, strict=True)
    ]
    triangles = []
    for ring in range(RINGS - 1):
        for step in range(AROUND):
            here, beside = ring * AROUND + step, ring * AROUND + (step + 1) % AROUND
            triangles += [(here, beside, here + AROUND), (beside, beside + AROUND, here + AROUND)]
    return np.array(points), np.array(triangles) + 1


@pytest.fixture
def a_shape_model(tmp_path: Path) -> Path:
    """Of nine volunteers. The first mode makes the inner surface wider, by 1 mm for a score of 1."""
    inner, triangles = surface(0.0, 0.0)
    outer, _ = surface(WALL_MM, SEPTUM_MM)
    wider = np.zeros_like(inner)
    round_part = inner[:, 0] <= 0
    wider[round_part, 1:] = inner[round_part, 1:] / ROUND
    mode = np.concatenate([wider.ravel(), np.zeros(outer.size)])
    scores = np.linspace(0, 2, 2 * EVERY + 1)
    model = {
        "MEAN": np.concatenate([inner.ravel(), outer.ravel()]),
        "COEFF": np.column_stack([mode, 0 * mode]),
        "SCORE": np.column_stack([scores, 0 * scores]),
    }
    savemat(tmp_path / "PCA_ED.mat", {"PCA_ED": model})
    savemat(tmp_path / "SurfaceFaces.mat", {"Face": {"Endo": triangles, "Epi": triangles + len(inner)}})
    return tmp_path


def test_every_fourth_volunteer_has_the_radii_of_mean_and_modes(a_shape_model: Path, tmp_path: Path) -> None:
    trace(a_shape_model, tmp_path / "volunteers.csv")
    hearts = read_traced_hearts(tmp_path / "volunteers.csv")
    assert [heart.name for heart in hearts] == ["volunteer-0000", "volunteer-0004", "volunteer-0008"]
    for heart, wider_mm in zip(hearts, (0.0, 1.0, 2.0), strict=True):
        assert (heart.kind, len(heart.endocardium)) == ("normal", SLICES)
        assert heart.endocardium[2].mean() == pytest.approx(ROUND + wider_mm, abs=0.15)
        wall = heart.epicardium[2] - heart.endocardium[2]
        assert wall[90] == pytest.approx(WALL_MM + SEPTUM_MM - wider_mm, abs=0.2), "towards the right ventricle"
        assert wall[0] == pytest.approx(WALL_MM - wider_mm, abs=0.2)


def test_files_that_are_missing_or_others_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    for content in (None, b"no MATLAB file", b"no MATLAB file" * 50):
        if content is not None:
            (tmp_path / "PCA_ED.mat").write_bytes(content)
        with pytest.raises(ACNetError, match=r"PCA_ED\.mat: no PCA_ED was read; expected the file of"):
            trace(tmp_path, tmp_path / "volunteers.csv")
        assert not (tmp_path / "volunteers.csv").exists()


def test_a_heart_without_a_ring_of_wall_is_refused_and_nothing_is_written(a_shape_model: Path, tmp_path: Path) -> None:
    model = loadmat(a_shape_model / "PCA_ED.mat", squeeze_me=True)["PCA_ED"]
    mean = np.array(model["MEAN"].item())
    half = len(mean) // 2
    mean[half:] = mean[:half]  # the outer surface is the inner one
    savemat(
        a_shape_model / "PCA_ED.mat",
        {"PCA_ED": {"MEAN": mean, "COEFF": model["COEFF"].item(), "SCORE": model["SCORE"].item()}},
    )
    with pytest.raises(ACNetError, match=r"found 0 mm of a heart with a wall all around; expected 12 mm"):
        trace(a_shape_model, tmp_path / "volunteers.csv")
    assert not (tmp_path / "volunteers.csv").exists()


def test_many_hearts_are_counted_together_by_wall_and_cavity(a_shape_model: Path, tmp_path: Path) -> None:
    table, output = tmp_path / "volunteers.csv", tmp_path / "result.json"
    trace(a_shape_model, table)
    options = ["--scans", "1", "--together", "--output", str(output)]
    assert main(["real-hearts", "acnet-simulated-3T", str(table), *options]) == 0
    record = json.loads(output.read_text(encoding="utf-8"))
    assert "hearts" not in record, "no row of a volunteer"
    groups = record["together"]["normal"]
    assert groups["all"]["hearts"] == groups["all"]["scans"] == 3
    assert "wall 10 to inf mm" not in groups, "no group without hearts"
    for name in ("wall", "cavity"):
        assert sum(group["hearts"] for key, group in groups.items() if key.startswith(name)) == 3
    assert groups["cavity 45 to 50 mm"]["hearts"] == 2  # of 48, 50 and 52 mm; the second a little less than round
    assert sum(share["value"] for share in groups["all"]["verdicts"].values()) == pytest.approx(1)
    assert groups["all"]["center_error_median_mm"] < 4

"""The `acnet` command in processes of its own, on the shipped sample and model."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import SimpleITK as sitk

from ACNetLib.sample_data import sample_cases

REPOSITORY = Path(__file__).parent.parent


def acnet(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ACNetLib.cli", *map(str, arguments)],
        cwd=REPOSITORY / "ACNetClassifier",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("demo") / "out"
    return folder, acnet("demo", "--output", folder, "--device", "cpu")


def test_the_demo_tells_the_shipped_patients_apart(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, run = demo
    assert run.returncode == 0, run.stderr
    for case in sample_cases():
        study = json.loads((folder / case.name / "result.json").read_text())["study"]
        assert study["decision"] == case.label


def test_the_demo_says_that_it_is_simulated_and_names_every_file(
    demo: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    folder, run = demo
    assert "Simulated patients" in run.stdout
    written = [line.strip() for line in run.stdout.split("Written:\n")[1].splitlines()]
    assert sorted(written) == sorted(str(path) for path in folder.rglob("*") if path.is_file())
    assert {Path(path).name for path in written} == {
        *(f"section-{number}.png" for number in range(3)),
        "attention.nrrd",
        "attention-label.nrrd",
        "result.json",
        "scene.mrb",
    }


def test_the_demo_saves_a_scene_with_the_overlay(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = demo
    with zipfile.ZipFile(folder / "ACNetSimulatedDCM" / "scene.mrb") as bundle:
        scene = next(name for name in bundle.namelist() if name.endswith(".mrml"))
        assert b"LabelMapVolume" in bundle.read(scene)


def test_classify_writes_the_attention_on_the_grid_of_the_t1_map(tmp_path: Path) -> None:
    case = sample_cases()[0]
    image = sitk.GetImageFromArray(sitk.GetArrayFromImage(_volume(case.folder))[1:2])
    reference = _volume(case.folder)[:, :, 1:2]
    image.CopyInformation(reference)
    sitk.WriteImage(image, str(tmp_path / "map.nii.gz"))
    run = acnet(
        "classify",
        tmp_path / "map.nii.gz",
        f"--center={','.join(map(str, case.center_mm))}",
        "--output",
        tmp_path / "out",
    )
    assert run.returncode == 0, run.stderr
    written = sitk.ReadImage(str(tmp_path / "map.nii.gz"))
    for name in ("attention.nrrd", "attention-label.nrrd"):
        attention = sitk.ReadImage(str(tmp_path / "out" / name))
        assert attention.GetSize() == written.GetSize()
        assert attention.GetOrigin() == pytest.approx(written.GetOrigin(), abs=1e-3)
        assert attention.GetDirection() == pytest.approx(written.GetDirection(), abs=1e-4)
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["center_source"] == "given"
    assert [section["section"] for section in result["sections"]] == [0]


def test_without_a_centre_the_result_says_that_the_image_centre_was_used(tmp_path: Path) -> None:
    run = acnet("classify", sample_cases()[1].folder, "--output", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["center_source"] == "image centre"
    assert any("image centre" in warning for warning in result["warnings"])
    assert "image centre" in run.stdout


def test_the_same_map_gives_the_same_result_from_dicom_and_from_nrrd(tmp_path: Path) -> None:
    case = sample_cases()[1]
    sitk.WriteImage(_volume(case.folder), str(tmp_path / "map.nrrd"))
    center = f"--center={','.join(map(str, case.center_mm))}"
    results = []
    for source, output in ((case.folder, "dicom"), (tmp_path / "map.nrrd", "nrrd")):
        assert acnet("classify", source, center, "--output", tmp_path / output).returncode == 0
        results.append(json.loads((tmp_path / output / "result.json").read_text()))
    for dicom, nrrd in zip(results[0]["sections"], results[1]["sections"], strict=True):
        assert nrrd["probability_dcm"] == pytest.approx(dicom["probability_dcm"], abs=1e-4)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["missing.nrrd"], "missing.nrrd"),
        (["missing.nrrd", "--model", "no-such-model"], "missing.nrrd"),
        ([str(sample_cases()[0].folder), "--model", "no-such-model"], "no-such-model"),
        ([str(sample_cases()[0].folder), "--center=900,900,900"], "ACNetSimulatedNormal"),
        ([str(sample_cases()[0].folder), "--output", str(REPOSITORY)], "not an empty folder"),
        ([str(sample_cases()[0].folder), "--center=1,2"], "expected three numbers"),
        ([str(sample_cases()[0].folder), "--no-such-option"], "--no-such-option"),
    ],
)
def test_a_users_error_is_one_line_and_exit_code_2(tmp_path: Path, arguments: list[str], named: str) -> None:
    output = [] if "--output" in arguments else ["--output", str(tmp_path / "out")]
    run = acnet("classify", *arguments, *output)
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
    assert named in run.stderr
    assert not (tmp_path / "out").exists()


def _volume(folder: Path) -> sitk.Image:
    from ACNetLib.t1map import read_t1_map

    return read_t1_map(folder).image

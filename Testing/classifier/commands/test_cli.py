"""The `acnet` command on the shipped sample and models; the demo and one error in processes of their own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ACNetLib.commands.main import main
from ACNetLib.sample_data import sample_cases
from repository import REPOSITORY

Run = subprocess.CompletedProcess[str]


def acnet_process(*arguments: str | Path) -> Run:
    return subprocess.run(
        [sys.executable, "-m", "ACNetLib.commands.main", *map(str, arguments)],
        cwd=REPOSITORY / "ACNetClassifier",
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def acnet(capsys: pytest.CaptureFixture[str]) -> Callable[..., Run]:
    """The command in this process, which has its libraries already."""

    def run(*arguments: str | Path) -> Run:
        texts = [*map(str, arguments)]
        try:
            code = main(texts)
        except SystemExit as ended:  # by the parser
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return Run(texts, code, said.out, said.err)

    return run


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    folder = tmp_path_factory.mktemp("demo") / "out"
    return folder, acnet_process("demo", "--output", folder, "--device", "cpu")


def test_the_demo_tells_the_shipped_patients_apart(demo: tuple[Path, Run]) -> None:
    folder, run = demo
    assert run.returncode == 0, run.stderr
    for case in sample_cases():
        study = json.loads((folder / case.name / "result.json").read_text())
        assert study["verdict"] == case.label


def test_the_demo_says_that_it_is_simulated_and_names_every_file(demo: tuple[Path, Run]) -> None:
    folder, run = demo
    assert "Simulated patients" in run.stdout
    written = [line.strip() for line in run.stdout.split("Written:\n")[1].splitlines()]
    assert sorted(written) == sorted(str(path) for path in folder.rglob("*") if path.is_file())
    assert {Path(path).name for path in written} == {
        *(f"section-{number}.jpg" for number in range(3)),
        "attention.nrrd",
        "attention-label.nrrd",
        "evidence.nrrd",
        "segments.csv",
        "ventricle-label.nrrd",
        "report.html",
        "result.json",
        "scene.mrb",
    }


def test_the_demo_saves_a_scene_with_the_overlay(demo: tuple[Path, Run]) -> None:
    folder, _ = demo
    with zipfile.ZipFile(folder / "ACNetSimulatedDCM" / "scene.mrb") as bundle:
        scene = next(name for name in bundle.namelist() if name.endswith(".mrml"))
        assert b"LabelMapVolume" in bundle.read(scene)


def test_classify_writes_the_attention_on_the_grid_of_the_t1_map(acnet: Callable[..., Run], tmp_path: Path) -> None:
    case = sample_cases()[0]
    image = sitk.GetImageFromArray(sitk.GetArrayFromImage(_volume(case.folder))[1:2])
    reference = _volume(case.folder)[:, :, 1:2]
    image.CopyInformation(reference)
    sitk.WriteImage(image, str(tmp_path / "map.nii.gz"))
    run = acnet(
        "classify",
        tmp_path / "map.nii.gz",
        f"--center={','.join(map(str, case.center_mm))}",
        "--field=1.5",
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
    assert result["maps"][0]["center_source"] == "point"
    assert [section["section"] for section in result["maps"][0]["sections"]] == [0]


def test_without_a_centre_the_heart_is_found_in_every_section(acnet: Callable[..., Run], tmp_path: Path) -> None:
    case = sample_cases()[1]
    run = acnet("classify", case.folder, "--output", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["maps"][0]["center_source"] == "localizer"
    assert [section["section"] for section in result["maps"][0]["sections"]] == [0, 1, 2]
    # The point given for the sample is the middle section's.
    assert np.linalg.norm(np.subtract(result["maps"][0]["sections"][1]["center_lps_mm"], case.center_mm)) < 4
    assert all(section["measures"]["cavity_area_mm2"] > 500 for section in result["maps"][0]["sections"])


def test_what_is_to_be_warned_of_is_printed_with_the_answer(acnet: Callable[..., Run], tmp_path: Path) -> None:
    sample = sitk.ReadImage(str(sample_cases()[0].volume))
    found = acnet("classify", sample_cases()[0].volume, "--json")
    place = json.loads(found.stdout)["maps"][0]["sections"][1]["center_lps_mm"]
    width, height, _ = sample.GetSpacing()
    column, row, _ = sample.TransformPhysicalPointToIndex(place)
    across, down = round(50 / width), round(50 / height)
    cut = tmp_path / "cut.nrrd"
    sitk.WriteImage(sample[column - across : column + across, row - down : row + down, 1:2], str(cut))
    run = acnet("classify", cut, "--field", "1.5", "--output", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    (note,) = re.findall(r"^Note: (Slice 0: \d\d% of the crop lies outside the map)$", run.stdout, re.MULTILINE)
    assert re.search(r"^Uncertain: \d\d% of the crops is missing or masked", run.stdout, re.MULTILINE)
    assert note in json.loads((tmp_path / "out" / "result.json").read_text())["warnings"]


def test_a_segmentation_wins_over_the_localizer(acnet: Callable[..., Run], tmp_path: Path) -> None:
    """A ring drawn 30 mm beside the heart: that is where the section is cut."""
    case = sample_cases()[1]
    volume = _volume(case.folder)
    column, row, section = volume.TransformPhysicalPointToContinuousIndex(case.center_mm)
    sections, rows, columns = np.indices(volume.GetSize()[::-1])
    distance = np.hypot(rows - row, columns - column - 20)
    drawn = np.select([distance < 10, distance < 16], [2, 1], 0) * (sections == round(section))
    labels = sitk.GetImageFromArray(drawn.astype(np.uint8))
    labels.CopyInformation(volume)
    sitk.WriteImage(labels, str(tmp_path / "labels.nrrd"))
    run = acnet("classify", case.folder, "--segmentation", tmp_path / "labels.nrrd", "--output", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["maps"][0]["center_source"] == "segmentation"
    (section_result,) = result["maps"][0]["sections"]
    expected = volume.TransformContinuousIndexToPhysicalPoint((column + 20, row, section))
    assert np.linalg.norm(np.subtract(section_result["center_lps_mm"], expected)) < 2
    assert section_result["measures"]["cavity_area_mm2"] == pytest.approx(
        np.pi * 10**2 * volume.GetSpacing()[0] ** 2, rel=0.05
    )


def test_the_spacing_that_is_given_holds_for_map_and_segmentation(acnet: Callable[..., Run], tmp_path: Path) -> None:
    t1_ms = sitk.GetArrayFromImage(_volume(sample_cases()[1].folder))
    rows, columns = np.indices(t1_ms.shape[1:])
    distance = np.hypot(rows - 111, columns - 113)
    drawn = np.tile(np.select([distance < 10, distance < 16], [2, 1], 0), (len(t1_ms), 1, 1))
    for name, values in (("map", t1_ms), ("labels", drawn)):
        sizes = " ".join(map(str, values.shape[::-1]))
        text = f"NRRD0004\ntype: ushort\ndimension: 3\nsizes: {sizes}\nendian: little\nencoding: raw\n\n"
        (tmp_path / f"{name}.nrrd").write_bytes(text.encode() + values.astype("<u2").tobytes())
    options = ("--spacing", "1.4,1.4,8", "--field", "1.5", "--segmentation", tmp_path / "labels.nrrd", "--json")
    run = acnet("classify", tmp_path / "map.nrrd", *options)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["maps"][0]["center_source"] == "segmentation"


def test_a_file_without_field_strength_is_asked_for_it_and_takes_the_model_that_fits(
    acnet: Callable[..., Run], tmp_path: Path
) -> None:
    case = sample_cases()[1]
    sitk.WriteImage(_volume(case.folder), str(tmp_path / "map.nrrd"))
    run = acnet("classify", tmp_path / "map.nrrd", "--output", tmp_path / "out")
    assert run.returncode == 2
    assert "map.nrrd: it does not tell its field strength" in run.stderr
    assert not (tmp_path / "out").exists()
    for field in ("1.5", "3"):
        run = acnet("classify", tmp_path / "map.nrrd", "--field", field, "--output", tmp_path / field)
        assert run.returncode == 0, run.stderr
        result = json.loads((tmp_path / field / "result.json").read_text())
        assert result["model"]["name"] == f"acnet-simulated-{field}T"


def test_a_model_for_another_field_strength_is_refused_unless_forced_and_then_marked(
    acnet: Callable[..., Run], tmp_path: Path
) -> None:
    arguments = ("classify", sample_cases()[1].folder, "--model", "acnet-simulated-3T", "--output", tmp_path / "out")
    run = acnet(*arguments)
    assert run.returncode == 2
    assert "is from 1.5 T, the model acnet-simulated-3T is for 3 T" in run.stderr
    assert not (tmp_path / "out").exists()
    assert acnet(*arguments, "--allow-field-mismatch").returncode == 0
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert result["maps"][0]["field_mismatch"] is True
    assert any("not valid" in warning for warning in result["warnings"])


def test_the_prevalence_of_a_site_moves_the_probability_and_is_stated(
    acnet: Callable[..., Run], tmp_path: Path
) -> None:
    probabilities = []
    for prevalence in ("0.5", "0.1"):
        output = tmp_path / prevalence
        run = acnet("classify", sample_cases()[1].folder, "--prevalence", prevalence, "--output", output)
        assert run.returncode == 0, run.stderr
        result = json.loads((output / "result.json").read_text())
        assert result["prevalence_dcm"] == float(prevalence)
        probabilities.append(result["probability_dcm"])
    odds = [value / (1 - value) for value in probabilities]
    assert odds[0] / odds[1] == pytest.approx(9.0, rel=1e-6)


def test_a_reference_t1_is_told_and_gives_a_z_score(acnet: Callable[..., Run], tmp_path: Path) -> None:
    run = acnet("classify", sample_cases()[1].folder, "--reference-t1", "1000,30", "--output", tmp_path / "out")
    assert run.returncode == 0, run.stderr
    assert "Reference T1 of this scanner, given: 1000 ± 30 ms." in run.stdout
    result = json.loads((tmp_path / "out" / "result.json").read_text())
    assert (result["reference"]["source"], result["reference"]["mean_ms"]) == ("given", 1000)
    study = result
    assert study["septal_z"] == pytest.approx((study["septal_t1_ms"] - 1000) / 30)
    assert f"z-score {study['septal_z']:+.1f}" in run.stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["missing.nrrd"], "missing.nrrd"),
        (["missing.nrrd", "--model", "no-such-model"], "missing.nrrd"),
        ([str(sample_cases()[0].folder), "--model", "no-such-model"], "no-such-model"),
        ([str(sample_cases()[0].folder), "--center=900,900,900"], "ACNetSimulatedNormal"),
        ([str(sample_cases()[0].folder), "--output", str(REPOSITORY)], "not an empty folder"),
        ([str(sample_cases()[0].folder), "--center=1,2"], "expected three numbers"),
        ([str(sample_cases()[0].folder), "--prevalence", "20"], "prevalence: found 20"),
        ([str(sample_cases()[0].folder), "--reference-t1", "300"], "reference T1: found a mean of 300 ms"),
        ([str(sample_cases()[0].folder), "--reference-t1", "1012,200"], "reference T1: found an SD of 200 ms"),
        ([str(sample_cases()[0].folder), "--field", "3"], "its header says 1.5 T, you say 3 T"),
        ([str(sample_cases()[0].folder), "--segmentation", "missing.nrrd"], "missing.nrrd"),
        ([str(sample_cases()[0].folder), "--segmentation", "x", "--center=1,2,3"], "not allowed with"),
        ([str(sample_cases()[0].folder), "--no-such-option"], "--no-such-option"),
        ([str(sample_cases()[0].folder), "--dicom-segmentation", "labelmap"], "found no --dicom"),
    ],
)
def test_a_users_error_is_one_line_and_exit_code_2(
    acnet: Callable[..., Run], tmp_path: Path, arguments: list[str], named: str
) -> None:
    output = [] if "--output" in arguments else ["--output", str(tmp_path / "out")]
    run = acnet("classify", *arguments, *output)
    assert run.returncode == 2
    assert len(run.stderr.splitlines()) == 1
    assert named in run.stderr
    assert not (tmp_path / "out").exists()


def test_a_users_error_ends_the_process_with_one_line_and_2(tmp_path: Path) -> None:
    run = acnet_process("classify", "missing.nrrd", "--output", tmp_path / "out")
    assert (run.returncode, run.stdout, len(run.stderr.splitlines())) == (2, "", 1)
    assert "missing.nrrd" in run.stderr


def _volume(folder: Path) -> sitk.Image:
    from ACNetLib.t1map.t1_map import read_t1_map

    return read_t1_map(folder).image

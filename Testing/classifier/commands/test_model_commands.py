"""`acnet models`: what it prints, and that a user's error is one line and exit code 2."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ACNetLib.commands.main import main
from ACNetLib.commands.models import _classifier_rows
from ACNetLib.inference.outside import LimitsByCall, OutsideLimits
from ACNetLib.models.card import INTENDED_USE
from ACNetLib.models.model import Model, save_model
from ACNetLib.models.store import import_model
from ACNetLib.networks.localizer import LocalizerCard, LocalizerModel, LocalizerNetwork, save_localizer
from conftest import a_card

SHIPPED = "acnet-simulated-1.5T"
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def model_file(a_model: Model, tmp_path: Path) -> Path:
    """A model of a ward's own patients, evaluated."""
    counts = {"patients_dcm": 40, "patients_normal": 50, "sections_dcm": 120, "sections_normal": 150}
    card = replace(
        a_model.card,
        name="ward",
        normal_t1_ms=(1003.4, 27.6),
        uncertain_range_without_reference=(0.07, 0.93),
        outside_limits=LimitsByCall(
            OutsideLimits((), (0.6, 0.5, 0.47), (2.0, 1.7, 1.52)), OutsideLimits((), (0.5, 0.43, 0.41), (1.6, 1.4, 1.2))
        ),
        simulated=False,
        training={
            "recipe": {"name": "recommended", "network": {}},
            "best_epoch": 7,
            "training": counts,
            "fitted_on": {
                "temperatures": [
                    {"fitted": True, "patients_normal": 30, "patients_dcm": 20},
                    {"fitted": False, "patients_normal": 9, "patients_dcm": 8},
                ],
            },
        },
        metrics={
            "auroc": {"value": 0.91, "low": 0.86, "high": 0.95},
            "simulated": False,
            "cross_validated": {"folds": 5, "repeats": 2},
            "true_measures": {"t1_matched": {"auroc": {"value": 0.8, "low": 0.7, "high": 0.9}}},
        },
    )
    save_model(Model(a_model.network, card), tmp_path / "ward.safetensors")
    return tmp_path / "ward.safetensors"


@pytest.fixture
def localizer_file(tmp_path: Path) -> Path:
    card = LocalizerCard("ventricle", simulated=True, confidence_threshold=0.62, field_strengths_tesla=(1.5, 3.0))
    save_localizer(LocalizerModel(LocalizerNetwork().eval(), card), tmp_path / "ventricle.safetensors")
    return tmp_path / "ventricle.safetensors"


def rows(printed: str) -> dict[str, list[str]]:
    """The lines of the list that are a model's, by its name."""
    return {line.split()[0]: line.split()[1:] for line in printed.splitlines()[1:] if "  " in line}


def test_the_list_has_every_model_with_where_it_is(
    model_file: Path, localizer_file: Path, own_folder: Path, capsys: Captured
) -> None:
    import_model(model_file)
    import_model(localizer_file)
    assert main(["models", "list"]) == 0
    printed = capsys.readouterr().out
    listed = rows(printed)
    assert listed[SHIPPED][:4] == ["classifier", "1.5", "T", "simulation"]
    assert listed[SHIPPED][-1] == "shipped"
    assert listed["ward"] == ["classifier", "1.5", "T", "patients", "0.910", "own"]
    assert listed["ventricle"] == ["localizer", "1.5", "and", "3", "T", "simulation", "-", "own"]
    assert printed.endswith(f"Your own models: {own_folder}\n")


def test_a_damaged_file_is_listed_as_damaged_with_the_reason(
    model_file: Path, own_folder: Path, capsys: Captured
) -> None:
    import_model(model_file)
    (own_folder / "broken.safetensors").write_bytes(b"nothing of ours")
    assert main(["models", "list"]) == 0
    printed = capsys.readouterr().out
    assert rows(printed)["broken"] == ["damaged", "-", "-", "-", "own"]
    assert "Damaged: broken.safetensors: not a readable .safetensors file" in printed
    assert "ward" in rows(printed)


def test_a_shipped_card_says_first_what_it_is_for_and_that_it_is_simulated(capsys: Captured) -> None:
    assert main(["models", "show", SHIPPED]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{SHIPPED}: classifier for 1.5 T"
    assert lines[1] == INTENDED_USE
    assert lines[2].startswith("TRAINED ON SIMULATED DATA")
    assert "How well it does, on simulated patients (95 % interval)" in lines
    (score,) = [line for line in lines if line.startswith("  score of unlike")]
    assert score.endswith("of the network's features over the whole slice and around the left ventricle")
    assert not any("outside 2" in line for line in lines)


def test_a_card_whose_network_says_something_odd_is_shown_all_the_same() -> None:
    shown = dict(_classifier_rows(replace(a_card("odd"), network={"outside": "x"})))
    assert shown["network"] == "the paper's"
    assert "score of unlike" not in shown


def test_a_card_is_readable_text(model_file: Path, capsys: Captured) -> None:
    import_model(model_file)
    assert main(["models", "show", "ward"]) == 0
    printed = capsys.readouterr().out
    assert "SIMULATED" not in printed
    texts = {line.strip().split("  ")[0]: line.split("  ")[-1].strip() for line in printed.splitlines()}
    assert texts["verdict"].startswith("normal below a probability of 0.2, uncertain from 0.2 to below 0.8")
    assert texts["temperatures"] == "1.000 (of one slice, of two, and so on)"
    assert texts["normal T1"] == "1003 ± 28 ms, septal, of its normal training patients"
    assert texts["without reference"].startswith(
        "normal below a probability of 0.07, uncertain from 0.07 to below 0.93"
    )
    for call, wall, right in (("normal", "0.47", "1.52"), ("DCM", "0.41", "1.20")):
        above = f"above a wall of {wall} of the cavity's radius, a right ventricle of {right} of the left"
        assert texts[f"unlike, if {call}"] == above
    assert texts["held back"] == (
        "30 normal and 20 DCM patients: the temperatures are fitted to them; too few have 2 slices: their "
        "temperature is not below the lower of 1 and that of fewer slices"
    )
    assert texts["recipe"] == "recommended"
    assert texts["training"] == "40 patients with DCM (120 slices), 50 normal (150 slices)"
    assert texts["auroc"] == "0.910 (0.860 to 0.950)"
    assert texts["cross_validated"] == "5 folds, 2 repeats"
    assert texts["also in the card"] == "true_measures"
    assert "{" not in printed


def test_the_card_of_a_localizer_is_shown_too(localizer_file: Path, capsys: Captured) -> None:
    import_model(localizer_file)
    assert main(["models", "show", "ventricle"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("ventricle: localizer for 1.5 and 3 T\n")
    assert "0.620 and more counts as found" in printed


def test_a_model_is_imported_shown_and_removed(model_file: Path, own_folder: Path, capsys: Captured) -> None:
    assert main(["models", "import", str(model_file)]) == 0
    path = own_folder / "ward.safetensors"
    assert capsys.readouterr().out == f"Imported ward: classifier for 1.5 T.\nWritten:\n  {path}\n"
    assert main(["models", "import", str(model_file), "--replace"]) == 0
    assert main(["models", "remove", "ward"]) == 0
    assert capsys.readouterr().out.endswith(f"Removed:\n  {path}\n")
    assert not path.exists()


def test_the_import_of_a_simulated_model_says_so(localizer_file: Path, capsys: Captured) -> None:
    assert main(["models", "import", str(localizer_file)]) == 0
    assert "TRAINED ON SIMULATED DATA" in capsys.readouterr().out


def test_all_models_are_verified_or_the_one_that_is_named(
    model_file: Path, localizer_file: Path, capsys: Captured
) -> None:
    import_model(model_file)
    import_model(localizer_file)
    assert main(["models", "verify"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert {SHIPPED, "ward", "ventricle"} <= {line.split()[0] for line in printed}
    assert all(line.endswith("  works") for line in printed)
    assert main(["models", "verify", "ward"]) == 0
    assert capsys.readouterr().out == "ward  works\n"


def test_every_model_that_fails_is_named_with_its_reason(
    model_file: Path, localizer_file: Path, own_folder: Path, capsys: Captured
) -> None:
    changed = bytearray(import_model(model_file).read_bytes())
    changed[-1] ^= 1
    (own_folder / "ward.safetensors").write_bytes(changed)
    (own_folder / "broken.safetensors").write_bytes(b"nothing of ours")
    import_model(localizer_file)
    assert main(["models", "verify"]) == 2
    captured = capsys.readouterr()
    verdicts = {line.split()[0]: line.split()[1] for line in captured.out.splitlines()}
    assert verdicts["ventricle"] == verdicts[SHIPPED] == "works"
    assert verdicts["ward"] == verdicts["broken"] == "FAILS"
    assert len(captured.err.splitlines()) == 3
    assert captured.err.startswith("acnet: 2 of ")
    assert "broken.safetensors: not a readable" in captured.err
    assert "ward.safetensors: its weights don't match their checksum" in captured.err


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["show", "unknown"], f"found none named 'unknown'; there are {SHIPPED}"),
        (["verify", "unknown"], "found none named 'unknown'"),
        (["remove", "unknown"], "there is no such model"),
        (["remove", SHIPPED], "can't be removed"),
        (["import", "missing.safetensors"], "missing.safetensors: it can't be read"),
        (["import", "model.pt"], "model.pt: its name does not end in .safetensors"),
    ],
)
def test_a_users_error_is_one_line_and_nothing_is_written(
    own_folder: Path, capsys: Captured, arguments: list[str], named: str
) -> None:
    assert main(["models", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.splitlines()) == 1
    assert named in captured.err
    assert not own_folder.exists()


def test_a_command_line_without_an_action_is_refused(capsys: Captured) -> None:
    with pytest.raises(SystemExit) as error:
        main(["models"])
    assert error.value.code == 2
    assert "ACTION" in capsys.readouterr().err

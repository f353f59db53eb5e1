"""Whether a model has learned from those whom it is evaluated on: who is recognized, and what is said of the others."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ACNetLib.errors import ACNetError
from ACNetLib.inference.device import DeviceChoice
from ACNetLib.models.card import read_card
from ACNetLib.models.model import Model, save_model
from ACNetLib.models.store import SHIPPED_MODELS_FOLDER
from ACNetTrainerLib.cases.library import Case, CaseLibrary
from ACNetTrainerLib.cases.pseudonyms import SALT_NAME, create_pseudonyms
from ACNetTrainerLib.commands.main import main
from ACNetTrainerLib.evaluation.evaluate import check_unseen, evaluate
from ACNetTrainerLib.evaluation.wording import CHECKED, NOT_TOLD, OTHER_LIBRARY
from ACNetTrainerLib.training.patients import HASH_DIGITS, known_patients, patients_record
from conftest import a_card

CPU = DeviceChoice("cpu", "asked for")


def test_patients_that_the_model_has_learned_from_are_refused(
    a_model: Model, simulated_library: CaseLibrary, tmp_path: Path
) -> None:
    seen = replace(simulated_library, cases=simulated_library.cases[:6])  # two patients
    training = {"patients": patients_record(seen, None)}
    model = Model(a_model.network, replace(a_model.card, training=training))
    with pytest.raises(ACNetError, match=r"2 of its 12 patients are among those that .*, 6 cases from 'sim0021-00000-"):
        evaluate(model, simulated_library, CPU)
    assert check_unseen(model, replace(simulated_library, cases=simulated_library.cases[6:])) == "checked"
    assert check_unseen(a_model, simulated_library) == NOT_TOLD


@pytest.mark.parametrize(
    "arguments",
    [
        ["evaluate", "MODEL", "OWN"],
        ["attention", "MODEL", "OWN"],
        ["explanations", "MODEL", "OWN"],
        ["reading-order", "MODEL", "OWN"],
        ["coverage", "MODEL", "OWN", "--abroad", "OTHER"],
        ["coverage", "MODEL", "OTHER", "--abroad", "OWN"],
        ["third-answer", "MODEL", "OWN"],
        ["third-answer", "MODEL", "OTHER", "--others", "OWN"],
    ],
    ids=" ".join,
)
def test_every_command_that_measures_a_model_refuses_its_own_patients(
    arguments: list[str],
    a_model: Model,
    simulated_library: CaseLibrary,
    other_library: CaseLibrary,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    training = {"patients": patients_record(simulated_library, None)}
    model = tmp_path / "m.safetensors"
    save_model(Model(a_model.network, replace(a_model.card, training=training)), model)
    values = {"MODEL": str(model), "OWN": str(simulated_library.folder), "OTHER": str(other_library.folder)}
    assert main([*(values.get(each, each) for each in arguments), "--output", str(tmp_path / "m.json")]) == 2
    assert "12 of its 12 patients are among those that model" in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "m.json").exists()


def one_case(folder: Path, patient: str, image: str) -> CaseLibrary:
    return CaseLibrary(folder, (Case("c", patient, "x.nrrd", "dcm", 0, 0, 0, 1.5, "a", pixel_hash=image),))


@pytest.fixture
def hospitals(tmp_path: Path) -> tuple[Path, Path]:
    """The folders of two case libraries, each with a salt."""
    folders = (tmp_path / "one", tmp_path / "other")
    for folder in folders:
        folder.mkdir()
        create_pseudonyms(folder)
    return folders


def test_patients_are_recognized_by_pseudonym_and_image_and_typed_names_are_not_kept(
    hospitals: tuple[Path, Path],
) -> None:
    home, other = hospitals

    def known(training: CaseLibrary, evaluated: CaseLibrary) -> tuple[set[str], bool]:
        return known_patients(replace(a_card("m"), training={"patients": patients_record(training, None)}), evaluated)

    coded, typed = one_case(home, "p-0123456789abcdef", "sha256-1"), one_case(home, "Doe Jane", "sha256-2")
    assert known(coded, one_case(home, "p-0123456789abcdef", "sha256-9")) == ({"p-0123456789abcdef"}, True)
    assert known(coded, one_case(home, "p-fedcba9876543210", "sha256-9")) == (set(), True)
    assert known(coded, one_case(other, "p-fedcba9876543210", "sha256-1")) == ({"p-fedcba9876543210"}, False)
    assert known(coded, typed) == (set(), False)
    assert known(typed, one_case(home, "Doe Jane", "sha256-9")) == (set(), False)
    assert known(typed, one_case(home, "somebody", "sha256-2")) == ({"somebody"}, False)


def test_patients_of_another_library_are_not_said_to_be_checked(
    a_model: Model, simulated_library: CaseLibrary, hospitals: tuple[Path, Path]
) -> None:
    """One who comes again has another pseudonym there, and another image."""
    home, other = hospitals
    codes = [create_pseudonyms(folder).of_patient("4711") for folder in hospitals]
    trained, again = one_case(home, codes[0], "sha256-2019"), one_case(other, codes[1], "sha256-2023")
    record = patients_record(trained, None)

    def said(record: dict[str, Any], evaluated: CaseLibrary) -> str:
        card = replace(a_model.card, training={"patients": record})
        return check_unseen(Model(a_model.network, card), evaluated)

    assert said(record, again) == OTHER_LIBRARY
    assert said(record, one_case(home, "p-fedcba9876543210", "sha256-3")) == CHECKED
    assert said(record, simulated_library) == CHECKED
    assert said(patients_record(simulated_library, None), again) == CHECKED
    child = patients_record(again, replace(a_model.card, training={"patients": record}))
    assert said(child, one_case(other, "p-fedcba9876543210", "sha256-3")) == OTHER_LIBRARY, "its parent's are elsewhere"
    older = {**record, "sets": [{key: one[key] for key in ("salt", "hashes")} for one in record["sets"]]}
    assert said(older, again) == OTHER_LIBRARY
    shutil.copy(home / SALT_NAME, other / SALT_NAME)
    assert said(record, one_case(other, "p-fedcba9876543210", "sha256-3")) == CHECKED, "as the page on cases advises"
    (other / SALT_NAME).unlink()
    assert said(patients_record(again, None), one_case(other, "p-fedcba9876543210", "")) == OTHER_LIBRARY
    salt = (home / SALT_NAME).read_text(encoding="ascii").strip()
    assert record["sets"][0]["library"] not in salt


def test_the_shipped_models_have_learned_from_no_hospitals_patients(
    a_model: Model, hospitals: tuple[Path, Path]
) -> None:
    evaluated = one_case(hospitals[0], "p-0123456789abcdef", "sha256-1")
    cards = [read_card(file) for file in SHIPPED_MODELS_FOLDER.glob("acnet-*.safetensors")]
    assert len(cards) == 2
    for card in cards:
        assert check_unseen(Model(a_model.network, card), evaluated) == CHECKED


def test_the_hashes_of_patients_give_no_name_away_and_differ_from_set_to_set(simulated_library: CaseLibrary) -> None:
    whole = patients_record(simulated_library, None)
    part = patients_record(replace(simulated_library, cases=simulated_library.cases[:6]), None)
    assert whole == patients_record(simulated_library, None)
    assert not any(patient in json.dumps(whole) for patient in simulated_library.patients)
    (one,), (other,) = part["sets"], whole["sets"]
    assert len(one["hashes"]) == 2 * HASH_DIGITS
    assert one["hashes"][:HASH_DIGITS] not in other["hashes"]

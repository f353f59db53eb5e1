"""Which tests `make test-quick` chooses."""

from __future__ import annotations

from quick import RULES, TESTS, files_to_test
from repository import REPOSITORY

CORE = REPOSITORY / "ACNetClassifier" / "ACNetLib"


def test_a_changed_file_brings_the_files_to_test_its_package_that_import_it() -> None:
    chosen = files_to_test([CORE / "scene" / "output.py"])
    assert TESTS / "classifier" / "scene" / "test_scene.py" in chosen
    assert {test.parent.name for test in chosen} == {"scene", "extension"}


def test_a_file_that_no_test_of_its_package_imports_brings_all_that_do() -> None:
    chosen = files_to_test([CORE / "image_files.py"])
    assert len(chosen) > 5
    assert {test.parent for test in chosen}.isdisjoint({TESTS / "classifier"})


def test_a_file_that_no_test_imports_brings_the_files_to_test_its_package() -> None:
    assert TESTS / "classifier" / "volumes" / "test_volume_file.py" in files_to_test([CORE / "volumes" / "nrrd.py"])


def test_a_changed_test_brings_itself_and_the_rules_of_imports() -> None:
    changed = TESTS / "classifier" / "test_interrupts.py"
    assert files_to_test([changed]) == sorted([changed, RULES])

"""What is said in several files of the project is said alike: versions, Python's releases, the site's pages."""

from __future__ import annotations

import re
import tomllib

from repository import REPOSITORY, repository_files

MOST_LINES = 400


def text_of(file: str) -> str:
    return (REPOSITORY / file).read_text(encoding="utf-8")


def test_the_hooks_before_a_commit_run_the_versions_that_the_constraints_pin() -> None:
    pinned = dict(line.split("==") for line in text_of("constraints.txt").splitlines())
    hooks = set(re.findall(r"additional_dependencies: \[([\w-]+)==([\d.]+)\]", text_of(".pre-commit-config.yaml")))
    assert ("ruff", pinned["ruff"]) in hooks
    assert all(pinned.get(name, version) == version for name, version in hooks)


def test_the_workflow_tests_every_python_that_the_package_allows() -> None:
    allowed = tomllib.loads(text_of("pyproject.toml"))["project"]["requires-python"]
    first, after_last = map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", allowed).groups())  # type: ignore[union-attr]
    (tested,) = re.findall(r"^ +python: \[(.+)\]$", text_of(".github/workflows/tests.yml"), re.MULTILINE)
    assert tested == ", ".join(f'"3.{minor}"' for minor in range(first, after_last))


def test_every_page_of_the_documentation_stands_in_the_sites_navigation() -> None:
    shown = re.findall(r"^ +- .+: ([\w-]+\.md)$", text_of("mkdocs.yml"), re.MULTILINE)
    pages = [page.name for page in (REPOSITORY / "Documentation").glob("*.md")]
    assert sorted(shown) == sorted([*pages, "index.md"])


def test_every_file_of_python_can_be_read_in_one_sitting() -> None:
    files = [file for file in repository_files() if file.endswith(".py")]
    assert [file for file in files if len(text_of(file).splitlines()) > MOST_LINES] == []

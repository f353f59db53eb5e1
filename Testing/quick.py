"""The tests of what was changed, while one works on it: `make test-quick`.

    python Testing/quick.py [OPTION OF PYTEST ...]

Runs, for each Python file that differs from the last commit, the tests of its package that import it, else all that do,
else the tests of its package; changed test files; and the rules of imports. Where nothing is changed, it is the last
commit's files. Whether anything else breaks, `make test` says.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from imported_names import imported, module_name
from repository import REPOSITORY

TESTS = REPOSITORY / "Testing"
RULES = TESTS / "extension" / "test_import_rules.py"
TESTS_OF = {"ACNetLib": TESTS / "classifier", "ACNetTrainerLib": TESTS / "trainer"}


def changed_files() -> list[Path]:
    """Python files that differ from the last commit or are new; where there are none, those of the last commit."""
    now = _git("diff", "--name-only", "HEAD") + _git("ls-files", "--others", "--exclude-standard")
    names = now or _git("diff", "--name-only", "HEAD~1", "HEAD")
    return [path for name in names if name.endswith(".py") and (path := REPOSITORY / name).is_file()]


def files_to_test(changed: Iterable[Path]) -> list[Path]:
    """The test files to run for changed Python files; the rules of imports are always among them."""
    names = {test: _modules_in(test) for test in TESTS.rglob("test_*.py")}
    found = {RULES}
    for file in changed:
        module = module_name(file)
        library, *packages = module.split(".")[:-1] or [""]
        place = TESTS_OF[library].joinpath(*packages) if library in TESTS_OF else None
        users = {test for test in names if test == file or module in names[test]}
        beside = {test for test in names if test.parent == place}
        found |= users & beside or users or beside
    return sorted(found)


def _modules_in(test: Path) -> set[str]:
    """What it imports, as modules: for `from a.b import c` both a.b and a.b.c, which may be one."""
    names = imported(test)
    return names | {name.rpartition(".")[0] for name in names}


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def main() -> int:
    tests = files_to_test(changed_files())
    for test in tests:
        print(test.relative_to(REPOSITORY).as_posix())
    command = [sys.executable, "-m", "pytest", "--quiet", "--numprocesses", "2", "--dist", "loadfile", "--exitfirst"]
    return subprocess.run([*command, *sys.argv[1:], *map(str, tests)], cwd=REPOSITORY, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())

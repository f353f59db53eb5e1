"""What a public function is given: at most five things; settings that go together travel as a dataclass."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from repository import REPOSITORY

MOST = 5
LIBRARIES = ("ACNetClassifier/ACNetLib", "ACNetTrainer/ACNetTrainerLib")


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """Public functions and methods, constructors included, by their names."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, node
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and (method.name == "__init__" or method.name[0] != "_"):
                    yield f"{node.name}.{method.name}", method


def parameters(function: ast.FunctionDef) -> list[str]:
    given = function.args
    names = [each.arg for each in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
    return [name for name in names if name not in {"self", "cls"}]


def test_no_public_function_takes_more_than_five_parameters() -> None:
    found = {
        f"{file.stem}.{name}": parameters(function)
        for library in LIBRARIES
        for file in (REPOSITORY / library).rglob("*.py")
        for name, function in functions(ast.parse(file.read_text(encoding="utf-8")))
    }
    assert parameters(ast.parse("def f(a, /, b, *, c): ...").body[0]) == ["a", "b", "c"]  # type: ignore[arg-type]
    assert len(found) > 500
    assert not {name for name, names in found.items() if len(names) > MOST}

"""What a Python file imports, by its source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def import_nodes(tree: ast.AST, at_load: bool) -> Iterator[ast.Import | ast.ImportFrom]:
    """Every import statement, or only those that run when the file is loaded."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif at_load and (
            is_type_checking(node) or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        ):
            if isinstance(node, ast.If):
                yield from import_nodes(ast.Module(node.orelse, []), at_load)
        else:
            yield from import_nodes(node, at_load)


def module_name(file: Path) -> str:
    """Its full name, from the outermost folder with an `__init__.py`."""
    parts = [] if file.stem == "__init__" else [file.stem]
    folder = file.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts)


def imported(file: Path, at_load: bool = False) -> set[str]:
    """Full names of what a file imports; "a.b" for both `import a.b` and `from a import b`."""
    package = module_name(file).split(".")[: None if file.stem == "__init__" else -1]
    names: set[str] = set()
    for node in import_nodes(ast.parse(file.read_text(encoding="utf-8")), at_load):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        else:
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            names |= {f"{base}.{alias.name}" for alias in node.names}
    return names

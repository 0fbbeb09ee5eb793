"""Which module of the sources imports which, read from syntax trees.

Imports within functions count, those for type checkers alone (`if TYPE_CHECKING:`) do not.
"""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = ("beetsplug", "resonance_engine")
FOLDERS = (*PROGRAM, "training", "demo", "benchmarks")


@cache
def sources(*folders: str) -> dict[str, Path]:
    """The files of these folders by the dotted names of their modules."""
    paths = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    return {module_name(path): path for path in paths}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def imported_names(tree: ast.AST, typing_too: bool = False) -> Iterator[str]:
    """Every dotted name that is imported: of `from a import b` both a and a.b, as b may be a module."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif typing_too or not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from imported_names(node, typing_too)


def import_graph(*folders: str, typing_too: bool = False) -> dict[str, set[str]]:
    """The modules of these folders that each of them imports; a package stands for what its `__init__` defines."""
    modules = sources(*folders)
    graph = {}
    for name, path in modules.items():
        found = {each for each in imported_names(parse(path), typing_too) if each in modules}
        # `from package import module` needs nothing that the package's own `__init__` defines.
        graph[name] = {each for each in found if not names_only_modules(parse(path), each, modules)} - {name}
    return graph


def names_only_modules(tree: ast.AST, package: str, modules: dict[str, Path]) -> bool:
    """Whether all that is imported from a package are modules of it."""
    names = {
        f"{package}.{alias.name}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == package
        for alias in node.names
    }
    return bool(names) and names <= modules.keys()

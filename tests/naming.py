"""Count names made of words for persons, hearing and saying, which the terms of the field replace.

    python -m tests.naming [PATH] [--list]

prints how many such names each folder below PATH has; `--list` prints each of them with its place. What lives for three
lines or less is not counted: a loop variable or a local that is last used soon after it is bound.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = frozenset((
    "ask", "asked", "asks", "each", "everybody", "found", "hear", "heard", "hears", "listen", "listened", "listener",
    "listening", "listens", "made", "nobody", "said", "say", "says", "somebody", "tell", "tells", "there", "told",
    "whoever", "wish", "wished", "wishes",
))  # fmt: skip
# Layers by these names are in checkpoints that exist; asyncio calls the third.
STORED = {("network", "ask"), ("network", "tell"), ("server", "connection_made")}
SHORT = 3  # lines
FOLDERS = ("beetsplug", "resonance_engine", "training", "demo", "benchmarks")
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Finding(NamedTuple):
    """A name with the place where it is bound."""

    path: Path
    line: int
    name: str


def is_banned(name: str) -> bool:
    """Whether a word of a name, in `snake_case` or `CamelCase`, is one of WORDS."""
    return any(word.lower() in WORDS for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name))


def bound_names(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """The names that a module binds for more than three lines, with their lines; without the module's own."""
    for node in ast.walk(tree):
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield node.lineno, node.name
        if isinstance(node, FUNCTIONS):
            yield from ((each.lineno, each.arg) for each in parameters(node))
            yield from local_names(node)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, (ast.Module, ast.ClassDef)):
            yield from ((each.lineno, each.id) for each in stored(node))
        elif isinstance(node, COMPREHENSIONS) and length(node) > SHORT:
            targets = [each for generator in node.generators for each in ast.walk(generator.target)]
            yield from ((each.lineno, each.id) for each in targets if isinstance(each, ast.Name))


def parameters(function: ast.FunctionDef | ast.AsyncFunctionDef) -> list[ast.arg]:
    arguments = function.args
    stars = [each for each in (arguments.vararg, arguments.kwarg) if each]
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, *stars]


def local_names(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[tuple[int, str]]:
    """The locals of a function that are still used more than two lines below the one where they are first bound."""
    bound: dict[str, int] = {}
    for each in stored(function):
        bound[each.id] = min(bound.get(each.id, each.lineno), each.lineno)
    used: dict[str, int] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Name):
            used[node.id] = max(used.get(node.id, node.lineno), node.lineno)
    yield from ((line, name) for name, line in bound.items() if used[name] - line >= SHORT)


def stored(scope: ast.AST) -> Iterator[ast.Name]:
    """The names bound in a scope itself, not in functions, classes and comprehensions within it."""
    for node in ast.iter_child_nodes(scope):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node
        if not isinstance(node, (*FUNCTIONS, *COMPREHENSIONS, ast.ClassDef, ast.Lambda)):
            yield from stored(node)


def length(node: ast.expr) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def banned_names(folder: Path) -> list[Finding]:
    """The banned names below a folder, those of the modules themselves included (line 0)."""
    findings = []
    for path in sorted(folder.rglob("*.py")):
        names = {(0, path.stem), *bound_names(ast.parse(path.read_text("utf-8")))}
        findings += [
            Finding(path, line, name)
            for line, name in sorted(names)
            if is_banned(name) and (path.parent.name, name) not in STORED
        ]
    return findings


def main(arguments: list[str]) -> int:
    root = Path(next((each for each in arguments if not each.startswith("-")), "."))
    findings = [each for folder in FOLDERS for each in banned_names(root / folder)]
    if "--list" in arguments:
        sys.stdout.writelines(f"{each.path.relative_to(root)}:{each.line}: {each.name}\n" for each in findings)
    counts = Counter(str(each.path.parent.relative_to(root)) for each in findings)
    sys.stdout.writelines(f"{count:6} {folder}\n" for folder, count in sorted(counts.items()))
    sys.stdout.write(f"{len(findings):6} names in {len({each.path for each in findings})} files\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Names are terms of the field, and each class name and file stands for one thing."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from tests.import_graph import FOLDERS, parse, sources
from tests.naming import banned_names, bound_names, is_banned
from tests.paths import ROOT

LONGEST_FILE = 300
"""Lines."""


@pytest.mark.parametrize("folder", FOLDERS)
def test_names_speak_of_music_and_search(folder: str) -> None:
    assert [f"{each.path}:{each.line} {each.name}" for each in banned_names(ROOT / folder)] == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def heard(): ...", ["heard"]),
        ("class WishList: ...", ["WishList"]),
        ("def f(found, x): ...", ["found"]),
        ("async def f(*, asked): ...", ["asked"]),
        ("class A:\n    made: int", ["made"]),
        ("TOLD = 1", ["TOLD"]),
        ("def f(self):\n    self.said = 1", ["said"]),
        ("def f():\n    found = 1\n    g()\n    g()\n    return found", ["found"]),
        ("def f():\n    found = 1\n    g()\n    return found", []),
        ("def f():\n    return [\n        g(each)\n        for each in x\n    ]", ["each"]),
        ("def f():\n    return [each for each in x]", []),
        ("def heartbeat(maker, foundation): ...", []),
    ],
)
def test_the_count_sees_what_is_bound(source: str, names: list[str]) -> None:
    assert [name for _, name in bound_names(ast.parse(source)) if is_banned(name)] == names


def test_class_names_stand_for_one_thing() -> None:
    names = [
        node.name for path in sources(*FOLDERS).values() for node in parse(path).body if isinstance(node, ast.ClassDef)
    ]
    assert {name for name, count in Counter(names).items() if count > 1} == set()


def test_every_package_says_what_it_is_for() -> None:
    packages = [path for path in sources(*FOLDERS).values() if path.name == "__init__.py"]
    assert [str(path) for path in packages if len(ast.get_docstring(parse(path)) or "") < 20] == []


def test_no_file_is_too_long_to_read_at_once() -> None:
    lengths = {name: len(path.read_text("utf-8").splitlines()) for name, path in sources(*FOLDERS).items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}

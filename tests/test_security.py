"""Nothing from elsewhere is ever run, and no value becomes SQL: read from the sources; see `test_security_planted`."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

import pytest

from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = ("beetsplug", "resonance_engine", "training", "demo", "benchmarks")
SOURCES = sorted(
    path
    for folder in (*PROGRAM, "tests", ".ci")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)

RUNNERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "code", "runpy"}
CALLS = {
    "eval", "exec", "compile", "os.system", "os.popen", "torch.load", "torch.jit.load", "torch.hub.load",
    "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "onnx.load_external_data_for_model",
    "subprocess.getoutput", "subprocess.getstatusoutput", "np.fromregex", "shutil.unpack_archive",
}  # fmt: skip
METHODS = {"extractall", "register_custom_ops_library", "load_extension", "enable_load_extension"}
HARMLESS = {"allow_pickle": False, "shell": False}
"""Arguments that must have these values where they are given."""


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def misdeeds(tree: ast.AST) -> Iterator[str]:
    """What could run code from a file or a string that came from elsewhere."""
    for name in imports(tree):
        if name.split(".")[0] in RUNNERS:
            yield f"imports {name}"
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in HARMLESS:
            if not (isinstance(node.value, ast.Constant) and node.value.value is HARMLESS[node.arg]):
                yield f"{node.arg} is not {HARMLESS[node.arg]}"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in CALLS or (isinstance(node.func, ast.Attribute) and node.func.attr in METHODS):
                yield f"calls {called}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_runs_code_that_comes_from_elsewhere(path: Path) -> None:
    assert list(misdeeds(ast.parse(path.read_text("utf-8")))) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import pickle", "imports pickle"),
        ("def f():\n    from pickle import load", "imports pickle"),
        ("import joblib.numpy_pickle", "imports joblib.numpy_pickle"),
        ("np.load(path, allow_pickle=True)", "allow_pickle is not False"),
        ("np.load(path, allow_pickle=trusted)", "allow_pickle is not False"),
        ("subprocess.run(line, shell=True)", "shell is not False"),
        ("torch.load(path)", "calls torch.load"),
        ("torch.load(path, weights_only=True)", "calls torch.load"),
        ("yaml.load(text, yaml.Loader)", "calls yaml.load"),
        ("eval(text)", "calls eval"),
        ("exec(text)", "calls exec"),
        ("compile(text, '', 'exec')", "calls compile"),
        ("os.system(line)", "calls os.system"),
        ("os.popen(line)", "calls os.popen"),
        ("archive.extractall(folder)", "calls archive.extractall"),
        ("options.register_custom_ops_library(path)", "calls options.register_custom_ops_library"),
        ("driver.load_extension(path)", "calls driver.load_extension"),
    ],
)
def test_the_check_sees_misdeeds(source: str, found: str) -> None:
    assert found in list(misdeeds(ast.parse(source)))


def test_the_check_lets_decent_code_pass() -> None:
    decent = "network.eval()\nre.compile('a')\nnp.load(path, allow_pickle=False)\nsubprocess.run(['ls'], check=True)"
    assert list(misdeeds(ast.parse(decent))) == []


# Words of SQL as this project writes it.
STATEMENT = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|PRAGMA|CREATE|DROP|ALTER|ATTACH|UNION|WHERE|FROM|VALUES)\b")
CONSTANT = re.compile(r"-?_?[A-Z][A-Z0-9_]*")
FILLING = ("format", "format_map", "join", "replace")
BUILT = {
    "marks": "question marks alone, as many as there are parameters",
    "values": "question marks alone, in calls of json_extract",
    "table": "a table's name, out of the program's own schema",
    "parent": "likewise",
    "column": "a column's name, out of the program's own schema",
    "columns": "one of two literals",
    "names": "the columns of a table that the benchmark reads from the database that it has just made",
    "rows": "a literal and a constant",
    "owner": "one of two literals",
    "_rows_of(kind)": "one of two constants",
    "pragma": "out of a literal list",
    "newest": "a number, the program's newest schema version",
    "alone": "statements made of constants",
    "tables": "a literal, and beets' own join",
    "where": "beets' own condition, whose values are parameters",
    "self.model._table": "the table of beets' own class",
}
"""What is put into statements, with what it is; all else goes through bound parameters."""


def insertions(tree: ast.AST) -> Iterator[str]:
    """Expressions whose text becomes part of an SQL statement."""
    for node in ast.walk(tree):
        fixed, put = "", []
        if isinstance(node, ast.JoinedStr):
            fixed = " ".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
            put = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Mod)):
            sides = [node.left, node.right]
            fixed = " ".join(str(side.value) for side in sides if isinstance(side, ast.Constant))
            put = [side for side in sides if not isinstance(side, (ast.Constant, ast.JoinedStr, ast.BinOp))]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            text = node.func.value
            if node.func.attr in FILLING and isinstance(text, ast.Constant):
                fixed, put = str(text.value), [*node.args, *(each.value for each in node.keywords)]
        if STATEMENT.search(fixed):
            # What a comprehension puts together is looked at by itself.
            yield from (ast.unparse(each) for each in put if not isinstance(each, (ast.GeneratorExp, ast.ListComp)))


@pytest.mark.parametrize("folder", PROGRAM)
def test_values_reach_sql_as_bound_parameters_alone(folder: str) -> None:
    found = {
        f"{path.relative_to(ROOT)}: {put}"
        for path in SOURCES
        if path.is_relative_to(ROOT / folder)
        for put in insertions(ast.parse(path.read_text("utf-8")))
        if not CONSTANT.fullmatch(put) and put not in BUILT
    }
    assert found == set()


@pytest.mark.parametrize(
    "source",
    [
        "f'SELECT id FROM items WHERE title = {title}'",
        "'SELECT id FROM items WHERE title = ' + title",
        "'SELECT id FROM items WHERE title = %s' % title",
        "'SELECT id FROM items WHERE title = {}'.format(title)",
        "'SELECT id FROM items WHERE title = {it}'.format(it=title)",
        "' UNION '.join(title)",
        "f'PRAGMA user_version = {title}'",
    ],
)
def test_the_check_sees_what_is_put_into_sql(source: str) -> None:
    assert list(insertions(ast.parse(source))) == ["title"]


def test_the_check_lets_sentences_pass() -> None:
    assert list(insertions(ast.parse("f'There is no model {name}; select another from the list where it is.'"))) == []

"""Nothing from elsewhere is ever run: ruff's rules see most of it, and a walk over the sources the rest.

See `test_security_planted` for files that were made to do harm.
"""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

METHODS = {"extractall", "register_custom_ops_library", "load_extension", "enable_load_extension"}
HARMLESS = {"allow_pickle": False, "shell": False}
"""Arguments that must have these values where they are given."""

FORBIDDEN = """
import pickle
from pickle import load
import joblib.numpy_pickle
import dill, marshal, shelve, runpy, code
eval(text)
exec(text)
os.system(line)
os.popen(line)
subprocess.run(line, shell=True)
subprocess.getoutput(line)
shutil.unpack_archive(path)
numpy.fromregex(path, text, float)
torch.load(path)
torch.load(path, weights_only=True)
torch.hub.load(text, text)
yaml.load(text, yaml.Loader)
yaml.unsafe_load(text)
f"SELECT id FROM items WHERE title = {title}"
"SELECT id FROM items WHERE title = " + title
"SELECT id FROM items WHERE title = %s" % title
"SELECT id FROM items WHERE title = {}".format(title)
"""
IMPORTS = "import os, shutil, subprocess, numpy, torch, yaml"


def hidden_calls(tree: ast.AST) -> Iterator[str]:
    """Calls that could run code from a file or a string, of kinds that ruff has no rule for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg in HARMLESS:
            if not (isinstance(node.value, ast.Constant) and node.value.value is HARMLESS[node.arg]):
                yield f"{node.arg} is not {HARMLESS[node.arg]}"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called == "compile" or (isinstance(node.func, ast.Attribute) and node.func.attr in METHODS):
                yield f"calls {called}"


def test_no_source_runs_code_that_comes_from_elsewhere() -> None:
    folders = ("beetsplug", "resonance_engine", "training", "demo", "benchmarks", "tests", ".ci")
    found = {
        str(path.relative_to(ROOT)): calls
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if (calls := list(hidden_calls(ast.parse(path.read_text("utf-8")))))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("np.load(path, allow_pickle=True)", ["allow_pickle is not False"]),
        ("np.load(path, allow_pickle=trusted)", ["allow_pickle is not False"]),
        ("subprocess.run(line, shell=quick)", ["shell is not False"]),
        ("compile(text, '', 'exec')", ["calls compile"]),
        ("archive.extractall(folder)", ["calls archive.extractall"]),
        ("options.register_custom_ops_library(path)", ["calls options.register_custom_ops_library"]),
        ("driver.load_extension(path)", ["calls driver.load_extension"]),
        ("network.eval()\nre.compile('a')\nnp.load(path, allow_pickle=False)\nsubprocess.run(['ls'], check=True)", []),
    ],
)
def test_the_walk_sees_such_calls_and_no_others(source: str, found: list[str]) -> None:
    assert list(hidden_calls(ast.parse(source))) == found


def test_ruff_sees_the_rest() -> None:
    ruff = shutil.which("ruff", path=os.path.dirname(sys.executable))  # noqa: PTH120 - a link to Python is not followed
    if ruff is None:
        pytest.skip("needs the dev extra")
    lines = [IMPORTS, *FORBIDDEN.strip().splitlines()]
    done = subprocess.run(
        [ruff, "check", "--stdin-filename", "resonance_engine/planted.py", "--output-format", "json", "-"],
        input="\n".join(lines),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    found = json.loads(done.stdout)
    refused = {each["location"]["row"] for each in found if re.fullmatch(r"S\d+|TID251", each["code"])}
    assert refused == set(range(2, len(lines) + 1))

"""Who may import whom, proved in fresh interpreters and read from syntax trees."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = ("beetsplug", "resonance_engine")
SOURCES = sorted(
    path
    for folder in (*PROGRAM, "training", "demo", "benchmarks", "tests")
    for path in (ROOT / folder).rglob("*.py")
    if "__pycache__" not in path.parts
)

HEAVY = ("torch", "librosa", "onnxruntime", "faiss", "sqlalchemy", "numpy", "scipy", "av", "soxr")
TRAINING = ("torch", "librosa", "onnx", "onnxscript", "optuna", "safetensors")

IMPORT = """
import importlib, sys
names = sys.argv[1].split(",")
for name in names:
    importlib.import_module(name)
    found = [each for each in sys.argv[2].split(",") if each in sys.modules]
    if found:
        sys.exit(f"importing {name} loads {', '.join(found)}")
"""


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def engine_modules() -> list[str]:
    """All of the engine but what is PyTorch's."""
    names = [module(path) for path in SOURCES if path.is_relative_to(ROOT / "resonance_engine")]
    return [name for name in names if name.split(".")[1:2] not in (["network"], ["training"])]


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        pytest.param(["beetsplug.resonance"], HEAVY, id="the plugin, at every start of beets"),
        pytest.param(
            ["beetsplug.resonance.commands.train", "beetsplug.resonance.commands.models"],
            (*TRAINING, "onnxruntime", "faiss"),
            id="the plugin's commands, before they know what to do",
        ),
        pytest.param(engine_modules(), ("beets", "beetsplug", *TRAINING), id="the engine"),
        pytest.param(["resonance_engine.cli"], HEAVY, id="the command line, before it knows the command"),
        pytest.param(["resonance_engine.encoder.encoder"], ("onnxruntime", "resonance_engine.network"), id="encoder"),
        pytest.param(
            ["resonance_engine.worker.worker"], ("scipy", "av", "onnxruntime", "faiss", "sqlalchemy"), id="worker"
        ),
        pytest.param(
            ["resonance_engine.index.files", "resonance_engine.search.ranking", "resonance_engine.playlist"],
            ("scipy", "av", "onnxruntime", "faiss", "sqlalchemy"),
            id="search",
        ),
        pytest.param(["resonance_engine.store.store"], ("scipy", "av", "onnxruntime", "faiss"), id="store"),
        pytest.param(
            ["resonance_engine.store", "resonance_engine.store.reading"],
            ("scipy", "av", "onnxruntime", "faiss", "sqlalchemy"),
            id="what reads the store",
        ),
        pytest.param(
            ["resonance_engine.training.data.extractor"],
            ("torch", "torchaudio", "sqlalchemy", "onnxruntime"),
            id="processes that compute features",
        ),
        pytest.param(
            [
                f"resonance_engine.training.{name}"
                for name in ("config.config_file", "config.search_space", "data.songs", "data.splits")
            ],
            ("torch", "yaml", "optuna", "av", "beets"),
            id="settings and songs, before any is read",
        ),
        pytest.param(
            ["resonance_engine.training.data.precompute"], ("torch", "torchaudio", "scipy", "av"), id="precompute"
        ),
    ],
)
def test_a_fresh_interpreter_loads_only_what_it_needs(modules: list[str], unwanted: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-P", "-c", IMPORT, ",".join(modules), ",".join(unwanted)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_check_of_fresh_interpreters_sees_what_is_loaded() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORT, "json.decoder", "json"], capture_output=True, text=True, check=False
    )
    assert "importing json.decoder loads json" in done.stderr


def imports(tree: ast.AST) -> Iterator[str]:
    """Every module that is imported anywhere, also within functions and for types alone."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def importers(*names: str, folders: tuple[str, ...] = PROGRAM) -> set[str]:
    """The modules in these folders that import one of these, or a part of one."""
    prefixes = tuple(f"{name}." for name in names)
    return {
        module(path)
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] in folders
        and any(f"{found}.".startswith(prefixes) for found in imports(tree(path)))
    }


def test_the_engine_never_imports_beets() -> None:
    assert importers("beets", "beetsplug", "mediafile", "confuse", folders=("resonance_engine",)) == set()
    assert importers("beets", folders=("beetsplug",))


def test_only_network_and_training_import_pytorch() -> None:
    found = importers("torch", "torchaudio", "safetensors", "onnx", "onnxscript", "optuna")
    assert {name.split(".")[1] for name in found} <= {"network", "training"}
    assert "resonance_engine.network.model" in found


def test_only_the_encoder_and_what_trains_reach_for_the_network() -> None:
    outside = {
        name
        for name in importers("resonance_engine.network", "resonance_engine.training")
        if name.split(".")[1] not in ("network", "training")
    }
    training = {"resonance_engine.cli"} | {
        f"beetsplug.resonance.{name}" for name in ("library.training_source", "library.model_folder", "commands.train")
    }
    assert outside <= {"resonance_engine.encoder.encoder", *training}


def test_neither_librosa_nor_scipy_signal_is_used() -> None:
    assert importers("librosa", "scipy.signal") == set()


def test_the_plugin_package_stays_open_for_other_plugins() -> None:
    assert not (ROOT / "beetsplug" / "__init__.py").exists()

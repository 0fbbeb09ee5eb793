"""Who may import whom, proved in fresh interpreters and read from syntax trees."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.import_graph import PROGRAM, imported_names, parse, sources
from tests.paths import ROOT

HEAVY = ("torch", "librosa", "onnxruntime", "faiss", "sqlalchemy", "numpy", "scipy", "av", "soxr", "mpd", "distributed")
VIZ = ("openTSNE", "matplotlib", "sklearn", "numba")
SCALE = ("psycopg", "pgvector")
TRAINING = ("torch", "librosa", "onnx", "onnxscript", "optuna", "pydantic", "safetensors")

IMPORT = """
import importlib, sys
names = sys.argv[1].split(",")
for name in names:
    importlib.import_module(name)
    found = [each for each in sys.argv[2].split(",") if each in sys.modules]
    if found:
        sys.exit(f"importing {name} loads {', '.join(found)}")
"""


def engine_modules() -> list[str]:
    """All of the engine but what is PyTorch's, the server and shared stores, whose packages are extras."""
    apart = tuple(f"resonance_engine.{name}" for name in ("network", "training", "server", "store.postgresql."))
    return [name for name in sources("resonance_engine") if not name.startswith(apart)]


@pytest.mark.parametrize(
    ("modules", "unwanted"),
    [
        pytest.param(["beetsplug.resonance"], HEAVY, id="the plugin, at every start of beets"),
        pytest.param(
            [
                "beetsplug.resonance.commands.train",
                "beetsplug.resonance.commands.models",
                "beetsplug.resonance.commands.draw_map",
                "beetsplug.resonance.commands.mpd",
                "beetsplug.resonance.commands.radio",
                "beetsplug.resonance.commands.analyze",
                "beetsplug.resonance.commands.cluster",
            ],
            (*TRAINING, *VIZ, "onnxruntime", "faiss", "mpd", "dask", "distributed"),
            id="the plugin's commands, before they know what to do",
        ),
        pytest.param(engine_modules(), ("beets", "beetsplug", "dask", *TRAINING, *VIZ, *SCALE), id="the engine"),
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
        pytest.param(
            ["resonance_engine.store", "resonance_engine.ingest"],
            ("scipy", "av", "onnxruntime", "faiss", "sqlalchemy"),
            id="store, until it writes",
        ),
        pytest.param(
            ["resonance_engine.store.writer", "resonance_engine.store.recovery.salvage"],
            ("scipy", "av", "onnxruntime", "faiss"),
            id="store",
        ),
        pytest.param(
            ["resonance_engine.training.data.extractor"],
            ("torch", "sqlalchemy", "onnxruntime"),
            id="processes that compute features",
        ),
        pytest.param(
            ["resonance_engine.training.data.songs", "resonance_engine.training.data.splits"],
            ("torch", "yaml", "optuna", "pydantic", "av", "beets"),
            id="songs, before any is read",
        ),
        pytest.param(
            ["resonance_engine.training.config.config_file"],
            ("torch", "optuna", "scipy", "av", "beets"),
            id="settings",
        ),
        pytest.param(["resonance_engine.training.data.precompute"], ("torch", "scipy", "av"), id="precompute"),
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


def importers(*names: str, folders: tuple[str, ...] = PROGRAM) -> set[str]:
    """The modules in these folders that import one of these, or a part of one, if only for types."""
    prefixes = tuple(f"{name}." for name in names)
    return {
        module
        for module, path in sources(*folders).items()
        if any(f"{imported}.".startswith(prefixes) for imported in imported_names(parse(path), typing_too=True))
    }


def test_the_engine_never_imports_beets() -> None:
    assert importers("beets", "beetsplug", "mediafile", "confuse", folders=("resonance_engine",)) == set()
    assert importers("beets", folders=("beetsplug",))


def test_only_the_server_imports_what_serves() -> None:
    found = importers("fastapi", "starlette", "uvicorn", "anyio", folders=("resonance_engine", "beetsplug"))
    assert {".".join(name.split(".")[:2]) for name in found} == {"resonance_engine.server"}


def test_only_network_and_training_import_pytorch() -> None:
    found = importers("torch", "safetensors", "onnx", "onnxscript", "optuna")
    assert {name.split(".")[1] for name in found} <= {"network", "training"}
    assert "resonance_engine.network.model" in found


def test_only_the_encoder_and_what_trains_reach_for_the_network() -> None:
    outside = {
        name
        for name in importers("resonance_engine.network", "resonance_engine.training")
        if name.split(".")[1] not in ("network", "training")
    }
    rooms = ("library.training_source", "library.model_folder", "commands.train", "commands.training_tracks")
    training = {"resonance_engine.cli"} | {f"beetsplug.resonance.{name}" for name in rooms}
    assert outside <= {"resonance_engine.encoder.encoder", *training}


def test_neither_librosa_nor_scipy_signal_is_used() -> None:
    assert importers("librosa", "scipy.signal") == set()


def test_the_plugin_package_stays_open_for_other_plugins() -> None:
    assert not (ROOT / "beetsplug" / "__init__.py").exists()

"""Requests made of the API's own description, right and wrong ones: none is a mistake of the program."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

from resonance_engine.server.settings import ServerSettings
from tests.plugin.synthetic_library import SyntheticLibrary
from tests.server.conftest import TOKEN
from tests.server.live_server import LiveServer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.server.fake_collection import FakeCollection

needs_schemathesis = pytest.mark.skipif(
    find_spec("schemathesis") is None, reason="needs schemathesis, of the extra dev"
)
COMMAND = (sys.executable, "-m", "schemathesis.cli", "run")
OPTIONS = (
    "--phases=examples,coverage,fuzzing",
    "--max-examples=15",
    "--checks=not_a_server_error",
    "--seed=1",
    "--generation-deterministic",
    "--no-color",
)


def test_all_operations_are_described(collection: FakeCollection) -> None:
    from resonance_engine.server.app import make_app

    description: dict[str, Any] = make_app(collection, ServerSettings()).openapi()
    paths = {"/api/status", "/api/similar", "/api/similar/audio", "/api/recipes", "/api/tracks/{track_id}/audio"}
    assert paths <= description["paths"].keys()
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            assert operation["description"].endswith("."), (path, method)


@pytest.mark.rest
@pytest.mark.timeout(600)
@needs_schemathesis
def test_no_request_is_a_mistake(tmp_path: Path) -> None:
    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.server.library_collection import LibraryCollection

    recipes = tmp_path / "recipes"
    recipes.mkdir()
    library = SyntheticLibrary.create(tmp_path)
    collection = LibraryCollection(Sidecar(library.lib, runtime=library.runtime), recipes)
    with LiveServer(collection, ServerSettings(token=TOKEN)) as server:
        address = f"http://127.0.0.1:{server.port}/api/openapi.json"
        arguments = [*COMMAND, *OPTIONS, f"--header=Authorization: Bearer {TOKEN}", address]
        ended = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, check=False)
    library.close()
    # Its status counts operations that it cannot make requests for, too.
    assert "Fuzzing" in ended.stdout, ended.stdout + ended.stderr
    assert "❌" not in ended.stdout, ended.stdout

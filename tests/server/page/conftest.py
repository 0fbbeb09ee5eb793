"""The page over a library of sixty tracks, in one browser for all tests of a module."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest

from tests.chromium import needs_chromium

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server.page.browser import PageBrowser
    from tests.server.page.page_library import PageLibrary

TOKEN = "the token of the tests"  # noqa: S105 - it opens nothing

needs_server = pytest.mark.skipif(find_spec("fastapi") is None, reason="needs FastAPI, of the extra serve")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "page":
            item.add_marker(needs_server)
            item.add_marker(needs_chromium)


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageLibrary]:
    from beets import config

    from tests.server.page.page_library import PageLibrary

    config["create_backup_before_migrations"] = False
    library = PageLibrary.create(tmp_path_factory.mktemp("library"))
    yield library
    library.close()


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recipes")


@pytest.fixture(scope="module")
def browser(library: PageLibrary, recipes: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageBrowser]:
    from beetsplug.resonance.library.sidecar import Sidecar
    from beetsplug.resonance.server.library_collection import LibraryCollection
    from resonance_engine.server.settings import ServerSettings
    from tests.server.live_server import LiveServer
    from tests.server.page.browser import PageBrowser

    sidecar = Sidecar(library.lib, runtime=library.runtime)
    collection = LibraryCollection(sidecar, recipes)
    profile = tmp_path_factory.mktemp("profile")
    with (
        LiveServer(collection, ServerSettings(token=TOKEN)) as server,
        PageBrowser(profile, f"http://127.0.0.1:{server.port}") as opened,
    ):
        yield opened
    sidecar.close()

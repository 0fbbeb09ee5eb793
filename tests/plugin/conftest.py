"""What beets' own test suite keeps in its conftest, and a pool of workers that needs no model."""

from __future__ import annotations

import logging
import sys
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from beets import config
from beets.dbcore.db import Database
from beets.test._common import DummyIO
from beets.test.helper import PathsMixin
from beets.util import cached_classproperty
from confuse import yaml_util

from tests.audio_files import tune, write_audio
from tests.plugin.fake_runtime import FakeRuntime
from tests.plugin.synthetic_library import SyntheticLibrary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from sqlite3 import Connection


@pytest.fixture(autouse=True)
def _clear_cached_classproperty() -> None:
    """Item's queries and types are cached per class: forget the plugins that earlier tests loaded."""
    cached_classproperty.cache.clear()


@pytest.fixture(scope="session", autouse=True)
def _quick_beets() -> Iterator[None]:
    """Half the time of a test that runs commands: beets waits for the disk, and reads its own defaults again."""
    connect, load = Database._create_connection, yaml_util.load_yaml
    defaults = cache(load)

    def unsynchronised(database: Database) -> Connection:
        connection = connect(database)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    def remembered(filename: str, loader: Any = yaml_util.Loader) -> Any:
        if Path(filename).name == "config_default.yaml":
            return deepcopy(defaults(filename, loader))
        return load(filename, loader)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "_create_connection", unsynchronised)
        patch.setattr(yaml_util, "load_yaml", remembered)
        yield


@pytest.fixture
def io(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capteesys: pytest.CaptureFixture[str]
) -> DummyIO:
    made = DummyIO(monkeypatch, capteesys)
    monkeypatch.setattr(made.stdin, "isatty", lambda: False, raising=False)  # beets' stand-in has none
    if request.instance:
        request.instance.io = made
    return made


@pytest.fixture(scope="session", autouse=True)
def _song(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The file that beets' import helpers copy; the wheel of beets has none."""
    path = tmp_path_factory.mktemp("audio") / "song.mp3"
    PathsMixin.resource_path = write_audio(path, tune(1, 22050, channels=1), 22050)


class CurrentStderr(logging.StreamHandler):  # type: ignore[type-arg]  # generic in the stubs alone
    """beets binds its log handler once per process, and pytest swaps the stream per test."""

    stream = property(lambda _: sys.stderr, lambda *_: None)


@pytest.fixture(autouse=True)
def _log_to_current_stderr(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beets.ui._get_logging_handler", CurrentStderr)
    monkeypatch.setattr("beets.config.log_sources", lambda _: None)


@pytest.fixture(autouse=True)
def runtime(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeRuntime]:
    """The runtime of the plugin: no test of this folder starts a process."""
    made = FakeRuntime(tmp_path_factory.mktemp("runtime"))
    if request.instance:
        request.instance.runtime = made
    yield made
    assert not made.open, "a command or an import left workers running"


@pytest.fixture(scope="session")
def _synthetic_library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyntheticLibrary]:
    config.clear()
    config.read(user=False)
    made = SyntheticLibrary.create(tmp_path_factory.mktemp("synthetic"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def library(_synthetic_library: SyntheticLibrary) -> Iterator[SyntheticLibrary]:
    """The library that nobody writes to, and beets as it is without a configuration."""
    config.clear()
    config.read(user=False)
    yield _synthetic_library
    config.clear()

"""What all test modules start from, and models that several share: an export takes seconds."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.postgresql_server import PostgresServer
    from tests.tiny_networks import Exported

# The suite runs beside other work, whose load would fail a law for its duration.
settings.register_profile("resonance", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("resonance")

# A job in a shell's background ignores interrupts, and so do its children, whose interrupts are tested.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

LEFT_OUT = ("e2e", "benchmarks", "demo", "page")
"""Folders whose tests `make test` leaves to `make test-rest`."""


def pytest_itemcollected(item: pytest.Item) -> None:
    if item.path.parent.name in LEFT_OUT:
        item.add_marker("rest")


@pytest.fixture(scope="module", autouse=True)
def _beets_defaults() -> None:
    """beets has its own settings, whatever the module before left of them."""
    from beets import config

    if not config.sources:
        config.read(user=False)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server with pgvector."""
    from tests.postgresql_server import PostgresServer, require_server

    require_server()
    with PostgresServer.running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where a new store goes: into a file, and into a database."""
    if request.param == "sqlite":
        return tmp_path / "resonance.db"
    server: PostgresServer = request.getfixturevalue("postgres")
    return server.create_database()


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Exported]:
    """A tiny network of each fusion with its weights file and its export, made when it is first needed.

    The second is for batches of three only, the third has residual backbones.
    """
    from tests.tiny_networks import Exports

    return Exports(tmp_path_factory.mktemp("exported"))

"""The real background on a sidecar in PostgreSQL whose server stops answering."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from beetsplug.resonance.background.job_state import JobRequests, JobState
from beetsplug.resonance.background.local_requests import LocalRequests
from beetsplug.resonance.background.process_lock import ProcessLock
from tests.e2e.home import Home, album, new_home
from tests.fake_workers import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.postgresql_server import PostgresServer

PATIENCE = 100.0
SETTINGS = {"threads": 1, "auto": "background", "pace": 10}


@pytest.fixture
def home(postgres: PostgresServer, tmp_path: Path) -> Iterator[Home]:
    """A home without music whose background, once it runs, takes its time."""
    made = new_home(tmp_path / "anna", postgres.create_database(), resonance=SETTINGS)
    yield made
    made.run("resonance", "stop")


def local_requests(home: Home) -> LocalRequests:
    return LocalRequests(home.path / "resonance-requests-library.db.json")


def requests_of(home: Home) -> JobRequests:
    with home.store() as store:
        return JobState(store, home.library_id(store), local_requests(home)).requests


@contextmanager
def closed_database(postgres: PostgresServer, home: Home) -> Iterator[None]:
    """Nobody is connected to the database of a home, nor can be, while the `with` lasts."""
    name = home.address.rpartition("?")[0].rpartition("/")[2]
    postgres.server.psql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false;")
    postgres.server.psql(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}';"  # noqa: S608 - ours
    )
    try:
        yield
    finally:
        postgres.server.psql(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true;")


def test_stop_ends_a_background_whose_database_is_away(postgres: PostgresServer, home: Home, tmp_path: Path) -> None:
    lock = ProcessLock(home.path / "resonance-library.db.lock")
    home.beet("import", str(album(tmp_path / "inbox", 30)))
    wait_until(lambda: lock.holder() is not None and home.recordings(), PATIENCE)
    with closed_database(postgres, home):
        lines = home.beet("resonance", "stop")
        assert lines[0].startswith(f"noted in {local_requests(home).path} until the database answers: ")
        assert lines[1].endswith(("is stopped; `beet resonance analyze` goes on", "no background analysis is running"))
        assert lock.holder() is None
    assert not requests_of(home).open
    home.beet("resonance", "analyze")
    home.assert_known(30)


def test_a_pause_without_the_database_holds_for_the_next_import(home: Home, tmp_path: Path) -> None:
    home.beet("import", str(album(tmp_path / "inbox", 2)))
    wait_until(lambda: home.recordings() == 2 and not requests_of(home).open, PATIENCE)
    away = replace(home, address="postgresql+psycopg://anna@127.0.0.1:1/music")
    away.configure(resonance=SETTINGS)
    note, line = away.beet("resonance", "pause")
    assert "until the database answers: No PostgreSQL server answers for postgresql://anna@127.0.0.1:1/music" in note
    assert line == "the background analysis is paused; `beet resonance resume` goes on"
    home.configure(resonance=SETTINGS)
    status, _, error = home.run("-v", "import", str(album(tmp_path / "more", 2, 2, "More")))
    assert status == 0
    assert "2 tracks left until `beet resonance resume`: the background is paused" in error
    assert not local_requests(home).path.exists()
    assert home.beet("resonance", "resume") == ["the background analysis goes on"]
    wait_until(lambda: home.recordings() == 4, PATIENCE)

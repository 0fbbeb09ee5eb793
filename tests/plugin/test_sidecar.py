"""A library's sidecar as queries open it: nothing is written, unless something has to be made."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from beets.library import Library

from beetsplug.resonance.library.sidecar import Sidecar
from tests.embeddings import MODEL, track

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    made = Library(str(tmp_path / "library.db"), str(tmp_path / "music"))
    yield made
    made._close()


@pytest.fixture
def path(library: Library) -> Path:
    """A sidecar that knows the library."""
    with closing(Sidecar(library)) as sidecar:
        sidecar.store.models.register(MODEL)
        sidecar.store.models.activate(MODEL.id)
        sidecar.store.tracks.link(sidecar.id, track(1, 1))
        return sidecar.path


def test_what_is_there_is_only_read(library: Library, path: Path) -> None:
    before = path.read_bytes()
    with closing(Sidecar(library)) as sidecar:
        assert sidecar.model is not None
        assert sidecar.store.tracks.all(sidecar.id) == {1: track(1, 1)}
        assert sidecar.coverage().failed == 0
    assert path.read_bytes() == before


def test_a_library_that_the_file_does_not_know_gets_its_number_from_the_store(path: Path) -> None:
    other = Library(str(path.with_name("other.db")), str(path.parent))
    with closing(Sidecar(other)) as sidecar:
        assert sidecar.store.tracks.all(sidecar.id) == {}
        assert sidecar.id != 1
        assert sidecar.store.libraries.find("other.db") == sidecar.id
    other._close()


def test_a_transaction_reads_what_it_has_not_committed_yet(library: Library, path: Path) -> None:
    with closing(Sidecar(library)) as sidecar, closing(Sidecar(library)) as other:
        assert other.store.tracks.all(other.id).keys() == {1}
        with sidecar.store.write():
            sidecar.store.tracks.link(sidecar.id, track(2, 2))
            assert sidecar.store.tracks.all(sidecar.id).keys() == {1, 2}
            assert other.store.tracks.all(other.id).keys() == {1}
        assert other.store.tracks.all(other.id).keys() == {1, 2}
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM track").fetchone() == (2,)


def test_where_there_is_no_file_the_store_makes_one(library: Library) -> None:
    with closing(Sidecar(library)) as sidecar:
        assert sidecar.model is None
        assert not sidecar.exists
        assert sidecar.id == 1
        assert sidecar.exists

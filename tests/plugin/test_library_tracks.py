"""Tracks that the server reads once, and items that a query names by id."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from beets.library import Item, Library

from beetsplug.resonance.library.items import ids_of, query_items

pytest.importorskip("fastapi", reason="needs FastAPI, of the extra serve")

from beetsplug.resonance.server.library_tracks import TrackReader, read_tracks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    library = Library(str(tmp_path / "library.db"), "/music")
    for number in range(5):
        Item(path=os.fsencode(f"/music/{number}.mp3"), title=f"Song {number}", artist=f"Artist {9 - number}").add(
            library
        )
    yield library
    library._close()


def test_tracks_come_in_the_order_of_their_ids(library: Library) -> None:
    tracks = TrackReader(library)
    for _ in range(2):
        assert list(tracks.read([3, 1, 99, 3])) == [3, 1]
    assert tracks.read([4, 2]) == read_tracks(library, [4, 2])


def test_a_change_of_the_library_is_seen_at_once(library: Library) -> None:
    tracks = TrackReader(library)
    assert tracks.read([1, 2])[1].title == "Song 0"
    item = library.get_item(1)
    assert item is not None
    item.title = "Another"
    item.store()
    assert tracks.read([1])[1].title == "Another"
    item.remove()
    assert list(tracks.read([1, 2])) == [2]


@pytest.mark.parametrize(
    "query", [["id:3"], ["id:4", ",", "id:1"], ["id:2", ",", "id:2"], ["id:77"], ["id:77", ",", "id:5"]]
)
def test_items_by_id_are_those_of_the_query(library: Library, query: list[str]) -> None:
    assert ids_of(query)
    assert [item.id for item in query_items(library, query)] == [item.id for item in library.items(query)]


@pytest.mark.parametrize(
    "query",
    [[], ["id:1", "id:2"], ["id:1", ","], [",", "id:1"], ["id:1..3"], ["^id:1"], ["id::1"], ["Song"], ["id:1", "id-"]],
)
def test_other_queries_are_left_to_beets(library: Library, query: list[str]) -> None:
    assert not ids_of(query)
    assert [item.id for item in query_items(library, query)] == [item.id for item in library.items(query)]

"""What beets did to rows and files in one run reaches the store at its end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from beets.library import Item, Library
from beets.test.helper import ConfigMixin

from beetsplug.resonance.library.sidecar import Sidecar, file_state
from beetsplug.resonance.library.sync import LibraryEvents
from resonance_engine.store import TrackRow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOUND = b"s" * 16


@pytest.fixture
def library(tmp_path: Path) -> Iterator[Library]:
    assert not ConfigMixin().config["create_backup_before_migrations"].get(), "beets' settings for tests"
    made = Library(str(tmp_path / "library.db"), str(tmp_path / "music"))
    yield made
    made._close()


@pytest.fixture
def item(library: Library, tmp_path: Path) -> Item:
    path = tmp_path / "music" / "a.mp3"
    path.parent.mkdir()
    path.write_bytes(b"tags and music")
    made = Item(path=os.fsencode(path), title="a")
    made.add(library)
    return made


@pytest.fixture
def sidecar(library: Library) -> Iterator[Sidecar]:
    made = Sidecar(library)
    assert made.id == 1
    yield made
    made.close()


def link(sidecar: Sidecar, item: Item) -> None:
    state = file_state(item.path)
    assert item.id is not None
    assert state is not None
    sidecar.store.tracks.link(sidecar.id, TrackRow(item.id, item.added, *state, SOUND))


def state_of(sidecar: Sidecar, item_id: int) -> tuple[int, int]:
    track = sidecar.store.tracks.all(sidecar.id)[item_id]
    return track.size, track.mtime_ns


def rewrite(changes: LibraryEvents, item: Item, content: bytes) -> None:
    changes.begin_change(item)
    item.filepath.write_bytes(content)
    changes.end_change(item)


def test_a_tag_write_keeps_the_row_right(library: Library, item: Item, sidecar: Sidecar) -> None:
    link(sidecar, item)
    changes = LibraryEvents()
    rewrite(changes, item, b"other tags and music")
    rewrite(changes, item, b"yet other tags and music")
    changes.apply(library)
    assert state_of(sidecar, 1) == file_state(item.path)
    assert (changes.removed, changes.changes) == ({}, [])


def test_a_file_that_had_changed_before_stays_suspect(library: Library, item: Item, sidecar: Sidecar) -> None:
    link(sidecar, item)
    before = state_of(sidecar, 1)
    item.filepath.write_bytes(b"music of another kind")
    changes = LibraryEvents()
    rewrite(changes, item, b"new tags and music of another kind")
    changes.apply(library)
    assert state_of(sidecar, 1) == before != file_state(item.path)


def test_a_failure_moves_with_its_file(library: Library, item: Item, sidecar: Sidecar) -> None:
    state = file_state(item.path)
    assert state is not None
    sidecar.store.failures.record(sidecar.id, item.path, *state, "it is broken")
    target = item.path.replace(b"a.mp3", b"b.mp3")
    changes = LibraryEvents()
    changes.begin_change(item)
    os.rename(item.path, target)  # noqa: PTH104 - bytes
    changes.end_change(item, target)
    changes.apply(library)
    failures = sidecar.store.failures.all(sidecar.id)
    assert list(failures) == [target]
    assert failures[target].reason == "it is broken"


def test_a_removed_item_is_forgotten_with_its_failure(library: Library, item: Item, sidecar: Sidecar) -> None:
    link(sidecar, item)
    sidecar.store.failures.record(sidecar.id, item.path, 1, 1, "it was broken once")
    changes = LibraryEvents()
    changes.record_removal(item)
    item.remove()
    changes.apply(library)
    assert sidecar.store.tracks.all(sidecar.id) == {}
    assert sidecar.store.failures.all(sidecar.id) == {}


def test_an_id_that_is_in_use_again_is_not_forgotten(library: Library, item: Item, sidecar: Sidecar) -> None:
    changes = LibraryEvents()
    changes.record_removal(item)
    item.remove()
    again = Item(path=item.path, title="again")
    again.add(library)
    assert again.id == 1, "beets gives the highest id again"
    link(sidecar, again)
    changes.apply(library)
    assert list(sidecar.store.tracks.all(sidecar.id)) == [1]


def test_items_and_files_that_are_not_there_are_nothing_to_tell(item: Item) -> None:
    changes = LibraryEvents()
    changes.begin_change(Item(id=1, path=b"/nowhere/a.mp3"))
    changes.end_change(Item(id=1, path=b"/nowhere/a.mp3"), b"/nowhere/b.mp3")
    changes.begin_change(Item(path=item.path))
    changes.end_change(Item(path=item.path))
    changes.record_removal(Item(path=item.path))
    changes.begin_change(item)
    changes.end_change(item)
    assert (changes.removed, changes.changes) == ({}, [])


def test_without_a_store_none_is_made(library: Library, item: Item, tmp_path: Path) -> None:
    changes = LibraryEvents()
    changes.record_removal(item)
    changes.apply(library)
    assert not (tmp_path / "resonance.db").exists()


def test_a_library_in_memory_has_nothing_to_tell(item: Item) -> None:
    changes = LibraryEvents()
    changes.record_removal(item)
    library = Library(":memory:", "/music")
    changes.apply(library)
    library._close()
    assert (changes.removed, changes.changes) == ({}, [])

"""Indexing a folder again: the store knows each path's id, whatever happened to the run before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from resonance_engine.catalog import IDS_KEY, LIBRARY, STORE, CatalogUpdate
from resonance_engine.catalog_files import META, read_catalog
from resonance_engine.features.attributes import NEAR_SILENCE_DB
from resonance_engine.ingest import Ingest
from resonance_engine.store import Store
from tests.engine.test_ingest import FakePool
from tests.raw_sql import change_rows

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Four files; the fake workers take the number in a file's name for its recording."""
    folder = tmp_path / "music"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.wav").write_bytes(b"x" * number)
    return folder


@pytest.fixture
def catalog(tmp_path: Path) -> Path:
    folder = tmp_path / "catalog"
    folder.mkdir()
    return folder


def index(music: Path, catalog: Path, pool: FakePool) -> dict[str, int]:
    """Index a folder as `resonance index` does, and return the ids of the exported tracks by file name."""
    with Store(catalog / STORE) as store:
        ingest = Ingest(store, store.libraries.get_or_create(LIBRARY), pool)
        update = CatalogUpdate(catalog, sorted(music.iterdir()), ingest)
        for _ in update.run():
            pass
        update.export()
        exported = {entry.path.rpartition("/")[2]: entry.id for entry in read_catalog(catalog).entries.values()}
        assert store.tracks.all(ingest.library).keys() == set(exported.values()), "no stale rows"
        return exported


def test_hiss_that_an_earlier_version_took_for_music_is_no_track_any_more(music: Path, catalog: Path) -> None:
    before = index(music, catalog, FakePool())
    with Store(catalog / STORE) as store:
        hissing = store.tracks.all(1)[before["2.wav"]].content_key
        store.analyses.put(hissing, "1", {"energy": -91.2})
        assert store.maintenance.silent_recordings(NEAR_SILENCE_DB) == {hissing}
    again = FakePool({"2.wav": "it is silent"})
    after = index(music, catalog, again)
    assert after == {name: item_id for name, item_id in before.items() if name != "2.wav"}
    assert not again.embedded


@pytest.mark.parametrize("last", ["0.wav", "2.wav"])
def test_a_run_that_is_killed_before_its_first_export_loses_nothing(music: Path, catalog: Path, last: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        index(music, catalog, FakePool({last: KeyboardInterrupt()}))
    assert not (catalog / META).exists()
    done = int(last[0])
    with Store(catalog / STORE) as store:
        before = store.tracks.all(1)
    assert len(before) == done
    again = FakePool()
    ids = index(music, catalog, again)
    assert again.embedded == list(range(done, 4))
    assert set(before) <= set(ids.values()), "what was analysed has the same ids"
    assert index(music, catalog, FakePool()) == ids


def test_files_that_left_between_two_runs_leave_no_rows(music: Path, catalog: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        index(music, catalog, FakePool({"3.wav": KeyboardInterrupt()}))
    (music / "1.wav").unlink()
    assert index(music, catalog, FakePool()).keys() == {"0.wav", "2.wav", "3.wav"}


def test_tracks_of_another_folder_are_dropped_and_counted(music: Path, catalog: Path, tmp_path: Path) -> None:
    index(music, catalog, FakePool())
    with Store(catalog / STORE) as store:
        ingest = Ingest(store, store.libraries.get_or_create(LIBRARY), FakePool())
        assert CatalogUpdate(catalog, [music / "1.wav", tmp_path / "other.wav"], ingest).dropped == 3


def test_a_file_that_failed_keeps_its_id(music: Path, catalog: Path) -> None:
    index(music, catalog, FakePool({"0.wav": "it is broken"}))
    with Store(catalog / STORE) as store:
        ids = store.state.get(IDS_KEY)
    (music / "0.wav").write_bytes(b"better now")
    assert index(music, catalog, FakePool())["0.wav"] == ids[str(music / "0.wav")]


def test_the_exported_files_are_no_source_of_ids(music: Path, catalog: Path) -> None:
    ids = index(music, catalog, FakePool())
    (catalog / META).write_bytes(b"{")
    (music / "4.wav").write_bytes(b"new")
    assert index(music, catalog, FakePool()).items() > ids.items()


def test_a_catalog_of_before_the_store_knew_the_paths_keeps_its_ids(music: Path, catalog: Path) -> None:
    ids = index(music, catalog, FakePool())
    change_rows(catalog / STORE, "DELETE FROM state WHERE key = ?", IDS_KEY)
    (music / "00.wav").write_bytes(b"new")  # comes before the others
    again = FakePool()
    assert index(music, catalog, again).items() > ids.items()
    assert again.embedded == []

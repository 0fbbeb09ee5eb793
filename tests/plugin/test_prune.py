"""`beet resonance prune` drops what no library needs, and nothing else."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from resonance_engine.index.files import index_path, load_index
from tests.plugin.file_library import FileLibrary, write_sounds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TRACKS = 4
NOTHING = "0 recordings, 0 index files, 0 left-over files"


@pytest.fixture
def library(tmp_path: Path) -> Iterator[FileLibrary]:
    made = FileLibrary(tmp_path)
    for number, source in enumerate(write_sounds(tmp_path / "sounds", TRACKS)):
        made.add(source, f"{number}.flac")
    made.analyze()
    made.open_indexes()
    yield made
    made.close()


def remove(library: FileLibrary, *numbers: int) -> None:
    for number in numbers:
        item = library.lib.get_item(number)
        assert item is not None
        item.remove()


def test_nothing_to_do(library: FileLibrary) -> None:
    before, indexes = library.dump(), sorted(library.folder.glob("*.index"))
    assert library.prune(pretended=True) == [f"would drop {NOTHING}"]
    assert library.prune() == [f"dropped {NOTHING}; 0.0 MB freed"]
    assert (library.dump(), sorted(library.folder.glob("*.index"))) == (before, indexes)


def test_recordings_that_left_the_library_go_and_their_pairs_stay(library: FileLibrary) -> None:
    with library.sidecar() as sidecar:
        tracks = sidecar.store.tracks.all(sidecar.id)
        sidecar.store.incompatible_pairs.add([tracks[1].content_key], [tracks[2].content_key])
        apart = sidecar.store.incompatible_pairs.all()
    kept = {tracks[number].content_key for number in (2, 4)}
    remove(library, 1, 3)
    before = library.dump()
    assert library.prune(pretended=True) == ["would drop 2 recordings, 0 index files, 0 left-over files"]
    assert library.dump() == before
    assert library.prune()[0].startswith("dropped 2 recordings, 0 index files, 0 left-over files; ")
    after = library.dump()
    for table in ("vector", "window", "analysis", "track"):
        assert after[table] == {row for row in before[table] if kept & set(row)}
    with library.sidecar() as sidecar:
        assert sidecar.store.incompatible_pairs.all() == apart
        assert len(sidecar.store.vectors.changes("fake", 0).removed_ids) == 0
    library.open_indexes()
    assert library.check() == ["no problems"]
    assert library.prune() == [f"dropped {NOTHING}; 0.0 MB freed"]


def test_without_tombstones_an_old_index_is_made_again(library: FileLibrary) -> None:
    path = index_path(library.folder, "fake")
    remove(library, 1)
    library.prune()
    assert library.check() == ["no problems"]
    library.open_indexes()
    found = load_index(path, "fake")
    assert found is not None
    assert len(found[0]) == TRACKS - 1


def test_index_files_that_nothing_reads_go(library: FileLibrary) -> None:
    needed = set(library.folder.glob("*.index"))
    sound = index_path(library.folder, "fake").read_bytes()
    for name in ("resonance-gone.index", "resonance-gone-rhythm.index", "resonance-fake-mood.index"):
        (library.folder / name).write_bytes(sound)
    foreign = library.folder / "resonance-mine.index"
    foreign.write_bytes(b"the user's own")
    assert library.prune()[0].startswith("dropped 0 recordings, 3 index files, 0 left-over files; ")
    assert set(library.folder.glob("*.index")) == {*needed, foreign}


def test_left_over_files_go_when_they_are_old(library: FileLibrary) -> None:
    ours = [".resonance-fake.index.0123456789abcdef", "resonance.db.v1.bak.part", "resonance.db.part-wal"]
    others = ["resonance.db.v1.bak", "resonance.db.damaged-1", ".resonance.txt", "song.part", ".x.0123456789abcdef"]
    others += ["resonance.db.zip.part", "resonance.db.part.gz", ".resonance.0123456789abcdef"]
    yesterday = time.time() - 25 * 3600
    for name in (*ours, *others):
        (library.folder / name).write_bytes(b"x" * 1000)
        os.utime(library.folder / name, (yesterday, yesterday))
    fresh = library.folder / ".resonance-fake.index.0123456789abcde0"
    fresh.write_bytes(b"being written")
    assert library.prune() == ["dropped 0 recordings, 0 index files, 3 left-over files; 0.0 MB freed"]
    assert not any((library.folder / name).exists() for name in ours)
    assert all((library.folder / name).exists() for name in (*others, fresh.name))


def test_the_file_shrinks_when_that_is_worthwhile(library: FileLibrary) -> None:
    with library.sidecar() as sidecar:
        sidecar.store.analyses.put(bytes(16), "1", {"text": "x" * 3_000_000})
    before = library.database.stat().st_size
    said = library.prune()[0]
    assert said.startswith("dropped 1 recording, 0 index files, 0 left-over files; 3.")
    assert library.database.stat().st_size < before - 2_900_000
    assert library.check() == ["no problems"]


@pytest.mark.parametrize("away", ["folder", "files"])
def test_it_refuses_while_the_music_is_away(library: FileLibrary, away: str) -> None:
    remove(library, 1)
    before = library.dump()
    hidden = library.music.rename(library.folder / "hidden")
    if away == "files":
        library.music.mkdir()
    said = f"error: resonance: the music is not there; is {library.music} mounted? Nothing was dropped."
    assert library.prune() == library.prune(pretended=True) == [said]
    assert library.dump() == before
    if away == "files":
        library.music.rmdir()
    hidden.rename(library.music)
    assert library.prune()[0].startswith("dropped 1 recording, ")


def test_it_refuses_when_most_of_the_library_vanished(library: FileLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("beetsplug.resonance.library.removal.MASS_REMOVAL", 2)
    remove(library, 1, 2, 3)
    before = library.dump()
    assert "3 tracks that were analysed are no longer in the library, too many to believe" in library.prune()[0]
    assert library.dump() == before
    library.repair()
    assert library.prune()[0].startswith("dropped 3 recordings, ")


def test_nothing_was_ever_analysed(tmp_path: Path) -> None:
    made = FileLibrary(tmp_path)
    assert made.prune() == ["nothing is analysed yet, so there is nothing to prune"]
    assert not made.database.exists()
    made.close()
    assert made.runtime.embedded == []

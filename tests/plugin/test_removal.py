"""What left the library is forgotten where its music is gone for good, and kept where it is away."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from beetsplug.resonance.commands.status import status
from beetsplug.resonance.library.removal import is_plausible
from tests.plugin.file_library import FileLibrary, write_sounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TRACKS = 4


@pytest.mark.parametrize(
    ("gone", "known", "music_present", "expected"),
    [
        pytest.param(0, 10, True, True, id="nothing gone"),
        pytest.param(10, 10, True, True, id="a small library emptied"),
        pytest.param(20, 20, True, True, id="twenty, all there were"),
        pytest.param(21, 30, True, False, id="more than twenty and than half"),
        pytest.param(500, 1000, True, True, id="half of many"),
        pytest.param(501, 1000, True, False, id="more than half of many"),
        pytest.param(1, 10, False, False, id="the music is away"),
    ],
)
def test_when_removals_are_believed(gone: int, known: int, music_present: bool, expected: bool) -> None:
    assert is_plausible(gone, known, music_present) is expected


class OwnFolders(FileLibrary):
    """A library whose items lie in `folder`/albums, each in a folder of its own; beets' music folder is not there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.albums = folder / "albums"
        for number, source in enumerate(write_sounds(folder / "sounds", TRACKS)):
            self.add_in_place(source, f"{number}/track.flac")
        self.music.rmdir()

    def add_in_place(self, source: Path, name: str) -> None:
        item, path = self.add(source, "copy.flac"), self.albums / name
        path.parent.mkdir(parents=True)
        shutil.move(self.music / "copy.flac", path)
        item.path = os.fsencode(path)
        item.store()

    def link(self) -> None:
        """Put links in the place of the files, as `import: link` does."""
        sources = self.folder / "sources"
        sources.mkdir()
        for number, path in enumerate(sorted(self.albums.rglob("*.flac"))):
            path.rename(sources / f"{number}.flac")
            path.symlink_to(sources / f"{number}.flac")

    def remove(self, number: int) -> None:
        item = self.lib.get_item(number)
        assert item is not None
        item.remove()


@pytest.fixture
def library(tmp_path: Path) -> Iterator[OwnFolders]:
    made = OwnFolders(tmp_path)
    yield made
    made.close()


def leave(_: OwnFolders) -> None:
    pass


def delete_sources(library: OwnFolders) -> None:
    shutil.rmtree(library.folder / "sources")


def delete_an_album(library: OwnFolders) -> None:
    shutil.rmtree(library.albums / "1")


def delete_files(library: OwnFolders) -> None:
    for path in library.albums.rglob("*.flac"):
        path.with_name("cover.jpg").touch()
        path.unlink()


def make_music_folder(library: OwnFolders) -> None:
    library.music.mkdir()


def remove_all(library: OwnFolders) -> None:
    for number in range(2, TRACKS + 1):
        library.remove(number)


@pytest.mark.parametrize(
    ("change", "dropped"),
    [
        pytest.param(leave, 1, id="no music folder was ever made"),
        pytest.param(make_music_folder, 1, id="the music folder is empty"),
        pytest.param(delete_sources, 1, id="links whose sources are gone"),
        pytest.param(delete_an_album, 1, id="an album's folder is gone"),
        pytest.param(delete_files, 1, id="the files are gone, the folders are there"),
        pytest.param(remove_all, TRACKS, id="nothing is left in the library"),
    ],
)
def test_music_elsewhere_is_pruned(library: OwnFolders, change: Callable[[OwnFolders], None], dropped: int) -> None:
    if change is delete_sources:
        library.link()
    library.analyze()
    library.remove(1)
    change(library)
    before = library.dump()
    line = f"{dropped} recording{'' if dropped == 1 else 's'}, 0 index files, 0 left-over files"
    assert library.prune(pretended=True) == [f"would drop {line}"]
    assert library.dump() == before
    assert library.prune()[0].startswith(f"dropped {line}; ")


def move_away(library: OwnFolders) -> None:
    library.albums.rename(library.folder / "away")


def unmount(library: OwnFolders) -> None:
    move_away(library)
    for number in range(TRACKS):
        (library.albums / str(number)).mkdir(parents=True)


def unmount_most(library: OwnFolders) -> None:
    move_away(library)
    (library.albums / "3").mkdir(parents=True)
    shutil.copy(library.folder / "away" / "3" / "track.flac", library.albums / "3")


@pytest.mark.parametrize("change", [move_away, unmount, unmount_most])
@pytest.mark.parametrize("music_folder", [False, True])
def test_music_that_is_away_is_kept(
    library: OwnFolders, change: Callable[[OwnFolders], None], music_folder: bool
) -> None:
    library.analyze()
    library.remove(1)
    change(library)
    if music_folder:
        make_music_folder(library)
    before = library.dump()
    line = f"error: resonance: the music is not there; is {library.albums} mounted? Nothing was dropped."
    assert library.prune() == library.prune(pretended=True) == [line]
    assert library.dump() == before


def test_an_empty_library_on_a_disk_that_is_away(library: OwnFolders) -> None:
    library.analyze()
    library.remove(1)
    remove_all(library)
    library.lib.directory = os.fsencode(library.folder / "disk" / "music")
    [line] = library.prune()
    assert line.endswith(f"is {library.folder / 'disk' / 'music'} mounted? Nothing was dropped.")
    (library.folder / "disk").mkdir()
    assert library.prune()[0].startswith(f"dropped {TRACKS} recordings, ")


def test_links_without_sources_are_named(library: OwnFolders) -> None:
    library.link()
    library.analyze()
    delete_sources(library)
    line = f"the links in {library.albums} lead to files that are not there."
    assert f"no file is there; {line}" in library.output_of(status)
    assert library.analyze() == [f"error: resonance: no track has its file; {line} Nothing was forgotten."]

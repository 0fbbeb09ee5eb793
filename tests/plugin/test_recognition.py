"""An item whose file or date changed stays analysed where the content is the same, and only there."""

from __future__ import annotations

import os
import shutil
from itertools import count
from typing import TYPE_CHECKING

import pytest
from mediafile import MediaFile

from beetsplug.resonance.commands.status import status
from beetsplug.resonance.library import sync
from beetsplug.resonance.library.sidecar import ItemRow, file_state
from beetsplug.resonance.library.sync import LibraryEvents, plan_library, recognise
from tests.audio_files import FORMATS, MUSIC_FORMATS, tune, write_audio
from tests.plugin.file_library import FileLibrary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from beets.library import Item

    from resonance_engine.store import TrackRow

COUNT = len(MUSIC_FORMATS)


def write_tune(folder: Path, kind: str, seed: int) -> Path:
    return write_audio(folder / f"{kind}{FORMATS[kind].suffix}", tune(0.5, 48000, channels=2, seed=seed), 48000, kind)


@pytest.fixture
def files(tmp_path: Path) -> Iterator[FileLibrary]:
    """A library with a file of each format, all analysed."""
    made = FileLibrary(tmp_path)
    for seed, kind in enumerate(MUSIC_FORMATS):
        path = write_tune(tmp_path, kind, seed)
        made.add(path, path.name)
    made.analyze()
    assert summary(made) == (COUNT, 0)
    yield made
    made.close()


def summary(files: FileLibrary) -> tuple[int, int]:
    """What `status` counts as analysed and as not yet."""
    lines = dict(line.split(":", 1) for line in files.output_of(status) if ":" in line)
    return int(lines["analysed"]), int(lines["not yet"])


def tracks(files: FileLibrary) -> dict[int, TrackRow]:
    with files.sidecar() as sidecar:
        return sidecar.store.tracks.all(sidecar.id)


def store(files: FileLibrary, items: list[Item]) -> None:
    """Let a run that stored these items end."""
    events = LibraryEvents()
    for item in items:
        item.store()
        events.record_stored(item)
    with files.lib.music_dir_context():
        events.apply(files.lib, files.runtime)
    assert events.stored == set()


def change_date(item: Item) -> None:
    item.added += 86400


def change_tags(item: Item) -> None:
    file = MediaFile(item.filepath)
    file.title, file.comments = "Another title", "long " * 2000
    file.save()


def delete_tags(item: Item) -> None:
    change_tags(item)
    MediaFile(item.filepath).delete()


def touch(item: Item) -> None:
    os.utime(item.filepath, (1e9, 1e9))


def copy_anew(item: Item) -> None:
    path = item.filepath
    path.write_bytes(path.read_bytes())


def move(item: Item) -> None:
    item.path = os.fsencode(shutil.move(item.filepath, item.filepath.with_name(f"moved {item.filepath.name}")))
    touch(item)


def change_all(item: Item) -> None:
    change_date(item)
    change_tags(item)
    move(item)


@pytest.mark.parametrize("change", [change_date, change_tags, delete_tags, touch, copy_anew, move, change_all])
def test_the_same_content_stays_analysed(files: FileLibrary, change: Callable[[Item], None]) -> None:
    items, before = list(files.lib.items()), tracks(files)
    for item in items:
        change(item)
        item.store()
    assert summary(files) == (COUNT, 0)
    assert tracks(files) == before, "status wrote"
    store(files, items)
    for row in map(ItemRow.of, files.lib.items()):
        track = tracks(files)[row.id]
        assert (track.added, (track.size, track.mtime_ns)) == (row.added, file_state(row.path))
        assert track.content_key == before[row.id].content_key
    assert len(files.runtime.embedded) == COUNT


def replace(item: Item, folder: Path) -> None:
    kind = item.filepath.stem
    shutil.copyfile(write_tune(folder, kind, 100), item.filepath)


def replace_unnoticed(item: Item, folder: Path) -> None:
    """As where an id was given again, to a file of the same size and time."""
    size, time = file_state(item.path) or (0, 0)
    replace(item, folder)
    os.truncate(item.filepath, size)
    os.utime(item.filepath, ns=(time, time))
    change_date(item)


def damage(item: Item, _: Path) -> None:
    item.filepath.write_bytes(b"no music")


@pytest.mark.parametrize("change", [replace, replace_unnoticed, damage])
def test_another_content_does_not(files: FileLibrary, tmp_path: Path, change: Callable[[Item, Path], None]) -> None:
    folder = tmp_path / "others"
    folder.mkdir()
    items, before = list(files.lib.items()), tracks(files)
    for item in items:
        change(item, folder)
    store(files, items)
    assert tracks(files) == before
    assert summary(files) == (0, COUNT)
    [line] = [line for line in files.output_of(status) if line.startswith("changed:")]
    assert line.split()[1] == str(COUNT)


def test_what_was_never_analysed_is_no_matter(files: FileLibrary, tmp_path: Path) -> None:
    new = files.add(write_tune(tmp_path, "flac24", 50), "new.flac")
    store(files, [new])
    assert new.id not in tracks(files)
    assert summary(files) == (COUNT, 1)


def test_reading_ends_in_time(files: FileLibrary, monkeypatch: pytest.MonkeyPatch) -> None:
    for item in files.lib.items():
        touch(item)
    monkeypatch.setattr(sync, "FEWEST_READ", 3)
    with files.sidecar() as sidecar:
        plan = plan_library(sidecar, "fake")
        late = recognise(sidecar, plan, seconds=1.0, clock=count(0.0, 10.0).__next__)
        assert (len(late.recognised), len(late.changed), late.analysed) == (3, COUNT - 3, 3)
        some = recognise(sidecar, plan, seconds=7.5, clock=count(0.0, 1.0).__next__)
        assert (len(some.recognised), len(some.jobs)) == (7, COUNT - 7)
        slow = recognise(sidecar, plan, seconds=1.0, clock=count(0.0, 20.0).__next__)
        assert len(slow.recognised) == 1, "not even a few are read from a disk that takes minutes"

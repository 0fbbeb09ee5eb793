"""The songs of a beets library as training takes them: from a file, without writing to it, or from items at hand."""

from __future__ import annotations

import io
import os
import sqlite3
from contextlib import closing, contextmanager, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import quote

import confuse
from beets import config
from beets.dbcore.query import ParsingError
from beets.exceptions import UserError
from beets.library import Library

from resonance_engine.errors import ConfigError, printable
from resonance_engine.files import expand_home
from resonance_engine.training.data.songs import Song

if TYPE_CHECKING:
    from collections.abc import Iterator

    from beets.library import Item

COMPILATION = "Various Artists"
SETTINGS = "config.yaml"
PATIENCE = 30.0  # seconds to wait for whoever writes to the library


def songs(library_file: Path, query: list[str]) -> list[Song]:
    """The songs of a library that match a beets query, or all, in order of id.

    Paths start at the music directory that beets' configuration names: a config.yaml beside the library's file, or
    else the user's. Queries know beets' own fields; what plugins add is compared as text. Raises ConfigError where
    the file is no library, the query is not understood or matches nothing, or no file is where it says.
    """
    name = printable(library_file)
    library_file = expand_home(library_file)
    with opened(library_file) as library:
        try:
            found = list(library.items(query))
        except (ParsingError, UserError) as error:
            raise ConfigError(f"The beets query is not understood: {error}.") from error
        made = [song_of(item) for item in sorted(found, key=lambda item: item.id or 0)]
        directory = printable(library.directory)
    if not made:
        which = f"track that matches {' '.join(query)}" if query else "tracks"
        raise ConfigError(f"The beets library {name} has no {which}.")
    if not any(song.path.exists() for song in made):
        raise ConfigError(
            f"None of the {len(made)} files that {name} names is there (such as {printable(made[0].path)}); "
            f"beets' configuration says that the music is in {directory}."
        )
    return made


def song_of(item: Item) -> Song:
    """An item's path and names; recordings that MusicBrainz knows to be one share an identity."""
    albumartist = item.get("albumartist", "", with_album=False)
    if item.comp and not albumartist:
        albumartist = COMPILATION
    return Song(
        path=Path(os.fsdecode(item.path)),
        title=item.title,
        artist=item.artist,
        album=item.album,
        albumartist=albumartist,
        genre=", ".join(item.genres or ()),
        identity=item.mb_trackid or "",
    )


@contextmanager
def opened(library_file: Path) -> Iterator[Library]:
    """A copy of the library, opened: opening would bring the file to the newest format, which is its owner's to do."""
    with TemporaryDirectory(prefix="resonance-") as folder:
        copy = Path(folder, "library.db")
        copy_database(library_file, copy)
        music = music_directory(library_file)
        config["create_backup_before_migrations"].set(False)  # of the copy
        with redirect_stdout(io.StringIO()):  # where it tells of the copy's migration
            library = Library(copy, music, set_music_dir=False)
        try:
            with library.music_dir_context():
                yield library
        finally:
            library._close()  # beets offers no other way


def copy_database(source: Path, copy: Path) -> None:
    """Copy an SQLite file as it is at one moment; the source is opened for reading only."""
    name = printable(source)
    if not source.is_file():
        raise ConfigError(f"There is no beets library at {name}; `beet config` shows where yours is.")
    location = f"file:{quote(os.fsencode(source.absolute()))}?mode=ro"
    try:
        connected = sqlite3.connect(location, timeout=PATIENCE, uri=True)
        with closing(connected) as read, closing(sqlite3.connect(copy)) as written:
            read.execute("BEGIN")  # waits for a writer, but not forever as a backup would
            found = read.execute("SELECT 1 FROM sqlite_master WHERE name = 'items'").fetchone()
            read.backup(written)
    except sqlite3.Error as error:
        raise ConfigError(f"{name} cannot be read as a beets library: {error}.") from error
    if not found:
        raise ConfigError(f"{name} is no beets library, for it has no table of items.")


def music_directory(library_file: Path) -> str:
    """Where the library's relative paths start."""
    beside = library_file.with_name(SETTINGS)
    try:
        if beside.is_file():
            settings = confuse.Configuration("beets", read=False)
            settings.set_file(str(beside), base_for_paths=True)
            if settings["directory"].exists():
                return str(settings["directory"].as_filename())
        return str(config["directory"].as_filename())
    except confuse.ConfigError as error:
        told = " ".join(str(error).split())
        raise ConfigError(f"The configuration of beets cannot be read: {told}") from error

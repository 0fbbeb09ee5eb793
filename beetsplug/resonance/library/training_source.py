"""Read the songs of a beets library for training: from its file, without writing to it, or from items."""

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
PATIENCE = 30.0  # seconds to wait for another program that writes to the library


def songs(library_file: Path, query: list[str]) -> list[Song]:
    """Return the songs of a library that match a beets query, or all, in order of id.

    Paths start at the music directory of beets' configuration: a config.yaml beside the library's file, or else the
    user's. Queries know beets' own fields; those of plugins are compared as text. Raises ConfigError where the file is
    no library, the query is not understood or matches nothing, or no file is at its path.
    """
    name = printable(library_file)
    library_file = expand_home(library_file)
    with open_copy(library_file) as library:
        try:
            items = list(library.items(query))
        except (ParsingError, UserError) as error:
            raise ConfigError(f"The beets query is not understood: {error}.") from error
        result = [song_of(item) for item in sorted(items, key=lambda item: item.id or 0)]
        directory = printable(library.directory)
    if not result:
        which = f"track that matches {' '.join(query)}" if query else "tracks"
        raise ConfigError(f"The beets library {name} has no {which}.")
    if not any(song.path.exists() for song in result):
        raise ConfigError(
            f"None of the {len(result)} files that {name} names is there (such as {printable(result[0].path)}); "
            f"beets' configuration says that the music is in {directory}."
        )
    return result


def song_of(item: Item) -> Song:
    """Return an item as a song; items of one MusicBrainz recording share an identity."""
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
def open_copy(library_file: Path) -> Iterator[Library]:
    """Open a copy of the library: opening the file itself would migrate it, which is left to its owner."""
    with TemporaryDirectory(prefix="resonance-") as folder:
        copy = Path(folder, "library.db")
        copy_database(library_file, copy)
        music = music_directory(library_file)
        config["create_backup_before_migrations"].set(False)  # of the copy
        with redirect_stdout(io.StringIO()):  # beets reports the migration
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
            has_items = read.execute("SELECT 1 FROM sqlite_master WHERE name = 'items'").fetchone()
            read.backup(written)
    except sqlite3.Error as error:
        raise ConfigError(f"{name} cannot be read as a beets library: {error}.") from error
    if not has_items:
        raise ConfigError(f"{name} is no beets library, for it has no table of items.")


def music_directory(library_file: Path) -> str:
    """Return the folder at which the library's relative paths start."""
    beside = library_file.with_name(SETTINGS)
    try:
        if beside.is_file():
            settings = confuse.Configuration("beets", read=False)
            settings.set_file(str(beside), base_for_paths=True)
            if settings["directory"].exists():
                return str(settings["directory"].as_filename())
        return str(config["directory"].as_filename())
    except confuse.ConfigError as error:
        message = " ".join(str(error).split())
        raise ConfigError(f"The configuration of beets cannot be read: {message}") from error

"""A feature cache in an SQLite file: a row per window, with a checksum over all of it."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

import numpy as np
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
)
from sqlalchemy.exc import DBAPIError

from resonance_engine.errors import CacheError, printable
from resonance_engine.features.front_end import FRONT_END_VERSION
from resonance_engine.store.errors import error_message
from resonance_engine.store.writer import sqlite_engine, use_write_ahead_log
from resonance_engine.training.data.cache import UNCHANGED, check_rows, shapes_of, to_float16

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from resonance_engine.features.spec import FeatureSpec
    from resonance_engine.training.data.cache import Features, Measured

APPLICATION_ID = int.from_bytes(b"RSNF", "big")
LAYOUT = 1
DAMAGED = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}

TABLES = MetaData()
ABOUT = Table("about", TABLES, Column("spec", Text, nullable=False), Column("front_end", Integer, nullable=False))
SONGS = Table(
    "songs",
    TABLES,
    Column("id", Integer, primary_key=True),
    Column("key", LargeBinary, nullable=False, unique=True),
    Column("maker", Text, nullable=False),
    Column("windows", Integer, nullable=False),
    Column("checksum", Integer, nullable=False),
)
WINDOWS = Table(
    "windows",
    TABLES,
    Column("song", Integer, ForeignKey("songs.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("data", LargeBinary, nullable=False),
    Column("checksum", Integer, nullable=False),
)

# Built once: composing a query takes longer than running it.
SELECT_WINDOWS = (
    select(WINDOWS)
    .join(SONGS)
    .where(SONGS.c.key == bindparam("key"), WINDOWS.c.position.in_(bindparam("positions", expanding=True)))
)


class SqliteCache:
    """A cache in `folder`, in a file of its own for each spec and version of the front end; made when missing.

    Several processes may read and write it at the same time. Every `put` is durable, also when the program is
    killed right after. Raises CacheError for a file that cannot be used, or that anything but this class has changed.
    """

    def __init__(self, folder: Path, spec: FeatureSpec) -> None:
        self.spec = spec
        self.shapes = shapes_of(spec)
        self.path = folder / f"features-v{FRONT_END_VERSION}-{spec.digest()}.db"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CacheError(
                f"The folder {printable(folder)} for the feature cache cannot be made: {error.strerror}."
            ) from error
        self.engine: Engine = sqlite_engine(self.path)
        try:
            with self.explained_errors():
                self.prepare()
        except BaseException:
            self.engine.dispose()
            raise

    def keys(self, maker: str = UNCHANGED) -> set[bytes]:
        with self.transaction() as connection:
            songs = connection.execute(select(SONGS).where(SONGS.c.maker == maker)).all()
        for song in songs:
            self.verify(song.checksum == song_checksum(song.key, song.maker, song.windows))
        return {bytes(song.key) for song in songs}

    def put(self, key: bytes, features: Measured, maker: str = UNCHANGED) -> None:
        kept = to_float16(features, self.shapes)
        windows = len(next(iter(kept.values())))
        song = {"key": key, "maker": maker, "windows": windows, "checksum": song_checksum(key, maker, windows)}
        rows = []
        for position in range(windows):
            data = b"".join(np.ascontiguousarray(values[position], "<f2").tobytes() for values in kept.values())
            rows.append({"position": position, "data": data, "checksum": window_checksum(key, position, data)})
        with self.transaction(writes=True) as connection:
            connection.execute(delete(SONGS).where(SONGS.c.key == key))
            number = connection.execute(insert(SONGS).values(song).returning(SONGS.c.id)).scalar_one()
            connection.execute(insert(WINDOWS), [{"song": number, **row} for row in rows])

    def windows(self, key: bytes) -> int:
        with self.transaction() as connection:
            song = connection.execute(select(SONGS).where(SONGS.c.key == key)).first()
        if song is None:
            self.verify(key not in self.keys())  # the index of a damaged file may have lost it
            raise KeyError(key)
        self.verify(song.checksum == song_checksum(key, song.maker, song.windows))
        return int(song.windows)

    def read(self, key: bytes, rows: Sequence[int] | None = None) -> Features:
        positions = range(self.windows(key)) if rows is None else [int(row) for row in rows]
        with self.transaction() as connection:
            result = connection.execute(SELECT_WINDOWS, {"key": key, "positions": sorted(set(positions))})
            windows = {row.position: row for row in result}
        if not windows or not windows.keys() >= set(positions):
            check_rows(positions, self.windows(key))
            self.verify(not positions)
        features: Features = {
            name: np.empty((len(positions), *shape), np.float16) for name, shape in self.shapes.items()
        }
        size = 2 * sum(int(np.prod(shape)) for shape in self.shapes.values())
        for at, position in enumerate(positions):
            data, checksum = windows[position].data, windows[position].checksum
            self.verify(isinstance(data, bytes) and len(data) == size)
            self.verify(checksum == window_checksum(key, position, data))
            values, begin = np.frombuffer(data, "<f2"), 0
            for name, shape in self.shapes.items():
                end = begin + int(np.prod(shape))
                features[name][at] = values[begin:end].reshape(shape)
                begin = end
        return features

    def close(self) -> None:
        self.engine.dispose()

    def prepare(self) -> None:
        """Create the tables in a new file, and check that an old one is what its name says."""
        with self.transaction() as connection:
            new = self.is_new(connection)
        use_write_ahead_log(self.path)
        if new:
            with self.transaction(writes=True) as connection:
                if self.is_new(connection):  # another process may have been faster
                    TABLES.create_all(connection)
                    connection.execute(insert(ABOUT).values(spec=self.spec.to_json(), front_end=FRONT_END_VERSION))
                    connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
                    connection.exec_driver_sql(f"PRAGMA user_version = {LAYOUT}")
        with self.transaction() as connection:
            about = [tuple(row) for row in connection.execute(select(ABOUT))]
        if about != [(self.spec.to_json(), FRONT_END_VERSION)]:
            self.refuse("holds features of another front end than its name says")

    def is_new(self, connection: Connection) -> bool:
        """Return whether the file is empty; CacheError for anything else but a feature cache of this layout."""
        pragmas = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        application, layout, tables = (connection.exec_driver_sql(pragma).scalar_one() for pragma in pragmas)
        if (application, layout, tables) == (0, 0, 0):
            return True
        if application != APPLICATION_ID or layout != LAYOUT:
            self.refuse("is not a feature cache of this version of Resonance")
        return False

    def verify(self, sound: bool) -> None:
        """Raise CacheError unless the contents are those that were stored."""
        if not sound:
            self.refuse("is damaged")

    def refuse(self, reason: str, error: BaseException | None = None) -> NoReturn:
        message = f"The feature cache {printable(self.path)} {reason}; delete it and run the command again."
        raise CacheError(message) from error

    @contextmanager
    def transaction(self, writes: bool = False) -> Iterator[Connection]:
        with self.explained_errors(), self.engine.begin() as connection:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
            yield connection

    @contextmanager
    def explained_errors(self) -> Iterator[None]:
        """Raise SQLite's errors as CacheError, with the remedy."""
        try:
            yield
        except (DBAPIError, sqlite3.Error) as error:
            original = error.orig if isinstance(error, DBAPIError) else error
            code = getattr(original, "sqlite_errorcode", None)
            # Python's own error, without a code, is about text that is no UTF-8.
            undecodable = code is None and isinstance(original, sqlite3.OperationalError)
            if undecodable or (code or 0) & 0xFF in DAMAGED:
                self.refuse(f"is damaged ({original})", error)
            raise CacheError(error_message(self.path, original)) from error


def song_checksum(key: bytes, maker: str, windows: int) -> int:
    return zlib.crc32(f"{key.hex()} {maker} {windows}".encode())


def window_checksum(key: bytes, position: int, data: bytes) -> int:
    """CRC-32 of a window's features; another one for the same features in another place."""
    return zlib.crc32(data, zlib.crc32(f"{key.hex()} {position}".encode()))

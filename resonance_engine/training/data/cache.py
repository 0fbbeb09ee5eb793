"""Caches of songs' features, in memory or in an SQLite file, with the checks that both share."""

from __future__ import annotations

import os
import sqlite3
import threading
import zlib
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from resonance_engine.errors import CacheError, printable
from resonance_engine.features.spec import FRONT_END_VERSION
from resonance_engine.store.errors import DAMAGED, error_code, error_message
from resonance_engine.store.sqlite_file import PATIENCE, connect_to_write, use_write_ahead_log

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from resonance_engine.features.spec import FeatureSpec

    Features = dict[str, NDArray[np.float16]]
    Measured = Mapping[str, NDArray[np.floating]]

UNCHANGED = ""
"""The maker of features of unchanged audio; those of augmented audio name the augmentation."""

GIGABYTE = 1e9
APPLICATION_ID = int.from_bytes(b"RSNF", "big")
LAYOUT = 1
SCHEMA = (
    "CREATE TABLE about (spec TEXT NOT NULL, front_end INTEGER NOT NULL)",
    "CREATE TABLE songs (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, maker TEXT NOT NULL, "
    "windows INTEGER NOT NULL, checksum INTEGER NOT NULL)",
    "CREATE TABLE windows (song INTEGER NOT NULL REFERENCES songs (id) ON DELETE CASCADE, position INTEGER NOT NULL, "
    "data BLOB NOT NULL, checksum INTEGER NOT NULL, PRIMARY KEY (song, position))",
    f"PRAGMA application_id = {APPLICATION_ID}",
    f"PRAGMA user_version = {LAYOUT}",
)


class RamCache:
    """A cache of songs' features that lasts as long as the program: (windows, ...) of float16 by modality, by key.

    A key is a song's content key; changed versions of its audio have the content key and one more byte. All songs of
    a cache are measured by its `spec`. Raises KeyError for an absent key, IndexError for a window that the song does
    not have, and CacheError when it exceeds the machine's memory.
    """

    def __init__(self, spec: FeatureSpec) -> None:
        self.spec = spec
        self.size = 0
        self.entries: dict[bytes, tuple[str, Features]] = {}

    def keys(self, maker: str = UNCHANGED) -> set[bytes]:
        """Return the keys whose features were made by `maker`."""
        return {key for key, (by, _) in self.entries.items() if by == maker}

    def put(self, key: bytes, features: Measured, maker: str = UNCHANGED) -> None:
        """Store the features of a song's windows, in place of any earlier ones.

        Raises ValueError for another number of windows or shape in some modality, no windows at all, or values that
        float16 does not hold.
        """
        kept = to_float16(features, shapes_of(self.spec))
        before = self.entries[key][1] if key in self.entries else {}
        size = self.size + sum(x.nbytes for x in kept.values()) - sum(x.nbytes for x in before.values())
        require_memory(size, "set cache.backend to sqlite")
        self.entries[key], self.size = (maker, kept), size

    def windows(self, key: bytes) -> int:
        """Return the number of windows of a song."""
        return len(next(iter(self.entries[key][1].values())))

    def read(self, key: bytes, rows: Sequence[int] | None = None) -> Features:
        """Return the features of these windows of a song, of all without `rows`; not to be written to."""
        features = self.entries[key][1]
        if rows is None:
            return dict(features)
        check_rows(rows, self.windows(key))
        chosen = np.asarray(rows, np.intp)
        return {name: values[chosen] for name, values in features.items()}

    def close(self) -> None:
        """Release files and memory."""
        self.entries.clear()
        self.size = 0


def require_memory(size: int, remedy: str) -> None:
    """Raise CacheError, with the remedy, unless `size` bytes of features fit into the machine's memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if size > memory:
        raise CacheError(
            f"The features take {size / GIGABYTE:.1f} GB and this machine has {memory / GIGABYTE:.1f} GB of memory; "
            f"{remedy}."
        )


def shapes_of(spec: FeatureSpec) -> dict[str, tuple[int, ...]]:
    """Return the shape of a window's features, by modality."""
    return {name: each.shape(spec.decoding) for name, each in spec.modalities.items()}


def to_float16(features: Measured, shapes: Mapping[str, tuple[int, ...]]) -> Features:
    """Convert features to float16, in the order of `shapes`; ValueError where they do not fit."""
    if set(features) != set(shapes):
        raise ValueError(f"expected the modalities {', '.join(shapes)}, not {', '.join(features)}")
    counts = {len(values) for values in features.values()}
    if len(counts) > 1 or 0 in counts:
        raise ValueError(f"expected the same windows in all modalities, at least one, not {sorted(counts)}")
    kept: Features = {}
    for name, shape in shapes.items():
        if features[name].shape[1:] != tuple(shape):
            raise ValueError(f"expected {name} of the shape (windows, {shape}), not {features[name].shape}")
        with np.errstate(over="ignore"):  # what becomes infinite is refused below
            kept[name] = np.array(features[name], np.float16)
        if not np.isfinite(kept[name]).all():
            raise ValueError(f"expected finite values that float16 holds in {name}")
    return kept


def check_rows(rows: Sequence[int], windows: int) -> None:
    """Raise IndexError unless all rows are windows of a song; negative ones are not."""
    wrong = [row for row in rows if not 0 <= row < windows]
    if wrong:
        raise IndexError(f"there is no window {wrong[0]} of {windows}")


class SqliteCache:
    """The same in `folder`, in an SQLite file for each spec and version of the front end, made when missing.

    A row per window, with a checksum over all of it.

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
        self.lock = threading.RLock()  # several threads share the connection
        with self.explained_errors():
            self.connection = connect_to_write(self.path, PATIENCE)
            try:
                self.prepare()
            except BaseException:
                self.connection.close()
                raise

    def keys(self, maker: str = UNCHANGED) -> set[bytes]:
        with self.transaction() as connection:
            songs = connection.execute("SELECT key, windows, checksum FROM songs WHERE maker = ?", (maker,)).fetchall()
        for key, windows, checksum in songs:
            self.verify(isinstance(key, bytes) and checksum == song_checksum(key, maker, windows))
        return {key for key, *_ in songs}

    def put(self, key: bytes, features: Measured, maker: str = UNCHANGED) -> None:
        kept = to_float16(features, self.shapes)
        windows = len(next(iter(kept.values())))
        rows = []
        for position in range(windows):
            data = b"".join(np.ascontiguousarray(values[position], "<f2").tobytes() for values in kept.values())
            rows.append((position, data, window_checksum(key, position, data)))
        with self.transaction("BEGIN IMMEDIATE") as connection:
            connection.execute("DELETE FROM songs WHERE key = ?", (key,))
            song = (key, maker, windows, song_checksum(key, maker, windows))
            insert = "INSERT INTO songs (key, maker, windows, checksum) VALUES (?, ?, ?, ?)"
            number = connection.execute(insert, song).lastrowid
            connection.executemany("INSERT INTO windows VALUES (?, ?, ?, ?)", [(number, *row) for row in rows])

    def windows(self, key: bytes) -> int:
        with self.transaction() as connection:
            select = "SELECT maker, windows, checksum FROM songs WHERE key = ?"
            song = connection.execute(select, (key,)).fetchone()
        if song is None:
            self.verify(key not in self.keys())  # the index of a damaged file may have lost it
            raise KeyError(key)
        maker, windows, checksum = song
        self.verify(checksum == song_checksum(key, maker, windows))
        return int(windows)

    def read(self, key: bytes, rows: Sequence[int] | None = None) -> Features:
        positions = range(self.windows(key)) if rows is None else [int(row) for row in rows]
        span = min(positions, default=0), max(positions, default=0)
        with self.transaction() as connection:
            select = (
                "SELECT position, data, windows.checksum FROM windows JOIN songs ON songs.id = song "
                "WHERE key = ? AND position BETWEEN ? AND ?"
            )
            windows = {at: rest for at, *rest in connection.execute(select, (key, *span))}
        if not windows or not windows.keys() >= set(positions):
            check_rows(positions, self.windows(key))
            self.verify(not positions)
        features: Features = {
            name: np.empty((len(positions), *shape), np.float16) for name, shape in self.shapes.items()
        }
        size = 2 * sum(int(np.prod(shape)) for shape in self.shapes.values())
        for at, position in enumerate(positions):
            data, checksum = windows[position]
            self.verify(isinstance(data, bytes) and len(data) == size)
            self.verify(checksum == window_checksum(key, position, data))
            values, begin = np.frombuffer(data, "<f2"), 0
            for name, shape in self.shapes.items():
                end = begin + int(np.prod(shape))
                features[name][at] = values[begin:end].reshape(shape)
                begin = end
        return features

    def close(self) -> None:
        self.connection.close()

    def prepare(self) -> None:
        """Create the tables in a new file, and check that an old one is what its name says."""
        with self.transaction() as connection:
            new = self.is_new(connection)
        with closing(connect_to_write(self.path, PATIENCE)) as driver:
            use_write_ahead_log(driver)
        if new:
            with self.transaction("BEGIN IMMEDIATE") as connection:
                if self.is_new(connection):  # another process may have been faster
                    for statement in SCHEMA:
                        connection.execute(statement)
                    connection.execute("INSERT INTO about VALUES (?, ?)", (self.spec.to_json(), FRONT_END_VERSION))
        with self.transaction() as connection:
            about = connection.execute("SELECT spec, front_end FROM about").fetchall()
        if about != [(self.spec.to_json(), FRONT_END_VERSION)]:
            self.refuse("holds features of another front end than its name says")

    def is_new(self, connection: sqlite3.Connection) -> bool:
        """Return whether the file is empty; CacheError for anything else but a feature cache of this layout."""
        pragmas = ("PRAGMA application_id", "PRAGMA user_version", "SELECT count(*) FROM sqlite_master")
        application, layout, tables = (connection.execute(pragma).fetchone()[0] for pragma in pragmas)
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
    def transaction(self, begin: str = "BEGIN") -> Iterator[sqlite3.Connection]:
        with self.explained_errors(), self.lock, self.connection as connection:
            connection.execute(begin)
            yield connection

    @contextmanager
    def explained_errors(self) -> Iterator[None]:
        """Raise SQLite's errors as CacheError, with the remedy."""
        try:
            yield
        except sqlite3.Error as error:
            # Python's own error, without a code, is about text that is no UTF-8.
            undecodable = error_code(error) == 0 and isinstance(error, sqlite3.OperationalError)
            if undecodable or error_code(error) in DAMAGED:
                self.refuse(f"is damaged ({error})", error)
            raise CacheError(error_message(self.path, error)) from error


def song_checksum(key: bytes, maker: str, windows: int) -> int:
    return zlib.crc32(f"{key.hex()} {maker} {windows}".encode())


def window_checksum(key: bytes, position: int, data: bytes) -> int:
    """CRC-32 of a window's features; another one for the same features in another place."""
    return zlib.crc32(data, zlib.crc32(f"{key.hex()} {position}".encode()))


FeatureCache = RamCache | SqliteCache

"""What a killed run left: read from copies, so that the next run meets the very files that the kill left."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonance_engine.store import Store
from resonance_engine.store.recovery.check import check_store
from resonance_engine.store.sqlite_file import VERSION
from tests.e2e.home import PATIENCE
from tests.reliability.shared_homes import export

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.e2e.home import Home

Vectors = dict[tuple[bytes, str, str], bytes]
TEMPORARY = re.compile(r"\..*\.[0-9a-f]{16}|.*\.part(-journal)?")
# What a kill may leave of a database besides the file itself; its shared memory is made anew.
LOGS = ("-wal", "-journal")
PLAYLIST = "list.m3u8"
OUTPUTS = (PLAYLIST, "map.html")  # of which a home has one at most
LIBRARY_ID = re.compile(r":\d+$")
ANSWERS, WRITTEN = "taste_answers", "tags_written"  # in the table `state`, with a library's id
DECISIONS = (ANSWERS, WRITTEN, "genres_written", "taste", "taste-of-lists")


@dataclass(frozen=True)
class HomeState:
    """What is in the files of a home, in a form that two runs can be compared by.

    `items` are title, artist, album and genres, `tracks` content keys by title, `facts` the other tables that a result
    depends on, `decisions` what is kept of the user's, by name, and `output` a playlist or the page of a map.
    """

    items: frozenset[tuple[str, str, str, str]]
    tracks: dict[str, bytes]
    vectors: Vectors
    facts: dict[str, frozenset[tuple[Any, ...]]]
    active: str | None
    version: int
    decisions: dict[str, Any]
    output: bytes | None
    indexes: frozenset[str]

    def progress(self) -> tuple[object, ...]:
        """What changes in the course of a run."""
        vectors = hashlib.blake2b(repr(sorted(self.vectors.items())).encode()).digest()
        facts = {name: len(rows) for name, rows in self.facts.items()}
        known = (self.items, self.tracks, vectors, facts, json.dumps(self.decisions, sort_keys=True))
        return (*known, self.active, self.version, self.output, self.indexes)


def copied(home: Home, folder: Path) -> tuple[Path, Path]:
    """Copies of the library and the sidecar of a home, with their logs."""
    folder.mkdir(exist_ok=True)
    if home.address:
        export(home.address, folder / home.sidecar.name)
    for file in (home.library,) if home.address else (home.library, home.sidecar):
        for suffix in ("", *LOGS):
            target = folder / f"{file.name}{suffix}"
            target.unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                shutil.copy(f"{file}{suffix}", target)
    return folder / home.library.name, folder / home.sidecar.name


def read_state(home: Home, folder: Path) -> HomeState:
    """Read the files of a home by way of copies in a folder."""
    library, sidecar = copied(home, folder)
    with closing(sqlite3.connect(library)) as connection:
        rows = list(connection.execute("SELECT id, title, artist, album, genres FROM items"))
    titles = {row[0]: row[1] for row in rows}
    outputs = [home.path / name for name in OUTPUTS if (home.path / name).exists()]
    with closing(sqlite3.connect(sidecar)) as connection:
        links = connection.execute("SELECT item_id, content_key FROM track WHERE item_id < 1000000")
        tracks = {titles.get(item, f"item {item} that is gone"): key for item, key in links}
        [version] = connection.execute("PRAGMA user_version").fetchone()
        active = connection.execute("SELECT id FROM model WHERE active").fetchone()
        return HomeState(
            items=frozenset(row[1:] for row in rows),
            tracks=tracks,
            vectors=vectors(connection),
            facts={
                name: facts(connection, name) for name in ("window", "tag", "passage", "analysis", "removed", "array")
            },
            decisions=decisions(connection),
            active=active and active[0],
            version=version,
            output=outputs[0].read_bytes() if outputs else None,
            indexes=frozenset(f"{file.name} {file.stat().st_size}" for file in home.path.glob("*.index")),
        )


def vectors(connection: sqlite3.Connection) -> Vectors:
    """What stays once it is there: vectors, and under a kind of their own dense windows and answers."""
    statement = "SELECT content_key, model_id, kind, data FROM vector"
    if has_table(connection, "passage"):
        statement += " UNION ALL SELECT content_key, model_id, 'dense windows', data FROM passage"
    rows = {(key, model, kind): data for key, model, kind, data in connection.execute(statement)}
    answers = decisions(connection).get(ANSWERS) or []
    return rows | {(b"%d" % at, "", "answer"): json.dumps(each).encode() for at, each in enumerate(answers)}


def decisions(connection: sqlite3.Connection) -> dict[str, Any]:
    """What a user decided, by name without the library's id; of a write of tags, without the one before."""
    if not has_table(connection, "state"):
        return {}
    rows = connection.execute("SELECT key, value FROM state WHERE key LIKE '%:%'")
    known = {LIBRARY_ID.sub("", key): json.loads(value) for key, value in rows}
    if known.get(WRITTEN):
        known[WRITTEN].pop("previous", None)
    return {name: known[name] for name in DECISIONS if known.get(name)}


def has_table(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is not None


def facts(connection: sqlite3.Connection, table: str) -> frozenset[tuple[Any, ...]]:
    """The rows of a table; of removed vectors only how many there are, for their ids depend on the order of events."""
    if not has_table(connection, table):
        return frozenset()
    what = "count(*)" if table == "removed" else "*"
    return frozenset(connection.execute(f"SELECT {what} FROM {table}"))  # noqa: S608 - a name from above


def visible(home: Home, folder: Path) -> Vectors:
    """The vectors that a second process sees while another one may be writing."""
    if home.address:
        folder.mkdir(exist_ok=True)
        export(home.address, folder / home.sidecar.name)
    location = f"file:{folder / home.sidecar.name if home.address else home.sidecar}?mode=rw"
    try:
        with closing(sqlite3.connect(location, uri=True)) as connection:
            return vectors(connection)
    except sqlite3.OperationalError:  # not there yet
        return {}


def unsound(path: Path) -> list[str]:
    """What SQLite finds wrong with a database."""
    with closing(sqlite3.connect(path)) as connection:
        try:
            lines = [row[0] for row in connection.execute("PRAGMA integrity_check")]
        except sqlite3.DatabaseError as error:
            lines = [str(error)]
    return [f"{path.name}: {line}" for line in lines if line != "ok"]


def sidecar_problems(path: Path) -> list[str]:
    """What the store itself finds wrong; of a file of an older schema, only what SQLite does."""
    with closing(sqlite3.connect(path)) as connection:
        [version] = connection.execute("PRAGMA user_version").fetchone()
    if version != VERSION:
        return []
    with Store(path) as store:
        return [line for model in store.models.all() for line in check_store(store, model.id, partial=True)]


def schema(path: Path) -> frozenset[tuple[str, str | None]]:
    with closing(sqlite3.connect(path)) as connection:
        return frozenset(connection.execute("SELECT name, sql FROM sqlite_master"))


def attributes(path: Path) -> frozenset[str]:
    """The names of all flexible attributes in a library."""
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT key FROM item_attributes UNION SELECT key FROM album_attributes")
        return frozenset(key for (key,) in rows)


def unreadable_by_beets(home: Home, library: Path, count: int | None = None) -> list[str]:
    """What is wrong with how beets reads a library, of that many items where that is known.

    In a process of its own: beets keeps one configuration for a whole process, and reads it when it is first needed, so
    that threads would meet a half-read one, of whoever runs the harness.
    """
    with home.process("-l", str(library), "-P", "resonance", "ls", "-f", "$id $path") as process:
        out, err = process.communicate(timeout=PATIENCE)
    if process.returncode:
        return [f"beets can't read its library: {err.strip().rpartition(chr(10))[2]}"]
    return [] if count in (None, len(out.splitlines())) else ["beets reads other items than there are"]


def temporaries(home: Home) -> list[Path]:
    """Files that were to be renamed into their places and were not."""
    return [path for path in home.path.iterdir() if TEMPORARY.fullmatch(path.name)]


def lost(before: Vectors, after: Vectors, spared: Iterable[tuple[bytes, str, str]] = ()) -> list[str]:
    """The vectors that are not what they were, but for those that were to be dropped."""
    gone = [each for each in before.keys() - set(spared) if after.get(each) != before[each]]
    return [f"{len(gone)} committed vectors are lost, such as {gone[0]}"] if gone else []

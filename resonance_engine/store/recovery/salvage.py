"""Set a damaged sidecar file aside, and put a new one in its place with all that can be read of the old."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resonance_engine.errors import StoreError, printable
from resonance_engine.store.errors import UNREADABLE
from resonance_engine.store.records import EMBEDDING
from resonance_engine.store.recovery.check import is_readable_state
from resonance_engine.store.recovery.pages import open_pages
from resonance_engine.store.recovery.repair import drop_incomplete, repair_store
from resonance_engine.store.sqlite_file import GENERATION, read_json, remove_database
from resonance_engine.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from resonance_engine.store.recovery.pages import Row

KEY_BYTES = 16
ROWS_AT_A_TIME = 5_000
NUMBER = (int, float)
NOTHING = type(None)

# The types of the values in a row tell the tables apart; a table's own number stands for its first column.
SHAPES: dict[str, tuple[type | tuple[type, ...], ...]] = {
    "library": (NOTHING, str, str),
    "model": (str, str, str, int, str, int, str),
    "track": (int, int, NUMBER, int, int, bytes),
    "vector": (NOTHING, bytes, str, str, int, (NOTHING, int, float), bytes),
    "window": (bytes, str, int, NUMBER, bytes),
    "tag": (bytes, str, bytes),
    "passage": (bytes, str, bytes, NUMBER, NUMBER),
    "analysis": (bytes, str, str),
    "array": (int, str, bytes),
    "failure": (int, bytes, int, int, str, int, NUMBER),
    "state": (str, str),
}
KEY_COLUMNS = {"track": 5, "vector": 1, "window": 0, "tag": 0, "passage": 0, "analysis": 0}
REFERENCES = [(table, "model_id", "model") for table in ("vector", "window", "tag", "passage")]
REFERENCES += [(table, "library_id", "library") for table in ("track", "array", "failure")]
JSON_COLUMNS: dict[str, dict[int, type]] = {"model": {4: dict, 6: list}, "analysis": {2: dict}}


@dataclass(frozen=True)
class Salvaged:
    """The damaged file's new name, and the numbers of recordings and tracks that the new file holds."""

    kept: Path
    recordings: int
    tracks: int


def salvage(path: Path) -> Salvaged:
    """Put a new sidecar file in the place of a damaged one, which is kept; raises StoreError where that is impossible.

    Rows are taken from every page that can be read, and kept where they pass the check: what is dropped, the models can
    compute again. Nothing is overwritten, and the new file appears in one step. A program that has the file open goes
    on with the damaged one under its new name, and what it writes is not in the new one: the caller keeps analyses out
    meanwhile. Readers may stay; a `Store` that is open reads the new file from its next transaction on.
    """
    path = path.resolve()  # where SQLite keeps the log of a file that is reached by a link
    partial = path.with_name(f"{path.name}.part")
    try:
        kept = _set_aside(path)
        remove_database(partial)
        with closing(Store(partial)) as store:
            store.models.all()  # creates the file
            _fill(kept, partial)
            for model in store.models.all():
                repair_store(store, model.id)
                drop_incomplete(store, model.id)
            active = store.models.active()
            recordings = store.vectors.count(active.id) if active else 0
            tracks = sum(len(store.tracks.all(library)) for library in store.libraries.ids())
        _swap(path, partial)
    except (OSError, sqlite3.Error, StoreError) as error:
        remove_database(partial)  # it may be what fills the disk
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"{printable(path)} is damaged, and nothing could be saved from it: {error}.") from error
    return Salvaged(kept, recordings, tracks)


def _set_aside(path: Path) -> Path:
    """Link the damaged file under a second name, and copy its log under that name."""
    number, log = 1, _beside(path, "-wal")
    while (kept := path.with_name(f"{path.name}.damaged-{number}")).exists():
        if kept.samefile(path) and not log.exists() and _beside(kept, "-wal").exists():
            return kept  # an earlier run was killed between removing the log and putting the new file in place
        number += 1
    try:
        os.link(path, kept)
    except OSError:  # a file system without links
        shutil.copy2(path, kept)
    if log.exists():
        shutil.copy2(log, _beside(kept, "-wal"))
    return kept


def _swap(path: Path, partial: Path) -> None:
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    # The log of the one file must never meet the other: SQLite would write its pages into it.
    for suffix in ("-wal", "-shm"):
        _beside(path, suffix).unlink(missing_ok=True)
    partial.replace(path)


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def _fill(path: Path, partial: Path) -> None:
    """Copy the rows of a damaged file into a new one."""
    with (
        path.open("rb") as file,
        closing(sqlite3.connect(partial, isolation_level=None)) as connection,
    ):
        connection.execute("BEGIN IMMEDIATE")
        # References are checked at the end: rows come in the order of their pages.
        waiting: dict[str, list[tuple[object, ...]]] = defaultdict(list)
        for row in open_pages(file, path).rows():
            if (match := match_table(row)) is not None:
                table, values = match
                waiting[table].append(values)
                if len(waiting[table]) >= ROWS_AT_A_TIME:
                    _insert(connection, table, waiting.pop(table))
        for table, rows in waiting.items():
            _insert(connection, table, rows)
        _infer_models(connection)
        for table, column, parent in REFERENCES:
            connection.execute(f"DELETE FROM {table} WHERE {column} NOT IN (SELECT id FROM {parent})")  # noqa: S608 - names of ours
        _set_generation(connection)
        connection.execute("COMMIT")


def match_table(row: Row) -> tuple[str, tuple[object, ...]] | None:
    """Return the table of a row and its values there; None for one that is none of ours or can't be right."""
    number, values = row
    if len(values) == len(SHAPES["model"]) - 1 and isinstance(values[0], str):
        values = (*values, "[]")  # written before models had tags
    table = next(
        (name for name, shape in SHAPES.items() if len(values) == len(shape) and all(map(isinstance, values, shape))),
        None,
    )
    if table is None:
        return None
    column = KEY_COLUMNS.get(table)
    key = values[column] if column is not None else None
    if isinstance(key, bytes) and len(key) != KEY_BYTES:
        return None
    if not all(_is_json(values[place], kind) for place, kind in JSON_COLUMNS.get(table, {}).items()):
        return None
    if table == "state" and not is_readable_state(*values):
        return None
    return table, ((number, *values[1:]) if values[0] is None else values)


def _is_json(text: object, kind: type) -> bool:
    try:
        read_json(text, kind)
    except UNREADABLE:
        return False
    return True


def _insert(connection: sqlite3.Connection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    marks = ", ".join("?" * len(SHAPES[table]))
    # Where a page exists twice, as it was and as it is, which row came later is unknown: both were right once.
    connection.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", rows)  # noqa: S608 - names of ours


def _infer_models(connection: sqlite3.Connection) -> None:
    """Insert rows for models that have vectors and lost their own row; activate one where none is active."""
    statement = (
        "SELECT model_id, kind, length(data) / 2, count(*) AS times FROM vector "
        "WHERE model_id NOT IN (SELECT id FROM model) GROUP BY 1, 2, 3 ORDER BY times"
    )
    widths: dict[str, dict[str, int]] = defaultdict(dict)
    for model, kind, width, _ in connection.execute(statement).fetchall():
        widths[model][kind] = width  # the last one, which occurs most often
    for model, kinds in widths.items():
        if EMBEDDING in kinds:
            dimensions = kinds.pop(EMBEDDING)
            values = (model, model, "?", dimensions, json.dumps(kinds), False, "[]")
            connection.execute("INSERT INTO model VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    connection.execute(
        "UPDATE model SET active = 1 WHERE NOT EXISTS (SELECT 1 FROM model WHERE active) AND id = "
        "(SELECT model_id FROM vector WHERE kind = ? GROUP BY model_id ORDER BY count(*) DESC LIMIT 1)",
        (EMBEDDING,),
    )


def _set_generation(connection: sqlite3.Connection) -> None:
    """Set a generation above all earlier ones, so that no index takes the new file for a later state of the old one."""
    [last] = connection.execute("SELECT max(generation) FROM vector").fetchone()
    connection.execute(
        "INSERT OR REPLACE INTO state VALUES (?, ?)", (GENERATION, str(max((last or 0) + 1, time.time_ns())))
    )

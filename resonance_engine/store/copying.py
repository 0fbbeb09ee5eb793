"""Copy a store into an empty one, whichever databases they are in: every row, to the byte."""

from __future__ import annotations

from types import NoneType
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from resonance_engine.errors import StoreError
from resonance_engine.store.snapshot import ROWS_AT_A_TIME, read_batches
from resonance_engine.store.tables import LIBRARY, METADATA

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from resonance_engine.store.records import LibraryRow
    from resonance_engine.store.snapshot import Snapshot
    from resonance_engine.store.store import Store

# A row of some tables can take a megabyte.
LARGE_ROWS = {"array": 4, "passage": 16}


def copy_store(
    source: Store,
    target: Store,
    report: Callable[[str, int], None] = lambda *_: None,
    libraries: Iterable[LibraryRow] = (),
) -> dict[str, int]:
    """Copy all rows of a store into another, in one transaction; return how many rows by table.

    Ids, generations and the numbers that ids go on from stay the same, so that nothing that refers to them is lost.
    Only `libraries` take the place of those with their ids. `report` gets the name of a table and how many of its rows
    are copied. Memory does not grow with their number. Raises StoreError where the target holds anything, and for a
    value that it does not take. Nothing is copied then, nor where the copy is interrupted, and it can be repeated.
    """
    with source.read() as snapshot, target.write() as transaction:
        if used := [name for name in METADATA.tables if holds_rows(transaction.driver, name)]:
            raise StoreError(
                f"{target.name} is not empty (it has rows of {used[0]}), so nothing was copied; to let it have this "
                "library, too, name it as `sidecar` in the configuration and run `beet resonance analyze`."
            )
        counts, renamed = {}, {row.id: row for row in libraries}
        for table in METADATA.sorted_tables:
            counts[table.name] = 0
            for rows in read_batches(snapshot, select_all(table), size=LARGE_ROWS.get(table.name, ROWS_AT_A_TIME)):
                if table is LIBRARY:
                    rows = [renamed.get(row[0], row) for row in rows]
                try:
                    transaction.append(table.name, convert_rows(table, rows))
                except ValueError as error:
                    raise StoreError(
                        f"A row of {table.name} in {source.name} can't be stored in {target.name} ({error}); "
                        "run `beet resonance check --repair` and copy again."
                    ) from error
                counts[table.name] += len(rows)
                report(table.name, counts[table.name])
        transaction.set_last_ids(source.database.last_ids(snapshot))
    return counts


def convert_rows(table: sa.Table, rows: Sequence[Sequence[Any]]) -> Sequence[Sequence[Any]]:
    """Return rows whose values have the types of their columns; ValueError for a value of another type."""
    for place, column in enumerate(table.columns):
        if isinstance(column.type, sa.Boolean):  # SQLite has numbers for them
            rows = [(*row[:place], bool(row[place]), *row[place + 1 :]) for row in rows]
        types = (column.type.python_type, NoneType) if column.nullable else column.type.python_type
        if not all(isinstance(row[place], types) for row in rows):
            raise ValueError(f"{column.name} holds a value of another type")
    return rows


def select_all(table: sa.Table) -> str:
    """Return the statement that reads a table in the order of its key."""
    key = ", ".join(f'"{column.name}"' for column in table.primary_key)
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    return f'SELECT {columns} FROM "{table.name}" ORDER BY {key}'  # noqa: S608 - names of ours


def holds_rows(driver: Snapshot, table: str) -> bool:
    found: list[Any] = driver.execute(f'SELECT 1 FROM "{table}" LIMIT 1').fetchall()  # noqa: S608 - a name of ours
    return bool(found)

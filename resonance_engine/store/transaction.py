"""A snapshot of a sidecar file, and the queries on it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from resonance_engine.store.errors import UnreadableError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

# SQLite takes 32,766 parameters in a statement, older builds fewer.
CHUNK = 10_000
GENERATION = "generation"


@dataclass
class Transaction:
    """An open transaction; `generation` is that of the vector rows as this transaction sees them."""

    driver: sqlite3.Connection
    generation: int

    def rows(self, statement: str, *parameters: Any) -> list[Any]:
        """Return all rows of a query."""
        return self.driver.execute(statement, parameters).fetchall()

    def rows_in(self, statement: str, values: Iterable[Any], *parameters: Any) -> list[Any]:
        """Return the rows of a query that ends in IN, for any number of values; the parameters come before those."""
        rows: list[Any] = []
        rest = iter(values)
        while chunk := tuple(islice(rest, CHUNK)):
            marks = ", ".join("?" * len(chunk))
            rows += self.driver.execute(f"{statement} ({marks})", (*parameters, *chunk))
        return rows

    def value(self, statement: str, *parameters: Any) -> Any:
        """Return the one column of the first row, None without a row."""
        row = self.driver.execute(statement, parameters).fetchone()
        return None if row is None else row[0]


def last_generation(driver: sqlite3.Connection) -> int:
    """Return the generation of the vector rows, 0 before the first; raises `errors.UNREADABLE`."""
    row = driver.execute("SELECT value FROM state WHERE key = ?", (GENERATION,)).fetchone()
    if row is None:
        return 0
    if not isinstance(row[0], str) or not row[0].isdecimal():
        raise UnreadableError("the generation is no number")
    return int(row[0])


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Yield the values in lists that fit into one statement."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk

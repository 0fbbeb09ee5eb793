"""A snapshot of a sidecar file, and the queries on it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from resonance_engine.store.errors import UnreadableError, read_json

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
        return [
            row
            for chunk in chunks(values)
            for row in self.driver.execute(f"{statement} ({', '.join('?' * len(chunk))})", (*parameters, *chunk))
        ]

    def value(self, statement: str, *parameters: Any) -> Any:
        """Return the one column of the first row, None without a row."""
        row = self.driver.execute(statement, parameters).fetchone()
        return None if row is None else row[0]


def last_generation(driver: sqlite3.Connection) -> int:
    """Return the generation of the vector rows, 0 before the first; raises `errors.UNREADABLE`."""
    row = driver.execute("SELECT value FROM state WHERE key = ?", (GENERATION,)).fetchone()
    generation = None if row is None else read_json(row[0])
    if generation is not None and type(generation) is not int:
        raise UnreadableError("the generation is no number")
    return generation or 0


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Yield the values in lists that fit into one statement."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk

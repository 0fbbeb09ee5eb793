"""One state of a sidecar's database, as the tables read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROWS_AT_A_TIME = 5_000


class Rows(Protocol):
    """The rows of a query, each a tuple."""

    def __iter__(self) -> Iterator[Any]: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def fetchmany(self, size: int, /) -> list[Any]: ...

    def close(self) -> None: ...


class Snapshot(Protocol):
    """A connection that shows one state of the database; statements are in SQLite's SQL."""

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> Rows: ...


@runtime_checkable
class RemoteSnapshot(Protocol):
    """A snapshot whose `execute` takes all rows of a query into memory at once."""

    def stream(self, statement: str, parameters: Sequence[Any]) -> Rows:
        """Return the rows of a query, which come from the server as they are fetched."""
        ...


def read_batches(
    snapshot: Snapshot, statement: str, parameters: Sequence[Any] = (), size: int = ROWS_AT_A_TIME
) -> Iterator[list[Any]]:
    """Yield the rows of a query, up to `size` at a time, so that memory does not grow with their number."""
    if isinstance(snapshot, RemoteSnapshot):
        cursor = snapshot.stream(statement, parameters)
    else:
        cursor = snapshot.execute(statement, parameters)
    try:
        while rows := cursor.fetchmany(size):
            yield rows
    finally:
        cursor.close()

"""One state of a sidecar's database, as the tables read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Rows(Protocol):
    """The rows of a query, each a tuple."""

    def __iter__(self) -> Iterator[Any]: ...

    def fetchone(self) -> Any: ...

    def fetchall(self) -> list[Any]: ...

    def fetchmany(self, size: int, /) -> list[Any]: ...


class Snapshot(Protocol):
    """A connection that shows one state of the database; statements are in SQLite's SQL."""

    def execute(self, statement: str, parameters: Sequence[Any] = (), /) -> Rows: ...

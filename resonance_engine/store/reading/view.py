"""The sidecar as one transaction sees it: what every verb that reads works on."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, Self, TypeVar

from resonance_engine.store.sentences import UnreadableError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path
    from types import TracebackType

T = TypeVar("T")

# SQLite takes 32,766 parameters in a statement, older builds fewer.
CHUNK = 10_000
GENERATION = "generation"


class View(Protocol):
    """An open transaction; `generation` is that of the vector rows as it sees them."""

    @property
    def driver(self) -> sqlite3.Connection: ...

    @property
    def generation(self) -> int: ...


class Reading(ABC):
    """A sidecar file that can be read; safe to share between threads, each of which reads in its own transaction."""

    path: Path

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """Close the file; using the store again opens it again."""

    @abstractmethod
    def _view(self) -> AbstractContextManager[View]:
        """The transaction that this thread is in, or one for the time of a `with`; raises StoreError."""

    @contextmanager
    def read(self) -> Iterator[None]:
        """Let everything that this thread reads inside come from one state of the store."""
        with self._view():
            yield

    @property
    def generation(self) -> int:
        """A number that rises exactly with each transaction that changes vectors; 0 before the first."""
        with self._view() as view:
            return view.generation

    def _rows(self, statement: str, values: Iterable[Any], *parameters: Any) -> list[Any]:
        """The rows of a statement that ends in IN, for any number of values; the parameters come before those."""
        with self._view() as view:
            return [
                row
                for chunk in chunks(values)
                for row in view.driver.execute(f"{statement} ({', '.join('?' * len(chunk))})", (*parameters, *chunk))
            ]


def recalled(driver: sqlite3.Connection, key: str) -> Any:
    """The value of a state row, None when there is no such row; raises `sentences.UNREADABLE`."""
    row = driver.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
    return None if row is None else read_json(row[0])


def last_generation(driver: sqlite3.Connection) -> int:
    """The generation of the vector rows, 0 before the first; raises `sentences.UNREADABLE`."""
    generation = recalled(driver, GENERATION)
    if generation is not None and type(generation) is not int:
        raise UnreadableError("the generation is no number")
    return generation or 0


def read_json(text: Any, kind: type = object) -> Any:
    """What JSON in a column says; raises `sentences.UNREADABLE` where it is none, or not of the kind."""
    if not isinstance(text, str):
        raise UnreadableError("what should be JSON is no text")
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise UnreadableError("what should be JSON is too deep") from error
    if not isinstance(value, kind):
        raise UnreadableError("what should be JSON is of another kind")
    return value


def chunks(values: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """The values in lists that fit into one statement."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk

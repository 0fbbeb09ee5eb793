"""Recordings that a listener never wants in one list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resonance_engine.store.reading.view import Reading, recalled
from resonance_engine.store.sentences import UnreadableError

if TYPE_CHECKING:
    import sqlite3

Pair = tuple[bytes, bytes]

STATE = "pairs_apart"


class PairReading(Reading):
    """The verb that reads pairs of recordings that are kept apart."""

    def pairs_apart(self) -> frozenset[Pair]:
        """All pairs that are kept apart, as content keys, the smaller one first."""
        with self._view() as view:
            return frozenset(pairs(view.driver))


def pairs(driver: sqlite3.Connection) -> set[Pair]:
    noted = recalled(driver, STATE)
    return set() if noted is None else pairs_of(noted)


def pairs_of(noted: Any) -> set[Pair]:
    """The pairs that a state row says; raises UnreadableError where it says none."""
    try:
        ones = {one: bytes.fromhex(one) for one in noted}
        return {(ones[one], bytes.fromhex(other)) for one, others in noted.items() for other in others}
    except (ValueError, TypeError, AttributeError) as error:
        raise UnreadableError("the pairs kept apart are no content keys") from error

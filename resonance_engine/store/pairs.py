"""Recordings that a listener never wants in one list: said once, kept whatever happens to the library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resonance_engine.store.database import Database, Transaction, remember
from resonance_engine.store.reading.pairs import STATE, Pair, pairs

if TYPE_CHECKING:
    from collections.abc import Iterable, Set


class Pairs(Database):
    """Verbs that change pairs of recordings that are kept apart.

    Nothing can make a listener's word again, so `prune` and `forget_model` leave it alone: a recording that comes back
    is kept apart as before.
    """

    def part(self, keys_a: Iterable[bytes], keys_b: Iterable[bytes]) -> int:
        """Keep each recording of the one apart from each of the other, and say how many pairs are new.

        They are content keys; a recording is never apart from itself.
        """
        others = set(keys_b)
        wanted = {_pair(one, other) for one in keys_a for other in others if one != other}
        with self._transaction(writes=True) as transaction:
            known = pairs(transaction.driver)
            _remember(transaction, known | wanted)
            return len(wanted - known)

    def reunite(self, keys_a: Iterable[bytes], keys_b: Iterable[bytes] | None = None) -> int:
        """Keep recordings of the one and of the other apart no longer, and say how many pairs that were.

        Without the other, those of the one are kept apart from nothing any more.
        """
        ones, others = set(keys_a), None if keys_b is None else set(keys_b)
        with self._transaction(writes=True) as transaction:
            known = pairs(transaction.driver)
            left = {pair for pair in known if not _joins(pair, ones, others)}
            _remember(transaction, left)
            return len(known) - len(left)


def _pair(one: bytes, other: bytes) -> Pair:
    return (one, other) if one < other else (other, one)


def _joins(pair: Pair, ones: Set[bytes], others: Set[bytes] | None) -> bool:
    """Whether a pair has one member on each side, on any side where there is but one."""
    return any(one in ones and (others is None or other in others) for one, other in (pair, pair[::-1]))


def _remember(transaction: Transaction, wanted: Iterable[Pair]) -> None:
    others: dict[str, list[str]] = {}
    for one, other in sorted(wanted):
        others.setdefault(one.hex(), []).append(other.hex())
    remember(transaction.connection, STATE, others)

"""Pairs of recordings that the user never wants in one list: one row of the table `state`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonance_engine.store.errors import UnreadableError, read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Set

    from resonance_engine.store.database import Database
    from resonance_engine.store.transaction import Transaction
    from resonance_engine.store.writer import WriteTransaction

Pair = tuple[bytes, bytes]

STATE_KEY = "pairs_apart"


@dataclass(frozen=True)
class IncompatiblePairs:
    """Pairs of content keys, the smaller one first.

    User-defined pairs are not derivable from audio, so pruning and the removal of a model keep them: a recording that
    comes back is kept apart as before.
    """

    database: Database

    def all(self) -> frozenset[Pair]:
        """Return all pairs."""
        with self.database.read() as transaction:
            return frozenset(_select(transaction))

    def add(self, keys_a: Iterable[bytes], keys_b: Iterable[bytes]) -> int:
        """Keep each recording of the one apart from each of the other, and return how many pairs are new.

        A recording is never apart from itself.
        """
        others = set(keys_b)
        pairs = {(min(one, other), max(one, other)) for one in keys_a for other in others if one != other}
        with self.database.write() as transaction:
            known = _select(transaction)
            _store(transaction, known | pairs)
            return len(pairs - known)

    def remove(self, keys_a: Iterable[bytes], keys_b: Iterable[bytes] | None = None) -> int:
        """Remove the pairs of one recording of each side, all pairs of the one without the other; return how many."""
        ones, others = set(keys_a), None if keys_b is None else set(keys_b)
        with self.database.write() as transaction:
            known = _select(transaction)
            left = {pair for pair in known if not _joins(pair, ones, others)}
            _store(transaction, left)
            return len(known) - len(left)


def parse_pairs(value: Any) -> set[Pair]:
    """Return the pairs of a state row; raises UnreadableError where it holds none."""
    try:
        ones = {one: bytes.fromhex(one) for one in value}
        return {(ones[one], bytes.fromhex(other)) for one, others in value.items() for other in others}
    except (ValueError, TypeError, AttributeError) as error:
        raise UnreadableError("the pairs kept apart are no content keys") from error


def _select(transaction: Transaction) -> set[Pair]:
    rows = transaction.rows("SELECT value FROM state WHERE key = ?", STATE_KEY)
    return parse_pairs(read_json(rows[0][0])) if rows else set()


def _store(transaction: WriteTransaction, pairs: Iterable[Pair]) -> None:
    others: dict[str, list[str]] = {}
    for one, other in sorted(pairs):
        others.setdefault(one.hex(), []).append(other.hex())
    transaction.upsert("state", [{"key": STATE_KEY, "value": json.dumps(others)}])


def _joins(pair: Pair, ones: Set[bytes], others: Set[bytes] | None) -> bool:
    """Whether a pair has one member on each side, on any side where there is but one."""
    return any(one in ones and (others is None or other in others) for one, other in (pair, pair[::-1]))

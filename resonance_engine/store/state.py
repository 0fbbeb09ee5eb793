"""Single facts about the store, as JSON, and what is kept apart among them: table `state`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonance_engine.records import has_type
from resonance_engine.store.errors import UnreadableError
from resonance_engine.store.sqlite_file import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Set

    from resonance_engine.store.database import Database
    from resonance_engine.store.snapshot import Snapshot
    from resonance_engine.store.writer import WriteTransaction

Pair = tuple[bytes, bytes]
Words = tuple[str, ...]
Rule = tuple[Words, Words]

PAIRS_KEY = "pairs_apart"
RULES_KEY = "rules_apart"


@dataclass(frozen=True)
class StateTable:
    """Facts by key, such as "seconds_per_track"."""

    database: Database

    def get(self, key: str, *kinds: type) -> Any:
        """Return a fact; None where it isn't known, or is of none of the types, if any are given."""
        with self.database.read() as snapshot:
            row = snapshot.execute("SELECT value FROM state WHERE key = ?", (key,)).fetchone()
            value = read_json(row[0]) if row else None
        return value if not kinds or isinstance(value, kinds) else None

    def set(self, key: str, value: Any) -> None:
        """Store a fact; the value is one that JSON takes."""
        self.database.write_state(key, json.dumps(value))


@dataclass(frozen=True)
class IncompatiblePairs:
    """Pairs of content keys that the user never wants in one list, the smaller key first: one row of `state`.

    User-defined pairs are not derivable from audio, so pruning and the removal of a model keep them: a recording that
    comes back is kept apart as before.
    """

    database: Database

    def all(self) -> frozenset[Pair]:
        """Return all pairs."""
        with self.database.read() as snapshot:
            return frozenset(_select_pairs(snapshot))

    def add(self, keys_a: Iterable[bytes], keys_b: Iterable[bytes]) -> int:
        """Keep each recording of the one apart from each of the other, and return how many pairs are new.

        A recording is never apart from itself.
        """
        others = set(keys_b)
        pairs = {(min(one, other), max(one, other)) for one in keys_a for other in others if one != other}
        with self.database.write() as transaction:
            known = _select_pairs(transaction.driver)
            _store_pairs(transaction, known | pairs)
            return len(pairs - known)

    def remove(self, keys_a: Iterable[bytes], keys_b: Iterable[bytes] | None = None) -> int:
        """Remove the pairs of one recording of each side, all pairs of the one without the other; return how many."""
        ones, others = set(keys_a), None if keys_b is None else set(keys_b)
        with self.database.write() as transaction:
            known = _select_pairs(transaction.driver)
            left = {pair for pair in known if not _joins(pair, ones, others)}
            _store_pairs(transaction, left)
            return len(known) - len(left)


@dataclass(frozen=True)
class IncompatibleQueries:
    """Rules: two queries, as words, whose matches the user never wants in one list; one row of `state`.

    A rule is the same whichever of its queries comes first.
    """

    database: Database

    def all(self) -> list[Rule]:
        """Return all rules, the oldest first."""
        with self.database.read() as snapshot:
            return _select_rules(snapshot)

    def add(self, one: Words, other: Words) -> bool:
        """Add a rule; return whether it is new."""
        with self.database.write() as transaction:
            known = _select_rules(transaction.driver)
            is_new = not any(_is_about(rule, one, other) for rule in known)
            if is_new:
                _store_rules(transaction, [*known, (one, other)])
            return is_new

    def remove(self, one: Words, other: Words | None = None) -> int:
        """Remove the rule of two queries, or all rules with the one; return how many."""
        with self.database.write() as transaction:
            known = _select_rules(transaction.driver)
            left = [rule for rule in known if not _is_about(rule, one, other)]
            if len(left) < len(known):
                _store_rules(transaction, left)
            return len(known) - len(left)


def parse_rules(value: Any) -> list[Rule]:
    """Return the rules of a state row; raises UnreadableError where it holds none."""
    if not has_type(value, list[list[list[str]]]) or any(len(rule) != 2 or not all(rule) for rule in value):
        raise UnreadableError("the rules of what is kept apart are no pairs of queries")
    return [(tuple(one), tuple(other)) for one, other in value]


def _select_rules(driver: Snapshot) -> list[Rule]:
    row = driver.execute("SELECT value FROM state WHERE key = ?", (RULES_KEY,)).fetchone()
    return parse_rules(read_json(row[0])) if row else []


def _store_rules(transaction: WriteTransaction, rules: Iterable[Rule]) -> None:
    transaction.upsert("state", [{"key": RULES_KEY, "value": json.dumps(list(rules))}])


def _is_about(rule: Rule, one: Words, other: Words | None) -> bool:
    return one in rule if other is None else rule in ((one, other), (other, one))


def parse_pairs(value: Any) -> set[Pair]:
    """Return the pairs of a state row; raises UnreadableError where it holds none."""
    try:
        ones = {one: bytes.fromhex(one) for one in value}
        return {(ones[one], bytes.fromhex(other)) for one, others in value.items() for other in others}
    except (ValueError, TypeError, AttributeError) as error:
        raise UnreadableError("the pairs kept apart are no content keys") from error


def _select_pairs(driver: Snapshot) -> set[Pair]:
    row = driver.execute("SELECT value FROM state WHERE key = ?", (PAIRS_KEY,)).fetchone()
    return parse_pairs(read_json(row[0])) if row else set()


def _store_pairs(transaction: WriteTransaction, pairs: Iterable[Pair]) -> None:
    others: dict[str, list[str]] = {}
    for one, other in sorted(pairs):
        others.setdefault(one.hex(), []).append(other.hex())
    transaction.upsert("state", [{"key": PAIRS_KEY, "value": json.dumps(others)}])


def _joins(pair: Pair, ones: Set[bytes], others: Set[bytes] | None) -> bool:
    """Whether a pair has one member on each side, on any side where there is but one."""
    return any(one in ones and (others is None or other in others) for one, other in (pair, pair[::-1]))

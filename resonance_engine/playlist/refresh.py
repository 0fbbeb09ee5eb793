"""A list that is made again: what stays of it, what goes and why, what is new."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

TWICE = "is in the list twice"
GAVE_WAY = "gave way to others"


@dataclass(frozen=True)
class Difference(Generic[Key]):
    """What became of a list: `kept` in its old order, `dropped` each with the reason, `added` in the new order."""

    kept: tuple[Key, ...]
    dropped: tuple[tuple[Key, str], ...]
    added: tuple[Key, ...]

    def __str__(self) -> str:
        return f"{len(self.kept):,} kept, {len(self.dropped):,} dropped, {len(self.added):,} added"

    def lines(self, shown: Callable[[Key], str]) -> list[str]:
        """The difference for people: a line for each track that went ("- ...: why") or came ("+ ...")."""
        gone = [f"- {shown(key)}: {reason}" for key, reason in self.dropped]
        return [*gone, *(f"+ {shown(key)}" for key in self.added)]


def drop_invalid(old: Sequence[Key], reason: Callable[[Key], str | None]) -> tuple[list[Key], list[tuple[Key, str]]]:
    """The entries of a list that still hold, in their order, and the others with what speaks against them.

    `reason` says why an entry no longer holds ("is no longer in the library"), or None where it does. An entry that
    comes again holds the first time.
    """
    kept: dict[Key, None] = {}
    dropped = []
    for key in old:
        why = TWICE if key in kept else reason(key)
        if why is None:
            kept[key] = None
        else:
            dropped.append((key, why))
    return list(kept), dropped


def compare_lists(old: Sequence[Key], new: Sequence[Key], dropped: Sequence[tuple[Key, str]]) -> Difference[Key]:
    """What became of the old list in the new one; `dropped` are the reasons that `drop_invalid` gave."""
    there, before, reasons = set(new), set(old), dict(dropped)
    stayed: Mapping[Key, None] = dict.fromkeys(key for key in old if key in there)
    gone = [(key, reasons.get(key, GAVE_WAY)) for key in dict.fromkeys(old) if key not in there]
    again = [(key, why) for key, why in dropped if key in there]
    return Difference(tuple(stayed), (*gone, *again), tuple(key for key in new if key not in before))

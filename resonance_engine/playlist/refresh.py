"""Compare a list with its previous version: kept, dropped with reasons, and added entries."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

TWICE = "is in the list twice"
GAVE_WAY = "gave way to others"


@dataclass(frozen=True)
class Difference(Generic[Key]):
    """The difference of two lists: `kept` in the old order, `dropped` with reasons, `added` in the new order."""

    kept: tuple[Key, ...]
    dropped: tuple[tuple[Key, str], ...]
    added: tuple[Key, ...]

    def __str__(self) -> str:
        return f"{len(self.kept):,} kept, {len(self.dropped):,} dropped, {len(self.added):,} added"

    def lines(self, name_of: Callable[[Key], str]) -> list[str]:
        """Return a line for each entry that was dropped ("- ...: why") or added ("+ ...")."""
        dropped = [f"- {name_of(key)}: {reason}" for key, reason in self.dropped]
        return [*dropped, *(f"+ {name_of(key)}" for key in self.added)]


def drop_invalid(old: Sequence[Key], reason: Callable[[Key], str | None]) -> tuple[list[Key], list[tuple[Key, str]]]:
    """Split a list into the entries that still hold, in their order, and the others with the reason.

    `reason` returns why an entry no longer holds ("is no longer in the library"), or None. Of an entry that comes
    twice, the first holds.
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
    """Compare the old list with the new one; `dropped` are the entries and reasons of `drop_invalid`."""
    present, before, reasons = set(new), set(old), dict(dropped)
    stayed = dict.fromkeys(key for key in old if key in present)
    gone = [(key, reasons.get(key, GAVE_WAY)) for key in dict.fromkeys(old) if key not in present]
    repeated = [(key, why) for key, why in dropped if key in present]
    return Difference(tuple(stayed), (*gone, *repeated), tuple(key for key in new if key not in before))

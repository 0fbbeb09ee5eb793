"""Hints on misspelt names: the known ones that come nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ALIKE = 0.6  # how much of two spellings agrees, as difflib measures it


def nearest_names(name: str, known: Iterable[str], count: int = 1, alike: float = ALIKE) -> list[str]:
    """Return the known names that are spelt most like a name, best first; case makes no difference."""
    from difflib import get_close_matches  # loaded when a name is wrong: every start of beets loads this module

    by_spelling: dict[str, str] = {}
    for each in known:
        by_spelling.setdefault(each.lower(), each)
    return [by_spelling[spelling] for spelling in get_close_matches(name.lower(), by_spelling, count, alike)]


def suggest(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return a hint on an unknown name: the known one that is nearest, or another hint."""
    nearest = nearest_names(name, known)
    return f"did you mean {nearest[0]}?" if nearest else otherwise

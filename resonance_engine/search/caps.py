"""Caps: how many tracks of one artist and one album a list may hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Caps:
    """At most `per_artist` and `per_album` tracks of one artist and album; 0 means any number.

    `fixed` names the caps that a user has set; the others are defaults, which give way where a list would be short.
    Raises ValueError for a negative cap.
    """

    per_artist: int = 0
    per_album: int = 0
    fixed: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name, cap in (("per_artist", self.per_artist), ("per_album", self.per_album)):
            if cap < 0:
                raise ValueError(f"{name} is a number of tracks, 0 for any number, not {cap}")

    def relaxations(self, count: int) -> Iterator[Caps]:
        """Yield these caps with those that are not fixed doubled again and again, at last without them.

        `count` is the length of the list. Yields nothing where no cap can be raised.
        """
        by_artist = self.per_artist > 0 and "per_artist" not in self.fixed
        by_album = self.per_album > 0 and "per_album" not in self.fixed
        factor = 1 if by_artist or by_album else 0
        while factor:
            factor = 2 * factor if factor < count else 0  # 0 lifts the caps, and is the last
            yield Caps(
                self.per_artist * factor if by_artist else self.per_artist,
                self.per_album * factor if by_album else self.per_album,
                self.fixed,
            )

"""Works in several movements: kept whole and in order, or heard in one of them only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resonance_engine.playlist.track import Track

# As MusicBrainz writes titles: "Symphony no. 5 in C minor, op. 67: II. Andante con moto".
_TITLE = re.compile(r"(?P<work>.*\S)\s*(?::|\s[-\u2013\u2014])\s*(?:No\.\s*)?(?P<number>[IVX]+|\d{1,2})\.(?:\s|$)")
_ROMAN = re.compile(r"(X{0,3})(IX|IV|V?I{0,3})")
_ONES = {"": 0, "I": 1, "II": 2, "III": 3, "IV": 4, "V": 5, "VI": 6, "VII": 7, "VIII": 8, "IX": 9}


def units(tracks: Sequence[Track], together: bool) -> list[tuple[int, ...]]:
    """The positions of tracks as they are played: one at a time or, where works stay `together`, a work at a time.

    A work is what shares both work and album: another album holds another recording. Its movements are in the order of
    their numbers. Units are in the order of their first track.
    """
    if not together:
        return [(position,) for position in range(len(tracks))]
    found: dict[object, list[int]] = {}
    for position, track in enumerate(tracks):
        found.setdefault((track.work, track.album) if track.work else position, []).append(position)
    return [tuple(sorted(unit, key=lambda position: tracks[position].movement)) for unit in found.values()]


def movement_of(title: str) -> tuple[str, int] | None:
    """Work and number of a movement, from a title such as "Sonata no. 8: II. Adagio"; None where it names none."""
    found = _TITLE.match(title)
    if found is None:
        return None
    number = int(found["number"]) if found["number"].isdecimal() else roman(found["number"])
    return (found["work"], number) if number else None


def roman(numeral: str) -> int:
    """The value of a Roman numeral up to XXXIX; 0 where it is none."""
    found = _ROMAN.fullmatch(numeral)
    return 10 * len(found[1]) + _ONES[found[2]] if found else 0

"""Works in several movements: grouping them, and movement numbers from titles."""

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


def group_works(tracks: Sequence[Track], is_together: bool) -> list[tuple[int, ...]]:
    """Group the positions of tracks into units: one track each or, where works stay together, a work each.

    A work is what shares both work and album: another album holds another recording. Its movements are in the order of
    their numbers. Units are in the order of their first track.
    """
    if not is_together:
        return [(position,) for position in range(len(tracks))]
    units: dict[object, list[int]] = {}
    for position, track in enumerate(tracks):
        units.setdefault((track.work, track.album) if track.work else position, []).append(position)
    return [tuple(sorted(unit, key=lambda position: tracks[position].movement)) for unit in units.values()]


def parse_movement(title: str) -> tuple[str, int] | None:
    """Parse work and number of a movement from a title such as "Sonata no. 8: II. Adagio"; None for other titles."""
    match = _TITLE.match(title)
    if match is None:
        return None
    number = int(match["number"]) if match["number"].isdecimal() else parse_roman(match["number"])
    return (match["work"], number) if number else None


def parse_roman(numeral: str) -> int:
    """Parse a Roman numeral up to XXXIX; 0 for any other text."""
    match = _ROMAN.fullmatch(numeral)
    return 10 * len(match[1]) + _ONES[match[2]] if match else 0

"""What a list demands: caps on artists and albums, and tempo and key, absolute or relative to the seeds."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resonance_engine.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OCTAVES = (0.5, 1.0, 2.0)  # beat trackers, and people, take a beat for half or twice its rate
LARGEST_RATIO = 10.0  # above it, numbers are beats per minute
NEAR = 0.03  # tolerance of a single tempo, as a share of it
CIRCLE = ("C", "G", "D", "A", "E", "B", "F#", "C#", "G#", "D#", "A#", "F")  # of fifths
FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#"}
RELATIVE = 3  # fifths from a major key up to its relative minor
UNKNOWN_TEMPO, UNKNOWN_KEY, TEMPO, KEY = "no tempo known", "no key known", "tempo", "key"


@dataclass(frozen=True)
class Caps:
    """At most `per_artist` and `per_album` tracks of one artist and album; 0 means any number.

    `fixed` names the caps that a user has set; the others are defaults, which give way where a list would be short.
    """

    per_artist: int = 0
    per_album: int = 0
    fixed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class TempoRange:
    """Bounds of a tempo: beats per minute, or multiples of a seed's where `relative`."""

    low: float
    high: float
    relative: bool

    @classmethod
    def parse(cls, text: str) -> TempoRange:
        """Parse `0.95-1.05` (times the seeds'), `120-130` or `124` (beats per minute); ConfigError for others."""
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(?:-\s*(\d+(?:\.\d+)?))?\s*", text)
        if match is None:
            raise ConfigError(
                f"A tempo is written 0.95-1.05 (times the seed's) or 120-130 (beats a minute), not {text!r}."
            )
        low = float(match[1])
        high = low if match[2] is None else float(match[2])
        if match[2] is None:
            low, high = low * (1 - NEAR), high * (1 + NEAR)
        if not 0 < low <= high or (low <= LARGEST_RATIO) != (high <= LARGEST_RATIO):
            raise ConfigError(
                f"The bounds of a tempo rise from the first to the second, both below {LARGEST_RATIO:.0f} (times the "
                f"seed's) or both above (beats a minute), not {text!r}."
            )
        return cls(low, high, high <= LARGEST_RATIO)

    def allows(self, tempo: float, seeds: Sequence[float]) -> bool:
        """Return whether a tempo, its half or its double lies within the bounds, by any seed's if relative."""
        bases = seeds if self.relative else (1.0,)
        return any(self.low <= octave * tempo / base <= self.high for octave in OCTAVES for base in bases)


@dataclass(frozen=True)
class Constraints:
    """Required `tempo`, by the seeds' `tempi` if relative, and a key that mixes with one of the seeds' `keys`.

    None for `tempo` or `keys` allows any.
    """

    tempo: TempoRange | None = None
    tempi: Sequence[float] = ()
    keys: Sequence[tuple[int, str]] | None = None

    def rejection(self, attributes: Mapping[str, Any]) -> str:
        """Return why a track is rejected, "tempo", "key", or that one is unknown; empty where it is not."""
        if self.tempo is not None:
            tempo = tempo_of(attributes)
            if tempo is None:
                return UNKNOWN_TEMPO
            if not self.tempo.allows(tempo, self.tempi):
                return TEMPO
        if self.keys is not None:
            key = key_of(attributes)
            if key is None:
                return UNKNOWN_KEY
            if not any(is_compatible(key, each) for each in self.keys):
                return KEY
        return ""


def tempi_of(seeds: Sequence[Mapping[str, Any]]) -> list[float]:
    """Return the tempi among the measured attributes of seeds; ConfigError where there is none."""
    tempi = [tempo for tempo in map(tempo_of, seeds) if tempo is not None]
    if not tempi:
        raise ConfigError("No track to start from has a tempo that was measured; give beats a minute, as 120-130.")
    return tempi


def keys_of(seeds: Sequence[Mapping[str, Any]]) -> list[tuple[int, str]]:
    """Return the keys among the measured attributes of seeds; ConfigError where there is none."""
    keys = [key for key in map(key_of, seeds) if key is not None]
    if not keys:
        raise ConfigError("No track to start from has a key that was measured; leave the key out.")
    return keys


def tempo_of(attributes: Mapping[str, Any]) -> float | None:
    """Return the tempo among measured attributes, beats a minute; None where there is none."""
    tempo = attributes.get("tempo")
    is_number = isinstance(tempo, (int, float)) and not isinstance(tempo, bool)
    return float(tempo) if tempo is not None and is_number and tempo > 0 else None


def key_of(attributes: Mapping[str, Any]) -> tuple[int, str] | None:
    """Return the key among measured attributes, as its place on the circle of fifths and "major" or "minor"."""
    tonic, _, mode = str(attributes.get("key") or "").partition(" ")
    tonic = FLATS.get(tonic, tonic)
    return (CIRCLE.index(tonic), mode) if tonic in CIRCLE and mode in ("major", "minor") else None


def is_compatible(one: tuple[int, str], other: tuple[int, str]) -> bool:
    """Return whether two keys mix, as neighbours on the Camelot wheel: the same, a fifth apart, or relative keys."""
    fifths = (one[0] - other[0]) % 12
    if one[1] == other[1]:
        return fifths in (0, 1, 11)
    return fifths == (RELATIVE if one[1] == "minor" else 12 - RELATIVE)
